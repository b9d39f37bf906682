"""One listed instrument with its order flow, tape, candles and the figures that a venue derives from them."""

from collections import deque
from decimal import Decimal

from p9.simulate.candles import Candles
from p9.simulate.catalogue import Listing
from p9.simulate.day import Day
from p9.simulate.index import Index
from p9.simulate.market import Fill, Market, Side
from p9.simulate.scale import Scale

TAPE = 20_000
EIGHT_HOURS_MS = 8 * 3_600_000
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
        numbers = sum(map(ord, listing.market + listing.symbol))
        dated = listing.expiry_ms is not None
        premium = 0.0 if self.is_spot else (0.006 if dated else 0.0001) + (numbers % 7 - 3) * 1e-5
        first_trade_id = 100_000_000 + numbers * 1_000_003
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
            first_trade_id=first_trade_id,
            liquidations=not self.is_spot,
        )
        self.tape: deque[Fill] = deque(maxlen=TAPE)
        self.candles = Candles(
            seed, start_ns // 1_000_000, self.model.best[0], listing.median_lots(), first_trade_id, self.money
        )
        self.day = Day(self.candles)
        self.streams: list = []
        self._old_books = deque([OldBook(self.model)], maxlen=2)
        self.open_interest_lots = listing.median_lots() * 40_000
        self.funding_rate = Decimal(numbers % 41 - 12).scaleb(-5)

    def step(self, now_ns: int) -> None:
        """Play what is due, and let every stream hear it."""
        turns = self.model.step(now_ns)
        if not turns:
            return
        for turn in turns:
            for fill in turn.fills:
                self.tape.append(fill)
                self.candles.add(fill)
                self.open_interest_lots += fill.lots if fill.id & 1 else -fill.lots
        for stream in list(self.streams):
            stream.on_turns(turns)

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
        if not self.tape:
            return []
        skip = max(0, first_id - self.tape[0].id)
        return [self.tape[i] for i in range(skip, min(len(self.tape), skip + limit))]

    def newest_fills(self, limit: int) -> list[Fill]:
        """The newest `limit` fills, ascending."""
        return [self.tape[i] for i in range(max(0, len(self.tape) - limit), len(self.tape))]


def next_funding_ms(now_ms: int) -> int:
    return now_ms // EIGHT_HOURS_MS * EIGHT_HOURS_MS + EIGHT_HOURS_MS
