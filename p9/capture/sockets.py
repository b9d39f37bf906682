"""The sockets of one market, and which instrument is on which: spread evenly, route by route. A lost socket costs few books, and none carries more
than it may."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from p9.capture.feed import Feed
from p9.instrument import Instrument
from p9.venue import Market, Topic, TopicForm, topic


class Sockets:
    """`make_feed(name, route, {index: topics})`. `feed_of` and `trades_of` say which feed carries a book or the trades, `topic_of` the book's topic."""

    def __init__(self, market: Market, forms: Sequence[TopicForm], make_feed: Callable[[str, str, Mapping[int, Sequence[Topic]]], Feed]):
        self.market, self.forms = market, forms
        self.feeds: list[Feed] = []
        self.feed_of: dict[int, Feed] = {}
        self.trades_of: dict[int, Feed] = {}
        self.topic_of: dict[int, Topic] = {}
        self._make_feed = make_feed
        self._n_made = 0

    def spread(self, instruments: Mapping[int, Instrument]) -> None:
        """Feeds for all of `instruments`, at the start."""
        for route, forms in self._routes().items():
            for share in spread(self.market, forms, instruments):
                self._open(route, {ix: self._topics(forms, instruments[ix]) for ix in share})

    def add(self, ix: int, row: Instrument) -> list[Feed]:
        """One more instrument, on the emptiest sockets; those that had to be made for it."""
        made = []
        for route, forms in self._routes().items():
            topics = self._topics(forms, row)
            most = instruments_per_socket(self.market, sum(len(one.name) for one in topics))
            feed = min((feed for feed in self.feeds if feed.route == route), key=lambda feed: len(feed.topics), default=None)
            if feed is None or len(feed.topics) >= most:
                made.append(self._open(route, {ix: topics}))
            else:
                feed.add(ix, topics)
                self._note(feed, ix, topics)
        return made

    def remove(self, ix: int) -> list[Feed]:
        """One instrument less; the feeds that have nothing left to carry."""
        empty = []
        for feed in [feed for feed in self.feeds if ix in feed.topics]:
            if len(feed.topics) == 1:
                self.feeds.remove(feed)
                empty.append(feed)
            else:
                feed.remove(ix)
        for places in (self.feed_of, self.trades_of, self.topic_of):
            places.pop(ix, None)
        return empty

    def topics(self, ix: int) -> list[tuple[Topic, Feed]]:
        """What is subscribed for an instrument, and where."""
        return [(one, feed) for feed in self.feeds for one in feed.topics.get(ix, ())]

    def _routes(self) -> dict[str, list[TopicForm]]:
        return {route: [form for form in self.forms if form.route == route] for route in dict.fromkeys(form.route for form in self.forms)}

    def _topics(self, forms: Iterable[TopicForm], row: Instrument) -> list[Topic]:
        return [topic(form, row.venue_symbol) for form in forms]

    def _open(self, route: str, topics: dict[int, list[Topic]]) -> Feed:
        feed = self._make_feed(f"{self.market.name} {route} {self._n_made}", route, topics)
        self._n_made += 1
        self.feeds.append(feed)
        for ix, rows in topics.items():
            self._note(feed, ix, rows)
        return feed

    def _note(self, feed: Feed, ix: int, topics: Iterable[Topic]) -> None:
        for one in topics:
            if one.kind == "depth":
                self.feed_of[ix], self.topic_of[ix] = feed, one
            elif one.kind == "trades":
                self.trades_of[ix] = feed


def instruments_per_socket(market: Market, chars: int) -> int:
    """How many instruments with so many characters of topic names one socket takes."""
    return max(1, min(market.limits.instruments_per_socket, market.limits.socket_chars // chars))


def spread(market: Market, forms: Iterable[TopicForm], instruments: Mapping[int, Instrument]) -> list[list[int]]:
    """Indices by socket: as few sockets as the limits allow, evenly filled, neighbours apart (the busy ones stand first in most lists)."""
    forms = list(forms)
    if not instruments:
        return []
    longest = max(sum(len(topic(form, row.venue_symbol).name) for form in forms) for row in instruments.values())
    n_sockets = -(-len(instruments) // instruments_per_socket(market, longest))
    return [list(instruments)[n::n_sockets] for n in range(n_sockets)]
