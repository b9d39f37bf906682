"""GET /books/{exchange}/{symbol}?full: the deepest book that the venue gives, fetched now, or why it cannot be had."""

import math
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from p9.errors import RateLimited, RestError
from p9.market.full_book import FullBook

RETRY_S = 60.0  # where nobody says when


def full_book_page(fetch: Callable[[str, str], Awaitable[FullBook | None]]) -> Callable[[web.Request], Awaitable[web.Response]]:
    """`fetch(exchange, symbol)` asks the venue; None: the instrument is not captured."""

    async def show(request: web.Request) -> web.Response:
        try:
            book = await fetch(request.match_info["exchange"], request.match_info["symbol"])
        except RateLimited as error:  # the venue's ban of our address is one too
            seconds = math.ceil(error.retry_after_s or RETRY_S)
            return web.json_response({"error": str(error), "retry_after_s": seconds}, status=429, headers={"Retry-After": str(seconds)})
        except RestError as error:
            return web.json_response({"error": str(error)}, status=502)
        if book is None:
            return web.json_response({"error": "no such instrument is captured here"}, status=404)
        return web.Response(body=msgspec.json.encode(book), content_type="application/json")

    return show
