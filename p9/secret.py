"""What nobody may ever read: whoever learns a secret says so here, and texts that people read have it covered.

Whoever holds a secret keeps it to himself anyway; this is for what comes back from outside, as a refusal that repeats the key that it refuses.
"""

import json

LEAST = 8  # characters: a shorter one would cover half of what is written
COVER = "***"

_known: dict[str, None] = {}


def learn(secret: str) -> None:
    """From now on `secret` is covered, as it is and as JSON writes it."""
    if len(secret) >= LEAST:
        _known[secret] = None
        _known[json.dumps(secret)[1:-1]] = None


def censored(text: str) -> str:
    """`text` without any secret that was learnt."""
    for secret in _known:
        if secret in text:
            text = text.replace(secret, COVER)
    return text
