"""Binance: questions by REST that are asked against a signature
(https://developers.binance.com/docs/binance-spot-api-docs/rest-api/request-security), and lists of orders of a symbol and a span of time.

By which time such a list goes is not said, so it is asked from where the oldest order that rested was placed. A page that is full is halved.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from p9.errors import RestError
from p9.instrument import Instrument
from p9.key import Key
from p9.venue import Request

PAGE, SHORTEST_MS = 1000, 1000
MS = 1_000_000


def sign(key: Key, path: str, query: str, now_ns: int) -> tuple[tuple[tuple[str, str], ...], dict[str, str]]:
    more = (("recvWindow", "5000"), ("timestamp", str(now_ns // MS)))
    text = "&".join((*filter(None, (query,)), *(f"{name}={value}" for name, value in more)))
    return (*more, ("signature", key.sign(text).hex())), {"X-MBX-APIKEY": key.key}


def questions(asked: Request, window_ms: int) -> Callable[[Sequence[Instrument], Callable[[str], int], int], list[Request]]:
    """`asked` of each symbol, in spans of less than `window_ms`."""

    def found(instruments: Sequence[Instrument], oldest_ns: Callable[[str], int], until_ns: int) -> list[Request]:
        until = until_ns // MS
        spans = [(one.venue_symbol, since) for one in instruments for since in range(oldest_ns(one.venue_symbol) // MS, until, window_ms)]
        return [
            msgspec.structs.replace(
                asked, params=(("symbol", name), ("startTime", str(since)), ("endTime", str(min(until, since + window_ms - 1))), ("limit", str(PAGE)))
            )
            for name, since in spans
        ]

    return found


def next_pages(request: Request, answer: Any) -> list[Request]:
    """Raises RestError."""
    if not isinstance(answer, list):
        raise RestError("no list of orders", where=request.path)
    asked = dict(request.params)
    if len(answer) < PAGE or "startTime" not in asked:
        return []
    since, until = int(asked["startTime"]), int(asked["endTime"])
    if until - since < SHORTEST_MS:
        raise RestError("a page is full, however short its time", where=request.path)
    middle = (since + until) // 2
    return [
        msgspec.structs.replace(request, params=tuple((asked | {"startTime": str(start), "endTime": str(end)}).items()))
        for start, end in ((since, middle), (middle + 1, until))
    ]
