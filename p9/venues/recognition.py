"""Which market a recorded line belongs to, where the recording does not tell it.

OKX names its product line in the instrument; Bybit's sockets do not tell theirs, but inverse names end in USD or in a delivery code; Binance's
lines differ in the shape of their depth frames, so a sample of the recording decides for all of it.
"""

import re
from collections.abc import Iterable
from typing import Protocol


class Line(Protocol):
    """A recorded frame or REST answer, and what the recording says of it."""

    raw: bytes
    market: str | None
    url: str | None


WITHOUT_BOOKS = ("binance_option", "bybit_option", "okx_option")  # as we record them: for their volatilities

_OKX_ID = re.compile(rb'"instId"\s*:\s*"([^"]+)"')
_BYBIT_TOPIC = re.compile(rb'"topic"\s*:\s*"[a-zA-Z]+\.(?:\d+\.)?([^"]+)"')
_BYBIT_INVERSE = re.compile(rb".*USD$|.*USD[HMUZ]\d\d$")
_BYBIT_OPTION = re.compile(rb".*-[CP](?:-USDT)?$")
_BINANCE = re.compile(rb'^\s*\{\s*"(?:stream|e|u)"\s*:|"e"\s*:\s*"(?:depthUpdate|aggTrade|trade|bookTicker)"|^\s*\{\s*"lastUpdateId"')
_BINANCE_SYMBOL = re.compile(rb'"s"\s*:\s*"([^"]+)"')
_BINANCE_COIN = re.compile(rb".*USD_(?:PERP|\d{6})$")


class Recognition:
    """`sample`: the first lines of what will be asked about; `otherwise` is the market of Binance's lines where it has no depth frame. A market that was
    named by hand answers for every line."""

    def __init__(self, sample: Iterable[Line], market: str | None = None, otherwise: str = "binance_spot"):
        self._named = market
        self.unnamed = otherwise
        for line in sample:
            if b'"depthUpdate"' not in line.raw or not _BINANCE.search(line.raw):
                continue
            self.unnamed = "binance_spot"
            if b'"pu"' in line.raw:
                symbol = _BINANCE_SYMBOL.search(line.raw)
                coin = symbol is not None and _BINANCE_COIN.match(symbol[1]) is not None
                self.unnamed = "binance_coinm" if coin else "binance_usdm"
                break

    def has_no_books(self, line: Line) -> bool:
        """It was recorded of a market whose books we do not take."""
        return line.market in WITHOUT_BOOKS and not self._named

    def market_of(self, line: Line) -> str | None:
        """The market's name; None for a line of none that we replay."""
        if self._named:
            return self._named
        if line.market and "_" in line.market:
            return line.market
        raw = line.raw
        if line.market in ("spot", "linear", "inverse"):
            return f"bybit_{line.market}"
        if b'"arg"' in raw[:200] or (line.url and "/api/v5/" in line.url):
            return self._okx(line)
        topic = _BYBIT_TOPIC.search(raw[:200])
        if topic:
            if _BYBIT_OPTION.match(topic[1]):
                return None
            return "bybit_inverse" if _BYBIT_INVERSE.match(topic[1]) else "bybit_linear"
        if _BINANCE.search(raw):
            return self.unnamed
        return None

    def _okx(self, line: Line) -> str | None:
        found = _OKX_ID.search(line.raw) or _OKX_ID.search((line.url or "").encode())
        if found is None:
            return None
        name = found[1]
        if name.endswith(b"-SWAP"):
            return "okx_swap"
        if re.search(rb"-\d{6}-[\d.]+-[CP]$", name):
            return "okx_option"
        return "okx_futures" if re.search(rb"-\d{6}$", name) else "okx_spot"
