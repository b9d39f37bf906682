"""One instrument as the venue's reference endpoint describes it, in our words.

Prices, sizes and contract values are decimal text without trailing zeros, exact from the venue's own; nothing passes through a float.
"""

import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

SCALE_SLACK = 2  # a venue may quote finer than its tick (after a tick change, in index-linked rows): two decimals are free
MAX_SCALE = 18  # what the hot path's int64 holds
PERPETUAL = "PERP"

LONGEST_NAME = 64
SHARED = frozenset(("base", "quote", "settle", "status", "family"))  # by hundreds of options: one text for all of them
LATEST_NS = 9_000_000_000_000_000_000  # in 2255

_UNPUBLISHABLE = re.compile(r"[\s{}:*?\[\]\"\\]")  # signs of channel names, of Redis's patterns and of JSON
_DECIMAL = re.compile(r"\d+(?:\.\d*)?|\.\d+")
_SCIENTIFIC = re.compile(r"(\d+)(?:\.(\d*))?[eE]([+-]?\d{1,3})")
_MULTIPLIER = re.compile(r"(1(?:0{3,}))(?=\D)")


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """`symbol` is ours (base-quote[-suffix]), `venue_symbol` the venue's own. Times are ns since 1970 UTC, None where there is none."""

    exchange: str
    market: str
    symbol: str
    venue_symbol: str
    base: str
    quote: str
    settle: str
    kind: Literal["spot", "perpetual", "future", "option"]
    tick: str
    step: str
    contract: Literal["base", "linear", "inverse"] = "base"
    contract_value: str = "1"  # base coins (linear) or quote coins (inverse) of one contract, the venue's multiplier included
    multiplier: int = 1  # units of the underlying in one `base`: 1000PEPE is 1000 PEPE; no price is divided by it
    status: str = ""  # the venue's own word
    trading: bool = True  # the venue's word means that its book is live
    expires_ns: int | None = None
    listed_ns: int | None = None
    strike: str = ""
    option_type: Literal["", "C", "P"] = ""
    family: str = ""  # the venue's grouping of contracts (pair, instFamily)
    code: str = ""  # the venue's own number of it, where a rename does not change that
    index: str = ""  # the venue's name of the index behind it, where index prices are told apart from contracts

    def __post_init__(self) -> None:
        """Raises ValueError for what cannot be a name, or a tick that the hot path cannot count."""
        for name in ("symbol", "venue_symbol", "base", "quote", "settle", "status", "family"):
            text = getattr(self, name)
            if not isinstance(text, str) or len(text) > LONGEST_NAME or not text.isprintable():
                raise ValueError(f"{name} {text!r:.80} is no name")
            if name in SHARED:
                msgspec.structs.force_setattr(self, name, sys.intern(text))
        if _UNPUBLISHABLE.search(self.symbol + self.venue_symbol):
            raise ValueError(f"the symbol {self.venue_symbol!r} ({self.symbol!r}) cannot be part of a channel's name")
        if self.scaled_tick >= 2**63:
            raise ValueError(f"the tick {self.tick} is beyond what a book can hold")

    @property
    def px_scale(self) -> int:
        return min(places(self.tick) + SCALE_SLACK, MAX_SCALE)

    @property
    def qty_scale(self) -> int:
        return min(places(self.step) + SCALE_SLACK, MAX_SCALE)

    @property
    def scaled_tick(self) -> int:
        """The tick as the hot path counts it: tick x 10**px_scale."""
        whole, _, fraction = self.tick.partition(".")
        return int(whole + fraction.ljust(self.px_scale, "0"))


class Refused(msgspec.Struct, frozen=True):
    """A row of reference data that cannot be used; the others stand."""

    market: str
    venue_symbol: str
    reason: str


class Parsed(msgspec.Struct):
    """What a reference answer held."""

    instruments: list[Instrument] = []
    refused: list[Refused] = []
    skipped: int = 0  # rows of another product line

    def read(self, market: str, rows: list[Any], name: str, make: Callable[[Any], Instrument | None]) -> None:
        """What `make` makes of each row, None of one of another product line. A row that it cannot read is refused by what stands at its key `name`."""
        for row in rows:
            try:
                made = make(row)
            except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
                reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
                self.refused.append(Refused(market, str(row.get(name) if isinstance(row, dict) else None), reason))
                continue
            if made is None:
                self.skipped += 1
            else:
                self.instruments.append(made)


def places(text: str) -> int:
    """Decimals of a plain decimal text, trailing zeros apart."""
    return len(text.partition(".")[2].rstrip("0"))


def decimal(value: Any) -> str:
    """A number of a reference answer (text or JSON number) as positive decimal text without needless zeros. Raises ValueError."""
    text = str(value).strip()
    scientific = _SCIENTIFIC.fullmatch(text)
    if scientific:
        digits, exponent = scientific[1] + (scientific[2] or ""), int(scientific[3]) - len(scientific[2] or "")
        text = digits + "0" * exponent if exponent >= 0 else digits.rjust(1 - exponent, "0")
        if exponent < 0:
            text = f"{text[:exponent]}.{text[exponent:]}"
    elif not _DECIMAL.fullmatch(text):
        raise ValueError(f"{value!r} is not a decimal number")
    whole, _, fraction = text.partition(".")
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0")
    if whole == "0" and not fraction:
        raise ValueError(f"{value!r} is not positive")
    if len(whole) > MAX_SCALE or len(fraction) > MAX_SCALE:
        raise ValueError(f"{value!r} is beyond what a book can hold")
    return sys.intern(f"{whole}.{fraction}" if fraction else whole)  # ticks, steps and strikes are those of many


def product(a: str, b: str) -> str:
    """The exact product of two decimal texts."""
    (whole_a, _, fraction_a), (whole_b, _, fraction_b) = a.partition("."), b.partition(".")
    digits = str(int(whole_a + fraction_a) * int(whole_b + fraction_b))
    n = len(fraction_a) + len(fraction_b)
    digits = digits.rjust(n + 1, "0")
    return decimal(f"{digits[:-n]}.{digits[-n:]}" if n else digits)


def underlying_units(base: str) -> int:
    """1000 of 1000PEPE; 1 where the name says nothing (1INCH is a coin, not a multiple)."""
    match = _MULTIPLIER.match(base)
    return int(match[1]) if match else 1


def milliseconds(value: Any) -> int | None:
    """A venue's time in ms (number or text) as ns; None for "", 0 and null. Raises ValueError."""
    if value in (None, "", "0", 0):
        return None
    ns = int(value) * 1_000_000
    if not 0 <= ns <= LATEST_NS:
        raise ValueError(f"{value!r} is no time in milliseconds")
    return ns


def canonical(base: str, quote: str, *, expires_ns: int | None = None, perpetual: bool = False, strike: str = "", option_type: str = "") -> str:
    """base-quote[-suffix] of the published names. Raises ValueError where a part is missing."""
    if not base or not quote:
        raise ValueError("base or quote is missing")
    parts = [base, quote]
    if perpetual:
        parts.append(PERPETUAL)
    elif expires_ns is not None:
        parts.append(datetime.fromtimestamp(expires_ns / 1e9, UTC).strftime("%Y%m%d"))
    if strike:
        parts += [strike, option_type]
    return "-".join(parts)
