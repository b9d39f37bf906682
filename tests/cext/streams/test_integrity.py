"""What is said of a book's health."""

import pytest
from cext.names import Names
from cext.streams.integrity import Integrity

from tests.cext.streams.desk import NAMES, START, Desk, S

CHANNEL = "integrity:venue:BTC-USDT"
WORDS = ("kind", "state", "previous", "reason", "expected_id", "got_id", "last_good_id", "last_good_time", "duration_ns", "count")


def said(desk):
    events = desk.published()
    assert all(event["channel"] == CHANNEL for event in events)
    return [tuple(event[word] for word in WORDS) for event in events]


def test_a_book_is_lost_and_repaired():
    desk = Desk(Integrity)
    desk.synced([["100", "1"]], [["101", "1"]], at_s=1)
    assert said(desk) == [("book_state", "synced", None, "snapshot", None, 100, None, None, None, 0)]
    desk.depth(101, 110, [["100", "2"]], at_s=2)
    assert said(desk) == []
    desk.depth(115, 116, [["100", "3"]], at_s=3)
    assert said(desk) == [("book_state", "buffering", "synced", "gap", 111, 115, 110, START + 2 * S, None, 1)]
    desk.synced([["100", "1"]], [["101", "1"]], last_id=120, at_s=5.5)
    assert said(desk) == [("book_state", "synced", "buffering", "snapshot", None, 119, 110, START + 2 * S, round(2.5 * S), 1)]
    desk.depth(121, 121, [["102", "1"]], at_s=6)
    assert said(desk) == [("book_state", "buffering", "synced", "crossed", None, 121, 120, START + round(5.5 * S), None, 2)]
    desk.pipeline.disconnected(None, START + 7 * S)
    desk.synced([["100", "1"]], [["101", "1"]], last_id=130, at_s=10)
    assert [row[8] for row in said(desk)][-1] == 4 * S, "from the loss of the valid book, not from the last change"


def test_another_finding():
    desk = Desk(Integrity)
    desk.streams[0].finding("skew", 'clock is 1.27 s "behind" \\ the venue', START)
    (event,) = desk.published()
    assert event["kind"] == "skew" and event["detail"] == 'clock is 1.27 s "behind" \\ the venue'


def test_a_long_detail_is_cut_at_a_whole_character():
    desk = Desk(Integrity)
    desk.streams[0].finding("circuit", "x" * 499 + "é" + "y" * 1000, START)
    (event,) = desk.published()
    assert event["detail"] == "x" * 499


def test_a_stream_of_no_instrument_says_so():
    with pytest.raises(ValueError, match="no instrument"):
        Integrity(Names(**NAMES)).finding("skew", "", 0)
