"""Gives the first candles what they lack: trades and candles from before the first trade that we saw, out of the venue's memory.

Nothing waits for it. A little after an instrument's first trade the venue is asked for the trades since the minute's beginning, and for its own closed
minutes and hours since midnight: of these and of what is seen live every timeframe's first candle is made whole, and told again where it was published.
Two seconds that both saw must agree, else the difference is told and the trades are not used. Where the venue cannot tell the trades, its own candle of
the first minute, once that is over, takes their place; the same makes good what lost trades left incomplete.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from cext.pipeline import Pipeline
from cext.streams.candles import Candles

from cext import seeding
from p9.capture.pieces import piece_of, scaled
from p9.errors import RestError
from p9.history import CandleRow, Series, history_of, told
from p9.instrument import Instrument
from p9.market.fold import TIMEFRAMES, fold
from p9.market.rest import Priority, RestClient
from p9.market.walk import Walk
from p9.number import exact
from p9.venue import Market

S = 10**9
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
TICK_S = 1.0
ENDED = ("whole", "given_up")  # until more is lost


class SeedingSettings(msgspec.Struct, frozen=True):
    """Seconds."""

    enabled: bool = True
    settle_s: float = 6.0  # after a moment, before the venue's memory is held to have all of it
    overlap_s: int = 2  # whole seconds that both saw, and must tell alike
    tries: int = 4  # of one question
    again_s: float = 5.0
    by_trades_most: int = 20  # instruments of a market; where there are more, all begin with the venue's candles, which weigh less
    most_minutes: int = 10  # lost trades are made good so many minutes long, one try each


class _Seed(msgspec.Struct):
    """How far one instrument has come. `stage`: seconds (with the first minute's trades), minutes (the venue's candles alone), whole, given_up."""

    stream: Candles
    restarts: int
    losses: int
    stage: str
    due_ns: int
    tries: int = 0
    busy: bool = False
    source: str = ""


class Seeding:
    """Of one market. `instruments`: those captured now. `tell(ix, kind, detail, **more)` publishes a finding."""

    def __init__(
        self, market: Market, pipeline: Pipeline, client: RestClient, *, instruments: Mapping[int, Instrument], tell: Callable[..., None],
        settings: SeedingSettings | None = None, log: Callable[..., None] | None = None,
    ):  # fmt: skip
        self.market, self.pipeline, self.client = market, pipeline, client
        self.settings = settings or SeedingSettings()
        self.counts: Counter[str] = Counter()
        self._instruments, self._tell = instruments, tell
        self._log = log or (lambda *_, **__: None)
        self._seeds: dict[int, _Seed] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        history = history_of(market)
        self._trades, self._candles = history.series.get("trades"), history.series.get("candles")

    async def run(self) -> None:
        """For ever, until cancelled."""
        try:
            while self._candles is not None:
                if self.settings.enabled:
                    self._look(self.pipeline.clock.now())
                await asyncio.sleep(TICK_S)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.Event().wait()

    # ---- who lacks what

    def _look(self, now_ns: int) -> None:
        for ix in [ix for ix in self._seeds if ix not in self._instruments]:
            del self._seeds[ix]
        for ix in self._instruments:
            stream = next((stream for stream in self.pipeline.streams(ix) if isinstance(stream, Candles)), None)
            if stream is None or stream.first < 0:
                continue
            seed = self._seeds.get(ix)
            if seed is None or seed.stream is not stream or seed.restarts != stream.n_restarts:
                seed = self._seeds[ix] = self._begin(stream)
            elif seed.stage in ENDED and seed.losses != stream.n_losses:
                seed.losses, seed.tries = stream.n_losses, 0
                self._await_minute(seed, now_ns)
            if seed.stage not in ENDED and not seed.busy and now_ns >= seed.due_ns:
                seed.busy = True
                task = asyncio.create_task(self._advance(ix, seed))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def _begin(self, stream: Candles) -> _Seed:
        """The first second must be over, the overlap too, and the minute before final."""
        settle_ns = int(self.settings.settle_s * S)
        due_ns = max((stream.first + 1 + self.settings.overlap_s) * S, stream.first // MINUTE_S * MINUTE_S * S) + settle_ns
        seed = _Seed(stream, stream.n_restarts, stream.n_losses, "seconds", due_ns)
        if self._trades is None or len(self._instruments) > self.settings.by_trades_most:
            self._await_minute(seed, stream.first * S)
        return seed

    def _await_minute(self, seed: _Seed, now_ns: int) -> None:
        """The next minute that the venue closes, and that is live from its beginning on."""
        first_s = max(seed.stream.first + 1, now_ns // S)
        seed.stage, seed.due_ns = "minutes", -(-first_s // MINUTE_S) * MINUTE_S * S + int(self.settings.settle_s * S)

    # ---- asking

    async def _advance(self, ix: int, seed: _Seed) -> None:
        """One step of one instrument; what fails is tried again."""
        seed.tries += 1
        try:
            done = await (self._seconds(ix, seed) if seed.stage == "seconds" else self._minutes(ix, seed))
        except (RestError, ValueError) as error:  # ValueError: numbers that do not fit this instrument
            self.counts["failed"] += 1
            self._log("no history yet", symbol=self._symbol(ix), reason=str(error))
            done = False
            if self._trades is not None and self._trades.newest_only:
                seed.tries = max(seed.tries, self.settings.tries)  # what is forgotten does not come back
        except Exception as error:  # the instrument was removed meanwhile, or a fault of ours: asking again would not help
            seed.stage = "given_up"
            if ix in self._instruments:
                self.counts["faults"] += 1
                self._log("seeding failed", symbol=self._symbol(ix), error=repr(error))
            return
        finally:
            seed.busy = False
        now_ns = self.pipeline.clock.now()
        if done:
            seed.stage = "whole"
            self.counts["whole"] += 1
            self._tell_watermark(ix, seed)
        elif seed.stage == "seconds" and seed.tries < self.settings.tries:
            seed.due_ns = now_ns + int(self.settings.again_s * S)
        elif seed.tries < self.settings.most_minutes:
            self._await_minute(seed, now_ns)
        else:
            seed.stage = "given_up"  # the candles say what they are
            self.counts["given_up"] += 1
            self._log("candles stay incomplete", symbol=self._symbol(ix))

    def _symbol(self, ix: int) -> str:
        row = self._instruments.get(ix)
        return row.symbol if row is not None else str(ix)

    async def _rows(self, ix: int, series: Series, since_s: int, until_s: int, timeframe: str = "") -> list[Any]:
        """Rows of history in [since, until). Raises RestError where some are missing."""
        walk = Walk(
            self.client, self.market, series, self._instruments[ix], since_ns=since_s * S, until_ns=until_s * S, now_ns=self.pipeline.clock.now,
            timeframe=timeframe, priority=Priority.BACKFILL, attempts=1,
        )  # fmt: skip
        rows = [row for rows in [rows async for rows in walk.pages()] for row in rows]
        if walk.holes:
            raise RestError(f"{series.kind}: the venue left out {walk.holes[0]}", where=self.market.name)
        return rows

    async def _candles_of(self, ix: int, openings: Mapping[str, list[int]], to_s: int) -> dict[int, tuple[int, CandleRow]]:
        """{opening in s: (length in s, row)}: hours from the earliest opening on, and minutes where whole hours do not do."""
        assert self._candles is not None
        earliest = min((at for some in openings.values() for at in some), default=to_s)
        short = min((at for name, some in openings.items() for at in some if TIMEFRAMES[name] < HOUR_S), default=to_s)
        minutes_s = min(to_s - 1, short) // HOUR_S * HOUR_S
        minutes = await self._rows(ix, self._candles, max(minutes_s, earliest), to_s, "1m")
        hours = await self._rows(ix, self._candles, earliest, max(minutes_s, earliest), "1h")
        return {row.time // S: (HOUR_S, row) for row in hours} | {row.time // S: (MINUTE_S, row) for row in minutes}

    def _entries(self, ix: int, seed: _Seed, openings: Mapping[str, list[int]], found: Mapping[int, tuple[int, CandleRow]], to_s: int) -> list[tuple]:
        """(timeframe, opening, Piece or None), those that the rows cover."""
        assert self._candles is not None
        scales = seeding.scales(seed.stream)
        entries = []
        for name, some in openings.items():
            for open_s in some:
                end_s, at = min(open_s + TIMEFRAMES[name], to_s), open_s
                rows: list[tuple[int, CandleRow]] = []
                while at < end_s:
                    length, row = found.get(at, (MINUTE_S, None))
                    if row is None and not self._candles.sparse:
                        break
                    if row is not None:
                        rows.append((length, row))
                    at += length
                if at != end_s:
                    self.counts["uncovered"] += 1
                    continue
                lengths = {row.time: length for length, row in rows}
                piece = piece_of([row for _, row in rows], self._instruments[ix], scales, lengths) if rows else None
                entries.append((name, open_s, piece))
        return entries

    def _long(self, seed: _Seed) -> list[str]:
        return [name for name in seed.stream.timeframes if TIMEFRAMES[name] >= MINUTE_S]

    async def _seconds(self, ix: int, seed: _Seed) -> bool:
        """With the trades of the first minute: everything at once."""
        stream, overlap = seed.stream, self.settings.overlap_s
        first = stream.first
        opening, end = first // MINUTE_S * MINUTE_S, first + 1 + overlap
        openings = {name: [first // TIMEFRAMES[name] * TIMEFRAMES[name]] for name in self._long(seed)}
        found = await self._candles_of(ix, openings, opening)
        assert self._trades is not None
        trades = await self._rows(ix, self._trades, opening, end)
        if ix not in self._instruments or stream.first != first:
            return False
        row, scales = self._instruments[ix], seeding.scales(stream)
        trades.sort(key=lambda trade: trade.time)
        seconds = {candle.time // S: candle for candle in fold(trades, "1s", row)}
        pieces = [piece_of([seconds[at]], row, scales, 1) if at in seconds else None for at in range(opening, end)]
        if pieces[first - opening] is None or not self._agree(ix, seed, pieces[first + 1 - opening :], first + 1):
            return False
        close = found[max(found)][1].close if found else trades[0].price
        entries = self._entries(ix, seed, openings, found, opening)
        last = max(((trade.last_id, trade.time) for trade in trades if trade.time < (first + 1) * S and trade.last_id is not None), default=())
        if not seeding.seed_seconds(stream, opening, pieces[: first + 1 - opening], scaled(exact(close), scales[0]), *(last if self.market.trades_numbered else ())):
            self.counts["late"] += 1
            return False
        seed.source = "trades"
        return len(seeding.seed(stream, opening, entries)) == sum(map(len, openings.values()))

    def _agree(self, ix: int, seed: _Seed, pieces: list[Any], from_s: int) -> bool:
        """Hold the seconds that both saw against each other; a difference that stays is told."""
        for at, piece in enumerate(pieces, from_s):
            ours = seeding.second(seed.stream, at)
            if ours is None:  # trades of it are in doubt: it cannot be told
                self.counts["untold"] += 1
                return False
            theirs = (*piece[:4], piece.bought, piece.rest, piece.trades) if piece is not None else None
            same = ours[6] == 0 if theirs is None else _alike(ours, theirs, self._instruments[ix])
            if not same:
                self.counts["disagreed"] += 1
                if seed.tries >= self.settings.tries:
                    self.counts["conflicts"] += 1
                    detail = f"second {told(at * S)}: {_said(ours)} live, {_said(theirs)} in the venue's history"
                    self._tell(ix, "fusion_conflict", detail, open_time=at * S, timeframe="1s")
                return False
            self.counts["agreed"] += 1
        return True

    async def _minutes(self, ix: int, seed: _Seed) -> bool:
        """With the venue's own closed minutes."""
        stream = seed.stream
        to_s = (seed.due_ns - int(self.settings.settle_s * S)) // S
        openings = {name: [at for at in seeding.incomplete(stream, name) if at < to_s] for name in self._long(seed)}
        openings = {name: some for name, some in openings.items() if some}
        if not openings:
            return True
        found = await self._candles_of(ix, openings, to_s)
        if ix not in self._instruments:
            return False
        made = seeding.seed(stream, to_s, self._entries(ix, seed, openings, found, to_s))
        seed.source = seed.source or "candles"
        left = [name for name in self._long(seed) if any(at < to_s for at in seeding.incomplete(stream, name))]
        return bool(made) and not left

    def _tell_watermark(self, ix: int, seed: _Seed) -> None:
        known = seeding.known(seed.stream)
        since = {name: at * S for name, at in known.items()}
        detail = f"candles are whole: {', '.join(f'{name} since {told(at)}' for name, at in since.items())}"
        self._tell(ix, "watermark", detail, what="candles", source=seed.source, whole_since=since)
        self._log("candles are whole", symbol=self._symbol(ix), source=seed.source)

    def status(self) -> dict[str, Any]:
        stages = Counter(seed.stage for seed in self._seeds.values())
        watermarks = {
            self._symbol(ix): {name: at * S for name, at in seeding.known(seed.stream).items()} for ix, seed in self._seeds.items() if seed.stage == "whole"
        }
        return {"stages": dict(stages), "whole_since": watermarks, "counts": dict(self.counts)}


def _alike(ours: tuple, theirs: tuple, instrument: Instrument) -> bool:
    """To the last digit; the coins of inverse contracts, whose last of 26 digits depends on the order of adding, by the contracts alone."""
    if instrument.contract == "inverse":
        return (*ours[:4], ours[4][0], ours[5][0], ours[6]) == (*theirs[:4], theirs[4][0], theirs[5][0], theirs[6])
    return ours == theirs


def _said(second: tuple | None) -> str:
    return "no trade" if second is None or not second[6] else f"{second[6]} trades, open {second[0]}, close {second[3]}, native {second[4][0] + second[5][0]}"
