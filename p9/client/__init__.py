"""What a consumer of the bus imports: subscribe, every event once and in order, holes filled or told, books kept. Needs redis-py and msgspec only."""

from p9.client.book import Book
from p9.client.books import Books
from p9.client.event import Audit, BookTicker, Candle, Depth, Event, Gap, Integrity, OpenCandle, Origin, Other, Snapshot, Trade
from p9.client.film import SnapshotDamaged, SnapshotMissing
from p9.client.inbox import Position
from p9.client.notice import Missed, NewEpoch, Notice, Overflow, Reconnected, Unreadable
from p9.client.stored import stored_snapshot
from p9.client.subscription import Subscription, subscribe

__all__ = [
    "Audit", "Book", "BookTicker", "Books", "Candle", "Depth", "Event", "Gap", "Integrity", "Missed", "NewEpoch", "Notice", "OpenCandle", "Origin", "Other",
    "Overflow", "Position", "Reconnected", "Snapshot", "SnapshotDamaged", "SnapshotMissing", "Subscription", "Trade", "Unreadable", "stored_snapshot", "subscribe",
]  # fmt: skip
