"""A moment as people write it: a number since 1970 in s, ms, us or ns, or a date and time (without an offset: UTC)."""

import re
from datetime import UTC, datetime
from decimal import Decimal

from p9.errors import ConfigError

EARLIEST_NS = 10**9 * 315_532_800  # 1980: what is less as seconds is no time of a market
LATEST_NS = 2**63 - 1
_NUMBER = re.compile(r"\d{1,19}(?:\.\d{1,9})?", re.ASCII)
HINT = "such as 2026-08-06T14:03:05Z, 2026-08-06 14:03:05.250, or seconds, milliseconds or nanoseconds since 1970"


def moment_ns(text: str, where: str = "--at") -> int:
    """Nanoseconds since 1970 UTC; the unit of a number is told by its size. Raises ConfigError."""
    text = text.strip()
    if _NUMBER.fullmatch(text):
        value = Decimal(text)
        to_ns = next(to_ns for below, to_ns in ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3), (10**20, 1)) if value < below)
        if EARLIEST_NS <= (at_ns := int(value * to_ns)) <= LATEST_NS:
            return at_ns
    else:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            at = None
        if at is not None:
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
            since = at - datetime(1970, 1, 1, tzinfo=UTC)
            at_ns = (since.days * 86400 + since.seconds) * 10**9 + since.microseconds * 1000
            fraction = re.search(r"[.,](\d{7,9})", text)  # nanoseconds, which datetime cuts off
            if fraction:
                at_ns += int(fraction[1].ljust(9, "0")[6:])
            if EARLIEST_NS <= at_ns <= LATEST_NS:
                return at_ns
    raise ConfigError(f"found {text[:60]!r}, which is no time", where=where, hint=HINT)


def moment_text(at_ns: int) -> str:
    """In UTC, to the millisecond."""
    return datetime.fromtimestamp(at_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{at_ns // 10**6 % 1000:03d}Z"
