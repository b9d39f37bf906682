"""Trades that were negotiated apart from the book, as each venue marks them. They move no price, and are in no candle.

POST /oracle/block {"market", "symbol", "side": "sell", "quantity": "58.38"} makes one, at the last price; GET /oracle/blocks tells all of them.
"""

import time
import uuid
from decimal import Decimal
from typing import NamedTuple

import ujson
from aiohttp import web

from p9.simulate.instrument import Instrument


class Block(NamedTuple):
    """`heard`: it was sent to somebody."""

    number: int
    one: Instrument
    is_buy: bool
    tick: int
    lots: int
    at_ns: int
    heard: bool

    @property
    def id(self) -> str:
        """As the venue writes it, with numbers of its own."""
        if self.one.market.startswith("binance"):
            return str(500 + self.number)
        if self.one.market.startswith("bybit") and not self.one.is_spot:
            return str(uuid.uuid5(uuid.NAMESPACE_OID, f"block {self.number}"))
        return str(439_121_886_014_849_024 + self.number)

    def truth(self) -> dict:
        one = self.one
        return {
            "id": self.id, "market": one.market, "symbol": one.symbol, "side": "buy" if self.is_buy else "sell", "price": one.px.trim(self.tick),
            "quantity": one.qty.trim(self.lots), "at_ms": self.at_ns // 1_000_000, "heard": self.heard,
        }  # fmt: skip


class Blocks:
    """A stream of an instrument that tells them has `on_block(block)`."""

    def __init__(self, instruments: dict[tuple[str, str], Instrument]):
        self.made: list[Block] = []
        self._instruments = instruments

    def make(self, one: Instrument, *, is_buy: bool, lots: int) -> Block:
        """Raises ValueError for what nobody trades."""
        if lots <= 0:
            raise ValueError("the quantity is above 0")
        streams = [stream for stream in one.streams if hasattr(stream, "on_block")]
        block = Block(len(self.made) + 1, one, is_buy, one.candles.last_tick, lots, time.time_ns(), bool(streams))
        self.made.append(block)
        for stream in streams:
            stream.on_block(block)
        return block

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_post("/oracle/block", self._make)
        router.add_get("/oracle/blocks", self._report)

    async def _make(self, request: web.Request) -> web.Response:
        try:
            asked = ujson.loads(await request.text())
            one = self._instruments[asked["market"], asked["symbol"]]
            lots = round(Decimal(str(asked["quantity"])) / one.qty.step)
            block = self.make(one, is_buy={"buy": True, "sell": False}[asked.get("side", "sell")], lots=lots)
        except (ValueError, KeyError, TypeError, ArithmeticError) as error:
            raise web.HTTPBadRequest(text=f"cannot be made: {error!r}\n") from error
        return web.json_response(block.truth())

    async def _report(self, request: web.Request) -> web.Response:
        return web.json_response([block.truth() for block in self.made])
