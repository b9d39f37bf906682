"""What a venue says beside its books and trades: funding, mark and index, open interest, as typed facts of one instrument.

In a field, UNSET means that nothing was said of it (a difference, or another source's business), None that the venue says it is not known.
Prices, quantities and rates are decimal text, exact from the venue's own; times are ns since 1970 UTC.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from p9.instrument import Instrument
from p9.number import exact, instant, plain

_COIN = re.compile(r"[A-Za-z0-9._-]{1,24}")

Text = str | None | UnsetType
Whole = int | None | UnsetType


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """`at_ns`: the venue's time of it; None where it tells none."""

    venue_symbol: str
    at_ns: int | None = None


class MarkPrice(Fact, frozen=True, kw_only=True):
    mark: Text = UNSET
    index: Text = UNSET


class Funding(Fact, frozen=True, kw_only=True):
    """`rate` settles at `next_ns`, if nothing changes until then; `last_rate` was the last to settle."""

    rate: Text = UNSET
    predicted_rate: Text = UNSET  # of the settlement after the next one
    last_rate: Text = UNSET
    next_ns: Whole = UNSET
    interval_s: Whole = UNSET
    cap: Text = UNSET
    floor: Text = UNSET


class OpenInterest(Fact, frozen=True, kw_only=True):
    """One side of it: each contract counted once. `contracts` in the venue's unit of quantity; the others only where the venue tells them."""

    contracts: Text = UNSET
    base: Text = UNSET
    quote: Text = UNSET
    usd: Text = UNSET


class InsurancePool(msgspec.Struct, frozen=True, kw_only=True):
    """One pool of a venue's insurance fund: `balance` of `asset` that stands for the losses of `symbols`. `name` outlives changes of who is in it.

    `at_ns`: the venue's time of the balance; a shared pool's may be a day old.
    """

    name: str
    asset: str
    balance: str
    symbols: tuple[str, ...] = ()
    at_ns: int | None = None


class Maintenance(msgspec.Struct, frozen=True, kw_only=True):
    """Work on a venue's system. `data`: market data may suffer from it. `id` is the venue's, or made of what does not change."""

    id: str
    title: str
    state: Literal["scheduled", "ongoing", "completed", "canceled", "unknown"]
    data: bool
    begins_ns: int | None = None
    ends_ns: int | None = None
    planned: bool | None = None
    at_ns: int | None = None


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Trading hours of contracts on what has hours: `underlying` is the venue's word for their kind."""

    underlying: str
    kind: str
    begins_ns: int
    ends_ns: int


class Tier(msgspec.Struct, frozen=True, kw_only=True):
    """Up to `most` (in `unit`) a position has these margins. Rates are fractions."""

    most: str
    unit: str
    initial_margin: str | None
    maintenance_margin: str | None
    most_leverage: str | None


class Risk(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue says in public about the risk of a contract. UNSET: of another answer."""

    venue_symbol: str
    tiers: tuple[Tier, ...] | UnsetType = UNSET
    adl_risk: Text = UNSET
    highest_bid: Text = UNSET
    lowest_ask: Text = UNSET
    fee_group: Text = UNSET
    at_ns: int | None = None


class Relisted(msgspec.Struct, frozen=True):
    """The venue says that the reference data of an instrument changed: they are to be read again."""

    venue_symbol: str


class Adl(Fact, frozen=True, kw_only=True):
    """Whether a venue deleverages. `state`: normal, warning, adl; UNSET: as it was before. `risk`: low, medium, high. `holds_s`: the venue repeats it
    while it holds; not repeated for so long, it is over. `balance`, `balance_threshold` in coins of the `pool`."""

    state: Text = UNSET
    reason: Text = UNSET
    risk: Text = UNSET
    balance: Text = UNSET
    pnl_ratio: Text = UNSET
    trigger_ratio: Text = UNSET
    stop_ratio: Text = UNSET
    balance_threshold: Text = UNSET
    pool: Text = UNSET
    holds_s: float = 0.0


class Block(Fact, frozen=True, kw_only=True):
    """A negotiated trade, in the venue's own units."""

    id: str
    price: str
    quantity: str
    side: str  # buy or sell: the taker's


class Roster:
    """The instruments of a market that are captured: whom an answer may be about."""

    def __init__(self, instruments: Iterable[Instrument]):
        self.by_symbol: dict[str, Instrument] = {}
        self.by_index: dict[str, list[Instrument]] = {}
        self.change(instruments)

    def change(self, instruments: Iterable[Instrument]) -> list[Instrument]:
        """They are these from now on; who was there and is no more."""
        before, self.by_symbol = self.by_symbol, {row.venue_symbol: row for row in instruments}
        self.by_index = {}
        for row in self.by_symbol.values():
            if row.index:
                self.by_index.setdefault(row.index, []).append(row)
        return [row for name, row in before.items() if name not in self.by_symbol]

    def __iter__(self) -> Iterator[Instrument]:
        return iter(self.by_symbol.values())

    def __len__(self) -> int:
        return len(self.by_symbol)


class Reading:
    """What one answer or frame said: a reader adds to `facts`, and takes every value through here.

    What cannot be used is counted in `bad` by what is wrong with it, with an example for the log, and is None: unknown, never a wrong value.
    """

    def __init__(self, roster: Roster):
        self.roster = roster
        self.facts: list[Any] = []
        self.bad: Counter[str] = Counter()
        self.examples: dict[str, str] = {}

    def reject(self, reason: str, example: Any = "") -> None:
        self.bad[reason] += 1
        self.examples.setdefault(reason, f"{example!r:.160}")

    def rows(self, rows: Any) -> Iterator[dict[str, Any]]:
        """The objects of a list."""
        if not isinstance(rows, list):
            self.reject("no_list", rows)
            return
        for row in rows:
            if isinstance(row, dict):
                yield row
            else:
                self.reject("no_object", row)

    def instrument(self, row: dict[str, Any], key: str) -> Instrument | None:
        """Whom a row is about; None for one that is not captured, or a row that does not tell."""
        name = row.get(key)
        if not isinstance(name, str) or not name:
            self.reject("no_symbol", row)
            return None
        return self.roster.by_symbol.get(name)

    def number(self, row: dict[str, Any], key: str, *, positive: bool = False, negative: bool = False) -> Text:
        """A decimal; "" and null are None, a missing key is UNSET. `positive`: zero stands for "none". `negative`: it may be below zero."""
        if key not in row:
            return UNSET
        value = row[key]
        if value is None or value == "":
            return None
        try:
            found = exact(value)
        except ValueError:
            self.reject("no_number", f"{key}: {value!r:.80}")
            return None
        if found < 0 and not negative:
            self.reject("negative", f"{key}: {value!r:.80}")
            return None
        if positive and not found:
            self.reject("placeholder_zero", key)
            return None
        return plain(found)

    def price(self, row: dict[str, Any], key: str) -> Text:
        return self.number(row, key, positive=True)

    def rate(self, row: dict[str, Any], key: str) -> Text:
        return self.number(row, key, negative=True)

    def time(self, row: dict[str, Any], key: str) -> Whole:
        """A time; "", "0", 0 and null are None, a missing key is UNSET."""
        if key not in row:
            return UNSET
        value = row[key]
        if value in (None, "", "0", 0):
            return None
        try:
            return instant(value)
        except ValueError:
            self.reject("no_time", f"{key}: {value!r:.80}")
            return None

    def at(self, row: dict[str, Any], key: str) -> int | None:
        """The time of a fact: None where there is none."""
        found = self.time(row, key)
        return None if found is UNSET else found

    def texts(self, row: dict[str, Any], key: str) -> tuple[str, ...]:
        """A list of names."""
        value = row.get(key)
        if isinstance(value, list) and all(isinstance(name, str) for name in value):
            return tuple(value)
        self.reject("no_list", value)
        return ()

    def pool(self, row: dict[str, Any], *, asset: str, balance: str, at: str, name: str, symbols: tuple[str, ...]) -> None:
        """An insurance pool, by the keys of its row; without an asset or a balance it is none."""
        coin, amount = row.get(asset), self.rate(row, balance)
        if not isinstance(coin, str) or not _COIN.fullmatch(coin):
            self.reject("no_asset", coin)
        elif not isinstance(amount, str):
            self.reject("no_balance", row.get(balance))
        else:
            self.facts.append(InsurancePool(name=name, asset=coin, balance=amount, symbols=symbols, at_ns=self.at(row, at)))

    def span(self, row: dict[str, Any], key: str, unit_s: int) -> Whole:
        """A whole number of units as seconds; "", "0", 0 and null are None, a missing key is UNSET."""
        if key not in row:
            return UNSET
        value = row[key]
        if value in (None, "", "0", 0):
            return None
        try:
            number = exact(value)
        except ValueError:
            number = -1
        if number <= 0 or number != int(number) or number * unit_s > 366 * 86400:
            self.reject("no_span", f"{key}: {value!r:.80}")
            return None
        return int(number) * unit_s
