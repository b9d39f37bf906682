"""Redis' glob patterns (`*`, `?`, `[a-z]`, `[^a]`, `\\x`) as compiled expressions over bytes."""

import re
from functools import lru_cache


@lru_cache(maxsize=4096)
def compile_glob(pattern: bytes) -> re.Pattern[bytes]:
    """For fullmatch(). Every byte string is a pattern: an unclosed class ends where the pattern ends, as in Redis."""
    out, at = [b"(?s:"], 0
    while at < len(pattern):
        char = pattern[at : at + 1]
        at += 1
        if char == b"*":
            while pattern[at : at + 1] == b"*":  # `***` is one star; as three it would backtrack for ever
                at += 1
            out.append(b".*")
        elif char == b"?":
            out.append(b".")
        elif char == b"[":
            piece, at = _char_class(pattern, at)
            out.append(piece)
        else:
            if char == b"\\" and at < len(pattern):
                char = pattern[at : at + 1]
                at += 1
            out.append(re.escape(char))
    return re.compile(b"".join((*out, b")")))


def _char_class(pattern: bytes, at: int) -> tuple[bytes, int]:
    negated = pattern[at : at + 1] == b"^"
    at += negated
    wanted: set[int] = set()
    while at < len(pattern) and pattern[at] != 93:  # ']'
        if pattern[at] == 92 and at + 1 < len(pattern):  # '\'
            wanted.add(pattern[at + 1])
            at += 2
        elif pattern[at + 1 : at + 2] == b"-" and at + 2 < len(pattern):
            low, high = sorted((pattern[at], pattern[at + 2]))
            wanted.update(range(low, high + 1))
            at += 3
        else:
            wanted.add(pattern[at])
            at += 1
    matching = set(range(256)) - wanted if negated else wanted
    if not matching:
        return b"(?!)", at + 1
    return b"[%b]" % b"".join(b"\\x%02x" % c for c in sorted(matching)), at + 1
