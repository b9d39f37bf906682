"""What nobody may ever read: whoever learns a secret says so here, and texts that people read have it covered.

Whoever holds a secret keeps it to himself anyway; this is for what comes back from outside, as a refusal that repeats the key that it refuses.
"""

import json

LEAST = 8  # characters: a shorter one would cover half of what is written
MOST = 1000  # of those learnt last; what is still in use is learnt again and again
COVER = "***"

_known: dict[str, None] = {}


def learn(secret: str) -> None:
    """From now on `secret` is covered, as it is and as JSON writes it."""
    for form in dict.fromkeys((secret, json.dumps(secret)[1:-1])) if len(secret) >= LEAST else ():
        _known.pop(form, None)
        _known[form] = None
    while len(_known) > MOST:
        del _known[next(iter(_known))]


def censored(text: str) -> str:
    """`text` without any secret that was learnt."""
    for secret in _known:
        if secret in text:
            text = text.replace(secret, COVER)
    return text
