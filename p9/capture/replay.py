"""A recording through the very same road as live frames: pipeline, streams, outbox, Redis; only the clock is set by hand.

What a recording does not say is found out on the way: an instrument that no reference data described is added at its first frame, with scales
from the numbers in it (the pipeline makes them finer where a later number needs it).
"""

import asyncio
import re
import time
from collections.abc import Callable, Iterable
from typing import Any

from cext.pipeline import Pipeline

from cext import decimal
from p9.capture.recording import Recorded, asked_symbol

_NUMBER = rb'"(\d+(?:\.\d+)?)"'
_LEVEL = re.compile(rb"\[\s*" + _NUMBER + rb"\s*,\s*" + _NUMBER)
_FIELD = re.compile(rb'"(?:p|px|price)"\s*:\s*' + _NUMBER)
_AMOUNT = re.compile(rb'"(?:q|sz|v|qty)"\s*:\s*' + _NUMBER)
SPARE_DECIMALS = 2  # finer than any number seen: a tick that halves does not rescale
TICK_NS = 50_000_000


def scales_of(frame: bytes) -> tuple[int, int, int]:
    """(price scale, quantity scale, scaled tick) from the decimals of a frame's own numbers."""
    levels = _LEVEL.findall(frame)
    prices = [p for p, _ in levels] or _FIELD.findall(frame)
    amounts = [q for _, q in levels] or _AMOUNT.findall(frame)
    px = max((decimal.places(text) or 0 for text in prices), default=4)
    qty = max((decimal.places(text) or 0 for text in amounts), default=4)
    whole = max((len(text.split(b".")[0]) for text in amounts), default=1)
    qty_scale = max(qty, min(qty + SPARE_DECIMALS, 17 - whole))
    return min(px + SPARE_DECIMALS, 16), min(qty_scale, 16), 10**SPARE_DECIMALS


class Replay:
    """Feeds recorded lines to one pipeline a market.

    `pipeline_of(market)` makes a market's pipeline, `market_of(recorded, known)` names the market of a line that does not tell it (None: skip),
    `add(pipeline, venue_symbol, px_scale, qty_scale, tick)` adds an instrument that the recording names. `settle()` is awaited now and then, so that
    what was published can leave; `look(ns)` is called after each tick of the timer, every 50 ms of the recording's time but in silences longer than a
    second; `clock` is the manual clock of all of them.
    """

    def __init__(
        self,
        *,
        clock: Any,
        pipeline_of: Callable[[str], Pipeline],
        market_of: Callable[[Recorded], str | None],
        add: Callable[[Pipeline, bytes, int, int, int], int],
        settle: Callable[[], Any] | None = None,
        look: Callable[[int], None] | None = None,
        speed: float | None = None,
    ):
        self.clock, self.pipeline_of, self.market_of, self.add = clock, pipeline_of, market_of, add
        self.settle, self.look, self.speed = settle, look, speed
        self.pipelines: dict[str, Pipeline] = {}
        self.indices: dict[str, dict[bytes, int]] = {}
        self.lines = self.skipped = self.images = 0
        self.image_outcomes: dict[str, int] = {}

    async def run(self, recorded: Iterable[Recorded]) -> None:
        """Feed all of it. `speed` 1.0 keeps the recording's own pace, None goes as fast as it can."""
        next_tick_ns = 0
        started_ns = wall_s = 0.0
        for line in recorded:
            self.lines += 1
            if self.speed is not None:
                if not wall_s:
                    started_ns, wall_s = line.recv_ns, time.monotonic()
                ahead_s = (line.recv_ns - started_ns) / 1e9 / self.speed - (time.monotonic() - wall_s)
                if ahead_s > 0:
                    await asyncio.sleep(ahead_s)
            if line.recv_ns >= next_tick_ns:
                if next_tick_ns:
                    self._tick(next_tick_ns, line.recv_ns)
                next_tick_ns = (line.recv_ns // TICK_NS + 1) * TICK_NS
                if self.settle is not None:
                    await self.settle()
            self.clock.set(max(line.recv_ns, self.clock.now()))
            self._feed(line)

    def _tick(self, first_ns: int, last_ns: int) -> None:
        """What the timer would have done between two lines (after a long silence: only its last second)."""
        for at_ns in range(max(first_ns, (last_ns // TICK_NS) * TICK_NS - 1_000_000_000), last_ns + 1, TICK_NS):
            self.clock.set(max(at_ns, self.clock.now()))
            for pipeline in self.pipelines.values():
                pipeline.on_timer(at_ns)
            if self.look is not None:
                self.look(at_ns)

    def _feed(self, line: Recorded) -> None:
        market = self.market_of(line)
        if market is None:
            self.skipped += 1
            return
        if market not in self.pipelines:
            self.pipelines[market] = self.pipeline_of(market)
            self.indices[market] = {}
        pipeline = self.pipelines[market]
        if line.rest:
            self._image(market, pipeline, line)
            return
        # a frame with several unknown symbols names them one after the other
        while pipeline.feed_bytes(line.raw, line.recv_ns) == "unknown_symbol":
            name = pipeline.unknown_symbol()
            if name is None or name in self.indices[market]:
                return
            self._add(market, pipeline, name, line.raw)

    def _add(self, market: str, pipeline: Pipeline, name: bytes, frame: bytes) -> int:
        ix = self.add(pipeline, name, *scales_of(frame))
        self.indices[market][name] = ix
        return ix

    def _image(self, market: str, pipeline: Pipeline, line: Recorded) -> None:
        known = self.indices[market]
        asked = asked_symbol(line.url) if line.url else None
        if asked is None:
            named = re.search(rb'"(?:symbol|s)"\s*:\s*"([^"]+)"', line.raw)
            asked = named[1].decode() if named else None
        if asked is not None:
            ix = known.get(asked.encode())
            if ix is None:
                ix = self._add(market, pipeline, asked.encode(), line.raw)
        elif len(known) == 1:
            ix = next(iter(known.values()))
        else:
            self.skipped += 1
            return
        self.images += 1
        # a recorder may write images all the time; a book that follows its stream is newer
        outcome = "not needed" if pipeline.states()[ix] == "synced" else pipeline.image(ix, line.raw, line.recv_ns)
        self.image_outcomes[outcome] = self.image_outcomes.get(outcome, 0) + 1

    def books(self) -> dict[str, dict[str, Any]]:
        """{market: {venue symbol: book and counters}} as `--books-out` writes it."""
        out: dict[str, dict[str, Any]] = {}
        for market, pipeline in self.pipelines.items():
            for name, ix in self.indices[market].items():
                book, n = pipeline.book(ix), pipeline.instrument_counters(ix)
                out.setdefault(market, {})[name.decode()] = {
                    "state": book["state"],
                    "frames": n["depth_frames"] + n["images"],
                    "events_applied": n["applied"],
                    "events_dropped": n["stale"],
                    "images": n["images"],
                    "gaps": n["gaps"],
                    "crossed": n["crossed"],
                    "last_id": book["id"] if book["id"] >= 0 else None,
                    "bid_levels": len(book["bids"]),
                    "ask_levels": len(book["asks"]),
                    "checksums": n["checksums"],
                    "checksums_matched": n["checksums_matched"],
                    "final_checksum": pipeline.checksum(ix),
                    "bbo_frames": n["touches"],
                    "bbo_compared": n["touches_compared"],
                    "bbo_agreed": n["touches_agreed"],
                    "trades": n["trades"],
                    "bids": book["bids"],
                    "asks": book["asks"],
                }
        return out
