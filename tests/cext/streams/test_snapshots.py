"""Full books once a second, and how a consumer joins them to the changes."""

import pytest
from cext.streams.depth import Depth
from cext.streams.snapshots import Snapshots

from tests.cext.streams.desk import START, Desk, S
from tests.cext.streams.test_depth import Mirror, truth

CHANNEL = "snapshots:venue:BTC-USDT"




def both(**settings):
    """Depth, and Snapshots of its channel."""
    made = []

    def depth(called):
        made.append(Depth(called))
        return made[0]

    return depth, lambda called: Snapshots(called, made[0], **settings)


def test_a_snapshot_word_by_word():
    desk = Desk(*both())
    desk.synced([["100.5", "1"], ["99", "2"]], [["101", "3"]])
    desk.depth(101, 103, [["100", "4"]])
    desk.tick(1.0)
    event = desk.published(CHANNEL)[-1]
    assert (event["depth_epoch"], event["depth_seq"], event["update_id"]) == (7, 2, 103)
    assert event["bids"] == [["100.5", "1"], ["100", "4"], ["99", "2"]] and event["asks"] == [["101", "3"]]
    assert event["valid_bid"] is None and event["valid_ask"] is None


def test_once_a_second_and_only_while_the_book_is_valid():
    desk = Desk(*both())
    desk.tick(1.0)
    assert desk.published() == []
    desk.synced([["100", "1"]], [["101", "1"]], at_s=1)
    times = []
    for tick in range(21, 101):
        desk.tick(tick / 20)
        times += [tick / 20 for _ in desk.published(CHANNEL)]
    assert times == [1.05, 2, 3, 4, 5], "at once, then with the second"
    desk.depth(150, 150)
    desk.tick(8.0)
    assert desk.published(CHANNEL) == []


def test_instruments_share_the_second_out():
    desk = Desk(*both(), others=5)
    desk.synced([["100", "1"]], [["101", "1"]])
    desk.tick(0.05)
    desk.published()
    times = []
    for tick in range(2, 61):
        desk.tick(tick / 20)
        times += [tick / 20 for _ in desk.published(CHANNEL)]
    assert times == [0.75, 1.75, 2.75], "a quarter of a second before the first one's turn"


def test_an_announced_image_outlives_the_book_that_gave_it():
    desk = Desk(*both())
    desk.synced([["100", "1"]], [["101", "1"]])
    desk.tick(1.0)
    desk.depth(101, 101, [["100.5", "9"]])
    desk.depth(150, 150, [["100", "5"]])  # a gap
    event = desk.published(CHANNEL)[-1]
    assert event["bids"] == [["100", "1"]] and event["depth_seq"] == 1 and event["update_id"] == 100


def test_levels_are_cut_at_the_depth_and_the_window_is_said():
    desk = Desk(*both(depth=2), px_scale=2)
    bids = [[f"{1000 - i}", "1"] for i in range(1000)]
    asks = [[f"{1001 + i}", "1"] for i in range(1000)]
    desk.synced(bids, asks)
    desk.tick(1.0)
    event = desk.published(CHANNEL)[-1]
    assert event["bids"] == [["1000", "1"], ["999", "1"]] and event["asks"] == [["1001", "1"], ["1002", "1"]]
    assert (event["valid_bid"], event["valid_ask"]) == ("1", "2000"), "an image of 1000 levels says nothing of what lies beyond"


def test_a_consumer_joins_a_snapshot_and_the_changes_after_it():
    desk = Desk(*both())
    desk.synced([["100", "1"]], [["101", "1"]])
    for i in range(60):
        desk.depth(101 + i, 101 + i, [[f"{90 + i % 10}", f"{i % 4}"]], [[f"{101 + i % 7}", f"{i % 3 + 1}"]], at_s=i / 20)
        desk.tick(i / 20)
    events = desk.published()
    snapshot = [event for event in events if event["channel"] == CHANNEL][-1]
    mirror = Mirror()
    mirror.take(snapshot | {"seq": 1, "flags": ["snapshot"]})
    mirror.seq = snapshot["depth_seq"]
    for event in events:
        if event["channel"].startswith("depth:") and event["seq"] > mirror.seq:
            mirror.take(event)
    assert mirror.book() == truth(desk)


def test_a_snapshot_does_not_count_on_numbers_that_were_taken_back():
    desk = Desk(*both(), queue_items=5)
    desk.synced([["98", "1"]], [["101", "1"]])
    for i in range(4):
        desk.depth(101 + i, 101 + i, [["98", f"{i + 1}"]])
    desk.tick(0.05)  # announces an image at depth 5
    desk.depth(105, 105, [["98", "9"]])  # the sixth in the queue: its numbers are taken back to 0
    (snapshot,) = desk.published(CHANNEL)
    assert snapshot["depth_seq"] == 0 and snapshot["update_id"] == 104
    desk.tick(0.1)
    renewed, image = desk.published()
    assert (image["channel"], image["seq"], image["flags"]) == ("depth:venue:BTC-USDT", 1, ["snapshot"])
    assert (renewed["channel"], renewed["depth_seq"], renewed["bids"]) == (CHANNEL, 1, [["98", "9"]]), "at once, not with the next second"


def test_a_rescale_after_the_announcement_changes_no_number():
    desk = Desk(*both(), px_scale=2, qty_scale=2)
    desk.synced([["100.25", "1.5"]], [["101", "1"]])
    desk.tick(1.0)
    desk.depth(101, 101, [["99.123456", "1"]])
    event = desk.published(CHANNEL)[-1]
    assert event["bids"] == [["100.25", "1.5"]]


def test_without_a_depth_stream_there_is_no_place():
    desk = Desk(lambda called: Snapshots(called, interval_ns=S // 2))
    desk.synced([["100", "1"]], [["101", "1"]])
    desk.tick(0.5)
    event = desk.published(CHANNEL)[-1]
    assert event["depth_epoch"] is None and event["depth_seq"] is None
    assert event["ts_recv"] == START


@pytest.mark.parametrize("bad", [{"depth": 0}, {"depth": 1001}, {"interval_ns": 0}])
def test_settings_out_of_bounds_are_refused(bad):
    with pytest.raises(ValueError):
        Desk(*both(**bad))


def test_the_depth_stream_must_come_first():
    with pytest.raises(ValueError, match="depth stream must stand before"):
        Desk(lambda called: Snapshots(called, Depth(called)))
