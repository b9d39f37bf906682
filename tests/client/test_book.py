"""A book kept by a consumer is the true book, or none."""

from decimal import Decimal

import msgspec
from cext.streams.depth import Depth
from cext.streams.snapshots import Snapshots
from hypothesis import given, settings
from hypothesis import strategies as st

from p9.client import Books, book
from p9.client.book import Book
from p9.client.event import EventReader
from tests.cext.streams.desk import Desk


def events_of(desk):
    return [EventReader(raw["channel"]).read(msgspec.json.encode({key: raw[key] for key in raw if key != "channel"})) for raw in desk.published()]


def truth(desk):
    sides = desk.pipeline.book(desk.ix)
    return [[(Decimal(price), Decimal(quantity)) for price, quantity in sides[side]] for side in ("bids", "asks")]


class Pair:
    """A book that is published, and a follower."""

    def __init__(self):
        self.depth = None

        def snapshots(names):
            return Snapshots(names, self.depth, interval_ns=200_000_000)

        def depth(names):
            self.depth = Depth(names)
            return self.depth

        self.desk = Desk(depth, snapshots, px_scale=2, qty_scale=0, tick=1)
        self.at, self.id = 0.0, 100
        self.mirror = Book()
        self.held = []

    def synced(self):
        self.id += 10
        self.desk.synced([["98", "1"], ["97", "4"]], [["101", "1"]], last_id=self.id, at_s=self.at)

    def change(self, bids, asks):
        self.id += 1
        self.desk.depth(self.id, self.id, [[f"{px / 100}", f"{qty}"] for px, qty in dict(bids).items()],
                        [[f"{px / 100}", f"{qty}"] for px, qty in dict(asks).items()], at_s=self.at)  # fmt: skip

    def gap(self):
        self.desk.depth(self.id + 5, self.id + 5, at_s=self.at)
        self.synced()

    def later(self):
        self.at += 0.25
        self.desk.tick(self.at)

    def events(self):
        return events_of(self.desk)


LEVELS = st.lists(st.tuples(st.integers(9_000, 9_999), st.integers(0, 5)), max_size=3)
STEPS = st.lists(st.tuples(st.sampled_from(["change", "change", "change", "gap", "later"]), LEVELS, st.booleans()), max_size=30)


@settings(max_examples=150)
@given(STEPS, st.booleans())
def test_a_follower_that_loses_events_holds_the_true_book_or_says_that_it_holds_none(steps, joins_late):
    pair = Pair()
    pair.synced()
    if joins_late:
        pair.events()
    n_lost = 0
    for kind, levels, lost in steps:
        if kind == "change":
            pair.change(levels, [(px + 1001, qty) for px, qty in levels])
        else:
            getattr(pair, kind)()
        for event in pair.events():
            if lost:
                n_lost += event.type == "depth"
                continue
            pair.mirror.take(event)
            if event.type == "depth":
                n_lost = 0
        if pair.mirror.synced and not n_lost:
            assert [pair.mirror.bids(1000), pair.mirror.asks(1000)] == truth(pair.desk)
    for _ in range(2):
        pair.later()
        for event in pair.events():
            pair.mirror.take(event)
    assert pair.mirror.synced and [pair.mirror.bids(1000), pair.mirror.asks(1000)] == truth(pair.desk)


def test_a_change_that_does_not_join_by_the_venues_ids_loses_the_book():
    pair = Pair()
    pair.synced()
    image, first = pair.events()[0], None
    pair.change([(9_700, 3)], [])
    first = pair.events()[0]
    for field, value in (("first_id", first.first_id + 1), ("prev_id", image.last_id + 1), ("seq", first.seq + 1)):
        mirror = Book()
        assert mirror.take(image)
        assert not mirror.take(msgspec.structs.replace(first, **{field: value})) and mirror.reason and mirror.losses == 1
        assert mirror.bids(1) == [] == mirror.asks(1)
    mirror = Book()
    mirror.take(image)
    assert mirror.take(msgspec.structs.replace(first, prev_id=image.last_id - 3)), "the first change after an image may begin before it"
    assert not mirror.take(msgspec.structs.replace(first, seq=first.seq + 1, prev_id=image.last_id))


def test_a_new_epoch_without_an_image_is_not_trusted():
    pair = Pair()
    pair.synced()
    image = pair.events()[0]
    pair.change([(9_700, 3)], [])
    [change] = pair.events()
    mirror = Book()
    mirror.take(image)
    assert not mirror.take(msgspec.structs.replace(change, epoch=change.epoch + 1, seq=1))
    assert mirror.take(msgspec.structs.replace(image, epoch=change.epoch + 1, seq=2))


def test_what_waits_for_an_image_is_bounded():
    mirror = Book()
    pair = Pair()
    pair.synced()
    pair.events()
    pair.change([(9_700, 3)], [])
    [change] = pair.events()
    for seq in range(2 * book.MAX_BUFFERED):
        mirror.take(msgspec.structs.replace(change, seq=seq + 1))
    assert len(mirror._buffered) == book.MAX_BUFFERED


def test_books_are_told_apart_by_instrument():
    pair, books = Pair(), Books()
    pair.synced()
    for event in pair.events():
        assert books.take(event).synced
        other = msgspec.structs.replace(event, symbol="ETH-USDT")
        assert books.take(other) is not books.take(event)
    assert books.book("venue", "ETH-USDT").bids(1) == [(Decimal("98"), Decimal("1"))]
    assert books.book("venue", "XRP-USDT") is None
