"""The books of all instruments that a subscription brings."""

from p9.client.book import Book
from p9.client.event import Depth, Event, Snapshot
from p9.client.notice import Notice


class Books:
    """`book = books.take(event)` for each item of a subscription to depth:… and snapshots:… channels; None where it is about no book."""

    def __init__(self) -> None:
        self._books: dict[tuple[str, str], Book] = {}

    def take(self, item: Event | Notice) -> Book | None:
        """The book that the event belongs to, after it. Holes need not be told: a book sees them by itself."""
        if isinstance(item, Depth | Snapshot):
            book = self._books.setdefault((item.exchange, item.symbol), Book())
            book.take(item)
            return book
        return None

    def book(self, exchange: str, symbol: str) -> Book | None:
        return self._books.get((exchange, symbol))
