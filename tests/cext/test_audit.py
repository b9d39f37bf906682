"""A book rebuilt beside the live one, on frames by hand."""

import json

import pytest
from cext.audit import Audit
from cext.streams.integrity import Integrity

from tests.cext.pipelines import add, pipeline_for
from tests.cext.streams.desk import START, Desk, S


def image(last_id: int, bids: list, asks: list) -> bytes:
    return json.dumps({"lastUpdateId": last_id, "bids": bids, "asks": asks}).encode()


@pytest.fixture
def desk() -> Desk:
    made = Desk(Integrity)
    made.synced([["100", "1"], ["99", "2"]], [["101", "1"], ["102", "5"]], last_id=100)
    return made


def test_an_image_from_the_midst_of_the_stream_comes_to_the_same_book(desk):
    audit = Audit(desk.pipeline, desk.ix)
    desk.depth(101, 103, [["100", "3"]])
    desk.depth(104, 106, [["99", "0"], ["98", "7"]], [["101", "0"]])
    compared = audit.compare(image(104, [["100", "3"], ["99", "0.5"]], [["101", "1"], ["102", "5"]]))
    assert (compared.verdict, compared.levels, compared.id) == ("equal", 3, 106), "99 was changed by 105: what the frame says is what counts"


def test_pain_04_a_phantom_level_is_found_and_named(desk):
    audit = Audit(desk.pipeline, desk.ix)
    desk.depth(101, 103, [["99.5", "4"]])  # which the venue does not have
    desk.depth(104, 104, [["100", "3"]])
    compared = audit.compare(image(103, [["100", "1"], ["99", "2"]], [["101", "1"], ["102", "5"]]))
    assert compared.verdict == "different" and compared.detail == "1 bid levels differ; at 99.5 we have 4, the venue 0"
    desk.pipeline.invalidate(desk.ix, "disagrees", START + S)
    assert desk.published("integrity:venue:BTC-USDT")[-1]["reason"] == "disagrees"


def test_a_level_that_was_in_the_window_between_two_frames_is_no_difference():
    """OKX's stream is a window of 400 levels: an image made between two frames had a 400th that the frames never told. One audit in eight found it false."""
    pipeline = pipeline_for("okx_swap", ())
    ix = add(pipeline, "BTC-USDT-SWAP", depth=2)

    def books(action: str, before: int, id: int, bids: list) -> bytes:
        data = {"asks": [["101", "1", "0", "1"], ["102", "1", "0", "1"]] if before < 0 else [], "bids": [[*level, "0", "1"] for level in bids]}
        data |= {"ts": "1", "checksum": 0, "seqId": id, "prevSeqId": before}
        return json.dumps({"arg": {"channel": "books", "instId": "BTC-USDT-SWAP"}, "action": action, "data": [data]}).encode()

    pipeline.feed_bytes(books("snapshot", -1, 10, [["100", "1"], ["99", "1"]]), START)
    audit = Audit(pipeline, ix)
    pipeline.feed_bytes(books("update", 10, 14, [["100.5", "1"], ["99", "0"]]), START)
    body = {"asks": [["101", "1", "0", "1"], ["102", "1", "0", "1"]], "bids": [["100", "1", "0", "1"], ["99.5", "1", "0", "1"]], "ts": "1", "seqId": 12}
    compared = audit.compare(json.dumps({"code": "0", "msg": "", "data": [body]}).encode())
    assert (compared.verdict, compared.levels) == ("equal", 4), compared
    body["bids"][0][1] = "3"
    compared = audit.compare(json.dumps({"code": "0", "msg": "", "data": [body]}).encode())
    assert compared.verdict == "different" and "at 100 we have 1, the venue 3" in compared.detail, "within the window every level counts"


def test_an_image_that_is_newer_than_the_stream_waits_for_it(desk):
    audit = Audit(desk.pipeline, desk.ix)
    newer = image(103, [["100", "3"], ["99", "2"]], [["101", "1"], ["102", "5"]])
    assert audit.compare(newer).verdict == "ahead"
    desk.depth(101, 105, [["100", "3"], ["97", "1"]])
    assert audit.compare(newer).verdict == "equal"


def test_what_cannot_be_told_is_never_called_a_difference(desk):
    audit = Audit(desk.pipeline, desk.ix)
    desk.depth(101, 103, [["100", "3"]])
    desk.depth(104, 105, [["100", "4"]])
    assert audit.compare(image(50, [["1", "1"]], [["2", "1"]])).verdict == "too_old"
    assert audit.compare(b"<html>busy</html>").verdict == "malformed"
    assert audit.compare(image(103, [["102", "1"]], [["101", "1"]])).verdict == "crossed"
    desk.depth(109, 110, [["100", "9"]])  # a gap
    assert audit.compare(image(105, [["100", "4"]], [["101", "1"]])).verdict == "changed"
    with pytest.raises(ValueError, match="audited already"):
        Audit(desk.pipeline, desk.ix)
    audit.close()
    audit.close()
    Audit(desk.pipeline, desk.ix).close()
    with pytest.raises(ValueError, match="closed"):
        audit.compare(b"")


def test_only_what_both_claim_to_know_is_compared(desk):
    """A truncated image says nothing about what lies beyond its last level."""
    deep = Desk(Integrity)
    levels = 1000
    bids, asks = [[str(5000 - n), "1"] for n in range(levels + 5)], [[str(5001 + n), "1"] for n in range(levels + 5)]
    deep.image(99, bids[:levels], asks[:levels])
    deep.depth(100, 100, bids[levels:], asks[levels:])
    audit = Audit(deep.pipeline, deep.ix)
    deep.depth(101, 101, [["5000", "2"]])
    compared = audit.compare(image(101, [["5000", "2"], *bids[1:levels]], asks[:levels]))
    assert (compared.verdict, compared.levels) == ("equal", 2 * levels)
