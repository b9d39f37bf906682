"""Depth changes: who follows them holds the book."""

from decimal import Decimal

from cext.streams.depth import Depth
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cext.streams.desk import MS, START, Desk

CHANNEL = "depth:venue:BTC-USDT"


class Mirror:
    """A consumer: the book that the published events make."""

    def __init__(self):
        self.sides = {"bids": {}, "asks": {}}
        self.seq = 0

    def take(self, event):
        assert event["seq"] == self.seq + 1, "a hole"
        self.seq = event["seq"]
        if "snapshot" in event.get("flags", []):
            self.sides = {"bids": {}, "asks": {}}
        for name, side in self.sides.items():
            for price, quantity in event[name]:
                if Decimal(quantity) == 0:
                    side.pop(Decimal(price), None)
                else:
                    side[Decimal(price)] = Decimal(quantity)

    def book(self):
        return {"bids": sorted(self.sides["bids"].items(), reverse=True), "asks": sorted(self.sides["asks"].items())}


def truth(desk):
    book = desk.pipeline.book(desk.ix)
    return {side: [(Decimal(price), Decimal(quantity)) for price, quantity in book[side]] for side in ("bids", "asks")}


def test_the_first_event_is_the_image_and_the_next_ones_are_frames():
    desk = Desk(Depth)
    desk.synced([["100.5", "1"], ["99", "2.50"]], [["101", "3"]], last_id=100, at_s=1)
    (image,) = desk.published()
    assert image["flags"] == ["snapshot"] and image["channel"] == CHANNEL
    assert (image["first_id"], image["last_id"], image["prev_id"]) == (100, 100, None)
    assert image["bids"] == [["100.5", "1"], ["99", "2.5"]] and image["asks"] == [["101", "3"]]
    desk.depth(101, 105, [["99", "0"]], [["101.5", "7"], ["101", "2"]], at_s=2)
    (event,) = desk.published()
    assert (event["first_id"], event["last_id"], event["prev_id"]) == (101, 105, None)
    assert event["bids"] == [["99", "0"]] and event["asks"] == [["101.5", "7"], ["101", "2"]]
    assert "flags" not in event and "contract_value" not in event
    assert event["ts_event"] == START + 2000 * MS


def test_nothing_comes_from_a_book_that_is_not_valid():
    desk = Desk(Depth)
    desk.depth(1, 2, [["100", "1"]])
    assert desk.published() == []
    desk.synced([["100", "1"]], [["101", "1"]])
    desk.published()
    desk.depth(102, 103, [["100", "9"]])  # 101 is missing
    desk.depth(104, 104, [["100", "8"]])
    assert desk.published() == []
    desk.synced([["100", "7"]], [["101", "1"]], last_id=105)
    image, change = desk.published()
    assert image["flags"] == ["snapshot"] and image["bids"] == [["100", "7"]] and "flags" not in change


def test_contracts_say_what_they_are_worth():
    desk = Desk(Depth, contract="inverse", contract_value="100")
    desk.synced([["100.5", "1"]], [["101", "3"]])
    (image,) = desk.published()
    assert (image["contract_value"], image["contract_unit"]) == ("100", "quote")


def test_a_queue_that_overflowed_goes_on_with_an_image():
    desk, mirror = Desk(Depth, queue_items=5), Mirror()
    desk.synced([["98", "1"]], [["101", "1"]])
    for i in range(20):
        desk.depth(101 + i, 101 + i, [[f"{90 + i % 9}", f"{i}"]])
        if i == 2:
            for event in desk.published():
                mirror.take(event)
    assert desk.published() == []
    desk.depth(121, 121, [["97", "5"]])
    (image,) = desk.published()
    mirror.take(image)
    assert image["flags"] == ["snapshot"] and image["seq"] == 5 and image["last_id"] == 121
    assert image["conflated"] == 18, "seventeen changes were dropped"
    assert mirror.book() == truth(desk)


def test_a_quiet_book_that_owes_an_image_gives_it_with_the_timer():
    desk = Desk(Depth, queue_items=5)
    desk.synced([["98", "1"]], [["101", "1"]])
    for i in range(20):
        desk.depth(101 + i, 101 + i, [["98", f"{i}"]])
    assert desk.published() == []
    desk.tick(0.05)
    (image,) = desk.published()
    assert image["flags"] == ["snapshot"] and image["bids"] == [["98", "19"]]


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["change", "change", "change", "gap", "finer"]),
            st.lists(st.tuples(st.integers(9_000, 9_999), st.integers(0, 5)), max_size=4),
            st.lists(st.tuples(st.integers(10_000, 11_000), st.integers(0, 5)), max_size=4),
        ),
        max_size=25,
    )
)
def test_a_follower_holds_the_book_through_gaps_and_rescales(steps):
    desk = Desk(Depth, px_scale=2, qty_scale=0, tick=1)
    mirror = Mirror()
    desk.synced([["98", "1"]], [["101", "1"]])
    at = 100
    for kind, bids, asks in steps:
        if kind == "gap":
            desk.depth(at + 2, at + 2)
            at += 5
            desk.synced([["98", "2"]], [["101", "2"]], last_id=at)
            continue
        at += 1
        more = ".125" if kind == "finer" else ""
        desk.depth(at, at, [[f"{px / 100}", f"{qty}{more}"] for px, qty in dict(bids).items()],
                   [[f"{px / 100}", f"{qty}{more}"] for px, qty in dict(asks).items()])  # fmt: skip
    for event in desk.published():
        mirror.take(event)
    assert mirror.book() == truth(desk)
