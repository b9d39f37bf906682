"""Books to store, and a store of them: the model keeps every book whole."""

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from cext.film import Film, Reel

from p9.instrument import Instrument
from p9.snapshots import library
from p9.snapshots.folder import files_of
from p9.snapshots.keeper import Keeper, KeeperSettings
from p9.snapshots.shelf import Shelf

S = 10**9
HEAD = {"v": 1, "exchange": "venue", "symbol": "BTC-USDT", "market": "venue_spot", "venue_symbol": "BTCUSDT", "epoch": 7, "interval_ms": 1000}
MOST = 2**63 - 1
INSTRUMENT = Instrument(
    exchange="venue", market="venue_spot", symbol="BTC-USDT", venue_symbol="BTCUSDT", base="BTC", quote="USDT", settle="USDT", kind="spot", tick="0.01", step="0.001"
)  # fmt: skip
Rows = list[tuple[int, int]]


class Book(NamedTuple):
    """What one snapshot says, in scaled integers; None is unknown."""

    bids: Rows
    asks: Rows
    taken_ns: int
    ts_event: int | None = None
    ts_recv: int | None = None
    depth_seq: int | None = None
    update_id: int | None = None
    valid_bid: int | None = None
    valid_ask: int | None = None
    px_scale: int = 2
    qty_scale: int = 3


def film(reel: Reel, head: dict | None = None, **settings) -> Film:
    return Film(reel, json.dumps(HEAD | (head or {})).encode(), **settings)


def shoot(film: Film, book: Book, turn: int) -> bool:
    unknown = {"ts_event": -1, "ts_recv": -1, "depth_seq": -1, "update_id": -1, "valid_bid": 0, "valid_ask": MOST}
    fields = {name: getattr(book, name) if getattr(book, name) is not None else none for name, none in unknown.items()}
    return film.shoot_rows(book.bids, book.asks, turn, taken=book.taken_ns, px_scale=book.px_scale, qty_scale=book.qty_scale, **fields)


def shown(projector) -> Book:
    """The projector's book, its decimals brought back to integers."""
    made = projector.snapshot()

    def scaled(value, scale):
        if value is None:
            return None
        number = value.scaleb(scale)
        assert number == int(number), f"{value} is finer than its scale"
        return int(number)

    px, qty = projector._px_scale, projector._qty_scale
    sides = ([(scaled(price, px), scaled(amount, qty)) for price, amount in side] for side in (made.bids, made.asks))
    return Book(
        *sides, made.taken_ns, made.ts_event, made.ts_recv, made.depth_seq, made.update_id, scaled(made.valid_bid, px), scaled(made.valid_ask, px), px, qty,
    )  # fmt: skip


def same(snapshot, book: Book) -> bool:
    def sides(rows):
        return [(Decimal(price).scaleb(-book.px_scale), Decimal(amount).scaleb(-book.qty_scale)) for price, amount in rows]

    return (snapshot.bids, snapshot.asks, snapshot.taken_ns, snapshot.update_id) == (sides(book.bids), sides(book.asks), book.taken_ns, book.update_id)


class Store:
    """A folder with the book of one instrument, and what is to be found in it: [(taken_ns, book, or None where it ended)]."""

    def __init__(self, root: Path, *, max_bytes: int = 1 << 20, key_ms: int = 5000):
        self.root, self.max_bytes, self.key_ms = root, max_bytes, key_ms
        self.told: list[tuple[int, Book | None]] = []
        self.epoch = 0
        self.start()

    def start(self) -> None:
        """A new run; the one before may have ended as it liked."""
        self.epoch += 1
        self.keeper = Keeper(
            epoch=self.epoch, settings=KeeperSettings(key_ms=self.key_ms), shelf=Shelf(self.root, epoch=self.epoch, max_bytes=self.max_bytes, keep_ms=1 << 50)
        )  # fmt: skip
        self.film = self.keeper.film_of(INSTRUMENT)
        self.alive = False

    def shoot(self, book: Book, turn: int) -> None:
        assert shoot(self.film, book, turn)
        self.told.append((book.taken_ns, book))
        self.alive = True

    def end(self, at_ns: int) -> None:
        self.film.end_word(b"gap", at_ns)
        if self.alive:
            self.told.append((at_ns, None))
        self.alive = False

    def flush(self) -> None:
        asyncio.run(self.keeper.flush())

    def expected(self, at_ns: int) -> Book | None:
        """None: nothing is known of that moment."""
        taken_ns, book = max(((taken, book) for taken, book in self.told if taken <= at_ns), key=lambda row: row[0], default=(0, None))
        return book if book is not None and at_ns - taken_ns <= 1.5 * S else None

    def found(self, at_ns: int | None):
        return library.find(self.root, "venue", "BTC-USDT", at_ns)

    def path(self, n: int = -1) -> Path:
        return files_of(self.root / "venue" / "BTC-USDT")[n].path
