"""One listed instrument with its order flow, tape, candles and the figures that a venue derives from them."""

import zlib
from collections import deque
from decimal import Decimal

from p9.simulate.candles import Candles
from p9.simulate.catalogue import Listing
from p9.simulate.day import Day
from p9.simulate.index import Index
from p9.simulate.market import Fill, Liquidation, Market, Side
from p9.simulate.past import Past
from p9.simulate.path import Path
from p9.simulate.scale import Scale
from p9.simulate.tops import Tops

TAPE = 20_000
EIGHT_HOURS_MS = 8 * 3_600_000
INTEREST_MS = 300_000
FUNDING_HOURS = {"SOL": 4, "DOGE": 2, "1000PEPE": 1}  # elsewhere 8
COIN_PLACES = Decimal("0.00000001")


class OldBook:
    """A book as it was: what a lagging REST cache answers with."""

    def __init__(self, model: Market):
        self.last_id, self.last_ns = model.last_id, model.last_ns
        self.sides = tuple(_copy(side) for side in model.sides)


def _copy(side: Side) -> Side:
    made = Side(side.sign)
    made.ranks, made.lots, made.orders = side.ranks.copy(), side.lots.copy(), side.orders.copy()
    return made


class Instrument:
    """`streams` hear each turn as it happens: objects with `on_turns(turns)`."""

    def __init__(self, listing: Listing, index: Index, seed: str, start_ns: int, rate: float, id_steps, first_id: int):
        self.listing, self.index = listing, index
        self.symbol, self.market = listing.symbol, listing.market
        self.px, self.qty = Scale(listing.tick), Scale(listing.lot)
        self.is_spot, self.is_inverse = listing.kind == "spot", listing.kind == "inverse"
        self.lends = listing.market == "okx_spot"  # a spot market whose positions on margin can be liquidated, and are told
        numbers = sum(map(ord, listing.market + listing.symbol))
        dated = listing.expiry_ms is not None
        premium = 0.0 if self.is_spot else (0.006 if dated else 0.0001) + (numbers % 7 - 3) * 1e-5
        self.premium = premium
        self.past = Past(
            seed, index.path, start_ns // 1_000_000, tick=float(self.px.step), premium=premium, lot=listing.median_lots(), value_of=self.money,
            id_offset=numbers * 1_000_003, first_turn_id=first_id,
        )  # fmt: skip
        self.model = Market(
            seed,
            index,
            start_ns,
            tick=float(self.px.step),
            lot=listing.median_lots(),
            rate=rate,
            premium=premium,
            id_steps=id_steps,
            first_id=first_id,
            first_trade_id=self.past.next_trade_id,
            liquidations=not self.is_spot,
        )
        self.tape: deque[Fill] = deque(maxlen=TAPE)
        self.forced: deque[Liquidation] = deque(maxlen=TAPE)
        self.candles = Candles(self.past, self.money)
        self.day = Day(self.candles)
        self.streams: list = []
        self.tops: Tops | None = None  # kept where somebody may ask for them
        self.gone, self.status, self.last_day_ms = False, "", None  # as reference data have it (p9.simulate.reference)
        self.code = 10_000 + zlib.crc32(f"{listing.market} {listing.symbol}".encode()) % 900_000  # outlives a rename
        self._old_books = deque([OldBook(self.model)], maxlen=2)
        self._interest = Path(f"{seed} interest", float(listing.median_lots() * 40_000))
        self._interest_log: dict[int, int] = {}  # {five minutes: what it was when they began}
        self.open_interest_lots = self.interest_at(start_ns // 1_000_000)
        self.funding_rate = Decimal(numbers % 41 - 12).scaleb(-5)
        self.funding_interval_ms = FUNDING_HOURS.get(listing.base, 8) * 3_600_000

    def step(self, now_ns: int) -> None:
        """Play what is due, and let every stream hear it."""
        self._interest_log.setdefault(now_ns // 1_000_000 // INTEREST_MS, self.open_interest_lots)
        turns = self.model.step(now_ns)
        if not turns:
            return
        for turn in turns:
            for fill in turn.fills:
                self.tape.append(fill)
                self.candles.add(fill)
                self.open_interest_lots += fill.lots if fill.id & 1 and not turn.closes else -fill.lots
            if turn.liquidation is not None:
                self.forced.append(turn.liquidation)
        for stream in list(self.streams):
            stream.on_turns(turns)

    def note_top(self, stream: str, id: int, book: "Market | OldBook | None" = None) -> None:
        """The venue tells its book as it is now (or that one), with this id."""
        if self.tops is not None:
            self.tops.note(stream, id, (book or self.model).sides)

    def interest_at(self, ms: int) -> int:
        """The open interest in lots, as it was when the five minutes of `ms` began."""
        if ms <= self.past.start_ms:
            return round(self._interest.at(ms // INTEREST_MS * INTEREST_MS))
        slot, started = ms // INTEREST_MS, self.past.start_ms // INTEREST_MS
        while slot > started and slot not in self._interest_log:
            slot -= 1
        return self._interest_log.get(slot, self.interest_at(self.past.start_ms)) if slot > started else self.interest_at(self.past.start_ms)

    def photograph(self) -> None:
        """Keep the book as it is now, for `old_book`."""
        self._old_books.append(OldBook(self.model))

    def old_book(self) -> OldBook:
        """The book of the photograph before the newest: one or two periods old."""
        return self._old_books[0]

    def money(self, tick: int, lots: int) -> Decimal:
        """Quote amount of a trade; of an inverse contract the coin amount, to 8 decimals."""
        amount = self.qty.value(lots) * self.listing.contract_value
        if self.is_inverse:
            return (amount / self.px.value(tick)).quantize(COIN_PLACES)
        return amount * self.px.value(tick)

    def average_price(self, forced: Liquidation) -> Decimal:
        """What a forced order got in the mean: finer than the tick, as venues tell it."""
        return (Decimal(forced.worth) / forced.lots * self.px.step).quantize(self.px.step / 100)

    def coins(self, lots: int) -> Decimal:
        """A quantity in base coins, at the last price where the contract is inverse."""
        amount = self.qty.value(lots) * self.listing.contract_value
        return amount / self.px.value(self.candles.last_tick) if self.is_inverse else amount

    def index_price(self, now_ns: int) -> Decimal:
        return Decimal(f"{self.index.at(now_ns):.8f}")

    def mark_price(self, now_ns: int) -> Decimal:
        return Decimal(f"{self.model.fair(now_ns) * float(self.px.step):.8f}")

    def last_fill(self) -> Fill | None:
        return self.tape[-1] if self.tape else None

    def fills_from(self, first_id: int, limit: int) -> list[Fill]:
        """Up to `limit` fills with ids from `first_id` on, ascending."""
        found = self.past.fills(first_id, limit)
        if self.tape:
            skip = max(0, first_id - self.tape[0].id)
            found += [self.tape[i] for i in range(skip, min(len(self.tape), skip + limit - len(found)))]
        return found

    def newest_fills(self, limit: int) -> list[Fill]:
        """The newest `limit` fills, ascending."""
        found = [self.tape[i] for i in range(max(0, len(self.tape) - limit), len(self.tape))]
        return self.past.newest(limit - len(found)) + found if len(found) < limit else found

    def fills_before(self, edge: int, limit: int, by_time: bool = False) -> list[Fill]:
        """The newest `limit` fills with ids below `edge`, or with times (ms) before it, ascending."""
        found: list[Fill] = []
        for fill in reversed(self.tape):
            if len(found) == limit:
                break
            if (fill.at_ns // 1_000_000 if by_time else fill.id) < edge:
                found.append(fill)
        found.reverse()
        if len(found) < limit and len(self.tape) < TAPE:
            before = self.past.order_at(edge) if by_time else self.past.order_of(edge) + 1
            past = [fill for fill in self.past.newest(limit + 3, before) if by_time or fill.id < edge]
            found = past[len(found) - limit :] + found if past else found
        return found
