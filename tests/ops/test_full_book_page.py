"""GET /books/…?full over a real socket: the venue's whole book, or why it cannot be had and when to ask again."""

import json

import pytest

from p9.errors import AddressBanned, RateLimited, RestError, RestRefused
from p9.market.full_book import FullBook
from p9.ops.full_book_page import full_book_page
from p9.ops.pages import Pages
from tests.ops.test_pages import get, status

BOOK = FullBook(
    exchange="venue", symbol="BTC-USDT", market="venue_spot", venue_symbol="BTCUSDT", update_id=5, ts_event=None, ts_recv=7, bids=[("4", "1")], asks=[("5", "0.25")]
)  # fmt: skip
PROBLEMS = {
    "LATER": RateLimited("no room", retry_after_s=41.2), "BANNED": AddressBanned("teapot", retry_after_s=120.0), "SOME": RateLimited("slower"),
    "NONE": RestRefused("no such symbol"), "HTML": RestError("not JSON"),
}  # fmt: skip


@pytest.fixture
async def pages():
    async def fetch(exchange: str, symbol: str) -> FullBook | None:
        if symbol in PROBLEMS:
            raise PROBLEMS[symbol]
        return BOOK if (exchange, symbol) == ("venue", "BTC-USDT") else None

    pages = Pages(
        host="127.0.0.1", port=0, status=status, ready=list, gaps=list, full_book=full_book_page(fetch), book=lambda exchange, symbol, n: {"kept": n}
    )  # fmt: skip
    await pages.start()
    yield pages
    await pages.stop()


async def test_the_whole_book_and_the_kept_one_are_two_questions(pages):
    code, text, headers = await get(pages, "/books/venue/BTC-USDT?full")
    assert code == 200 and headers["Content-Type"].startswith("application/json")
    assert json.loads(text) == {
        "exchange": "venue", "symbol": "BTC-USDT", "market": "venue_spot", "venue_symbol": "BTCUSDT", "update_id": 5, "ts_event": None, "ts_recv": 7,
        "bids": [["4", "1"]], "asks": [["5", "0.25"]], "contract_value": None, "contract_unit": None,
    }  # fmt: skip
    assert json.loads((await get(pages, "/books/venue/BTC-USDT?n=3"))[1]) == {"kept": 3}


@pytest.mark.parametrize("symbol, code, retry_after", [("LATER", 429, "42"), ("BANNED", 429, "120"), ("SOME", 429, "60"), ("NONE", 502, None), ("HTML", 502, None), ("X", 404, None)])
async def test_why_it_cannot_be_had(pages, symbol, code, retry_after):
    answer = await get(pages, f"/books/venue/{symbol}?full")
    assert (answer[0], answer[2].get("Retry-After")) == (code, retry_after) and json.loads(answer[1])["error"]
