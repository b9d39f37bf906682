"""GET /snapshots over a real socket: the book, or what is wrong, in words and with the right status."""

import pytest
from cext.film import Reel

from p9.client.film import Projector, SnapshotDamaged, SnapshotMissing, read_record
from p9.ops.pages import Pages
from p9.ops.snapshot_page import SnapshotPage
from p9.snapshots.packing import pack
from tests.ops.test_pages import get, status
from tests.snapshots.books import Book, S, film, shoot

AT_NS = 1_786_024_985 * S


def snapshot():
    reel, projector = Reel(), Projector()
    shoot(film(reel), Book([(100_000, 5), (99_900, 70)], [(100_100, 1000)], AT_NS, update_id=5), AT_NS // S)
    projector.show(read_record(pack(reel.take()[0], 0)[0]))
    return projector.snapshot()


@pytest.fixture
async def pages():
    asked = []

    async def look_up(exchange: str, symbol: str, at_ns: int | None):
        asked.append((exchange, symbol, at_ns))
        answer = {"BTC-USDT": None, "GONE": SnapshotMissing("there is none", [(AT_NS, AT_NS + 61 * S)]), "TORN": SnapshotDamaged("a flipped bit"), "OFF": OSError(5, "I/O error")}
        problem = answer.get(symbol, SnapshotMissing(f"nothing is stored of {symbol}"))
        if problem is not None:
            raise problem
        return snapshot()

    pages = Pages(host="127.0.0.1", port=0, status=status, ready=list, book=lambda exchange, symbol, n: None, gaps=list, more=SnapshotPage(look_up).routes)
    pages.asked = asked
    await pages.start()
    yield pages
    await pages.stop()


@pytest.mark.parametrize("query, at_ns", [
    ("", None), ("?at=2026-08-06T14:03:05Z", AT_NS), ("?at=2026-08-06%2014:03:05", AT_NS), ("?at=1786024985", AT_NS), ("?at=1786024985000", AT_NS),
    ("?at=1786024985000000000", AT_NS), ("?at=2026-08-06T16:03:05%2B02:00", AT_NS),
])  # fmt: skip
async def test_a_second_in_each_form_of_time(pages, query, at_ns):
    code, text, headers = await get(pages, f"/snapshots/venue/BTC-USDT{query}")
    assert code == 200 and pages.asked == [("venue", "BTC-USDT", at_ns)] and headers["Content-Type"].startswith("application/json")
    assert '"bids":[["1000","0.005"],["999","0.07"]],"asks":[["1001","1"]]' in text and '"update_id":5' in text


async def test_as_deep_as_asked_for(pages):
    assert '"bids":[["1000","0.005"]],"asks":[["1001","1"]]' in (await get(pages, "/snapshots/venue/BTC-USDT?depth=1"))[1]


@pytest.mark.parametrize("path, code, words", [
    ("BTC-USDT?at=noon", 400, "is no time (such as"), ("BTC-USDT?at=", 400, "is no time"), ("BTC-USDT?depth=x", 400, "depth is a number"), ("BTC-USDT?depth=-1", 400, "depth is"),
    ("GONE", 404, '"spans": [{"from": "2026-08-06T14:03:05.000Z", "to": "2026-08-06T14:04:06.000Z"}]'), ("TORN", 500, "a flipped bit"), ("OFF", 503, "I/O error"),
    ("ETH-USDT", 404, "nothing is stored of ETH-USDT"), ("..%2F..%2Fetc%2Fpasswd", 404, "nothing is stored of ../../etc/passwd"), ("%00", 404, "nothing is stored"),
])  # fmt: skip
async def test_what_is_wrong_is_said(pages, path, code, words):
    answer = await get(pages, f"/snapshots/venue/{path}")
    assert answer[0] == code and words in answer[1], answer


@pytest.mark.parametrize("path", ["/snapshots/venue/../../status", "/snapshots/../books/x", "/snapshots/venue", "/snapshots/venue/BTC-USDT/more", "/snapshots/"])
async def test_a_path_of_another_form_is_no_page(pages, path):
    assert (await get(pages, path))[0] in (404, 200) and pages.asked == []
