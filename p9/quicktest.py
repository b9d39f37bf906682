"""--quick-test: the whole pipeline for a while, then a table of checks with figures.

On simulated venues every book, candle and trade is held against the simulator's truth, and faults are planted on the way; on live venues against
what the venues themselves tell. Ends with one line of JSON; the exit code is 0 only if every check passed.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import ujson
from cext.outbox import bucket_bounds_s
from redis.asyncio import Redis

from p9.app import Appliance
from p9.config import Config, parse
from p9.delivery.publisher import Left
from p9.errors import ConfigError, P9Error
from p9.ops.memory import resident_bytes
from p9.simulate.process import SimulatorProcess

READY_S = 5.0  # to the first moment when every book is synced, on simulated venues
LIVE_READY_S = 60.0
REPAIR_S = 5.0  # after the last planted fault
SETTLE_S = 1.5
DETECT_MS = 1.0  # from the frame that shows a gap to its event, the median
CANDLES = ("1s", "1m")


class Check(msgspec.Struct, frozen=True):
    """One line of the table."""

    name: str
    passed: bool
    figure: str


class BusWatcher:
    """A consumer like any other: hears every channel, and counts what is wrong with what it hears."""

    def __init__(self, url: str):
        self._client = Redis.from_url(url)
        self.events: Counter[str] = Counter()  # by type
        self.channels: dict[str, set[str]] = {}
        self.holes = self.repeats = self.unreadable = 0
        self.examples: list[str] = []
        self._seq: dict[str, tuple[int, int]] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        pubsub = self._client.pubsub()
        await pubsub.psubscribe("*")
        self._task = asyncio.create_task(self._listen(pubsub))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._client.aclose()

    async def _listen(self, pubsub: Any) -> None:
        async for message in pubsub.listen():
            if message["type"] == "pmessage":
                self._hear(message["channel"].decode(), message["data"])

    def _hear(self, channel: str, payload: bytes) -> None:
        try:
            event = ujson.loads(payload)
            kind, epoch, seq = event["type"], event["epoch"], event["seq"]
        except (ValueError, KeyError, TypeError):
            self.unreadable += 1
            self.examples.append(f"{channel}: {payload[:80]!r}")
            return
        self.events[kind] += 1
        self.channels.setdefault(kind, set()).add(channel)
        known = self._seq.get(channel)
        if known is not None and known[0] == epoch:
            if seq <= known[1]:
                self.repeats += 1
                return
            if seq != known[1] + 1:
                self.holes += 1
                self.examples.append(f"{channel}: {known[1]} then {seq}")
        self._seq[channel] = (epoch, seq)


class QuickTest:
    """`simulator` is None on live venues. `stop` ends it early, and then it has failed."""

    def __init__(self, config: Config, path: Path | None, simulator: SimulatorProcess | None, seconds: float, stop: asyncio.Event, *,
                 record_to: Path | None = None):  # fmt: skip
        # its own free port, and its own state: an appliance that already runs on this machine is not disturbed
        config = msgspec.structs.replace(config, http=msgspec.structs.replace(config.http, port=0))
        self.simulator, self.seconds, self.stop = simulator, seconds, stop
        self.checks: list[Check] = []
        self.appliance = Appliance(config, config_path=path, endpoints=simulator.endpoints if simulator else None, record_to=record_to)
        self._began_s = time.monotonic()
        self._loop_lag_s = 0.0
        self._planted: dict[str, int] = {}
        self._gaps: dict[str, Any] = {}
        self._rss_start_mb = 0.0

    def _note(self, name: str, passed: bool, figure: object) -> None:
        self.checks.append(Check(name, bool(passed), str(figure)))

    async def run(self) -> int:
        """The exit code."""
        self._check_bad_configuration()
        await self.appliance.start()
        assert self.appliance.redis is not None
        watcher = BusWatcher(self.appliance.redis.url)
        lag = asyncio.create_task(self._watch_lag())
        try:
            await watcher.start()
            await self._until_ready()
            self._rss_start_mb = _rss_mb()
            await self._capture()
            await self._check_truth()
            await self._check_delivery(watcher)
            self._check_speed()
        except P9Error as error:
            self._note("no error", False, error)
        finally:
            lag.cancel()
            await watcher.stop()
            left = await self.appliance.stop()
        self._note("stopped with nothing left behind", left == Left(), f"{left.spooled} events in the spool, {left.unsent} unsent, {left.lost} lost")
        return self._report(watcher)

    # ---- the run

    async def _until_ready(self) -> None:
        most_s = READY_S if self.simulator else LIVE_READY_S
        while self.appliance.not_ready() and time.monotonic() - self._began_s < most_s and not self.stop.is_set():
            await asyncio.sleep(0.02)
        missing = self.appliance.not_ready()
        ready_s = time.monotonic() - self._began_s
        self._note("every book synced", not missing, "; ".join(missing) or f"{ready_s:.2f} s after the start")

    async def _capture(self) -> None:
        """Let it run; plant the faults in the first two thirds, then leave it in peace."""
        first_s = time.monotonic()
        faults = self._faults() if self.simulator else []
        ends_s = first_s + max(self.seconds - (time.monotonic() - self._began_s) - SETTLE_S, 3.0)
        gap_s = (ends_s - REPAIR_S - first_s) * 0.9 / max(len(faults), 1) if faults else 1.0
        gap_s = max(gap_s, 0.3)
        next_fault_s = first_s + min(1.0, gap_s)
        while (now_s := time.monotonic()) < ends_s or faults:
            if self.stop.is_set():
                self._note("ran its time", False, f"stopped after {now_s - self._began_s:.0f} s")
                return
            if faults and now_s >= next_fault_s:
                name, plant = faults.pop(0)
                await plant()
                self._planted[name] = self._planted.get(name, 0) + 1
                next_fault_s += gap_s
                if not faults:
                    ends_s = max(ends_s, time.monotonic() + REPAIR_S)
            self._progress(ends_s)
            await asyncio.sleep(min(0.25, gap_s))
        sys.stderr.write("\r\x1b[2K" if sys.stderr.isatty() else "")

    def _faults(self) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
        assert self.simulator is not None
        simulator = self.simulator

        def frame(market: str, fault: str) -> Callable[[], Awaitable[None]]:
            async def plant() -> None:
                # a fault on a book that is being repaired would be one gap with the one before
                deadline_s = time.monotonic() + REPAIR_S
                while not self.appliance.captures[market].synced and time.monotonic() < deadline_s:
                    await asyncio.sleep(0.02)
                await simulator.post("/oracle/fault", {"fault": fault, "market": market, "kind": "book", "count": 1})

            return plant

        faults: list[tuple[str, Callable[[], Awaitable[None]]]] = []
        markets = list(self.appliance.captures)
        for name, fault in (("dropped depth frame", "drop"), ("malformed depth frame", "malformed")):
            faults += [(name, frame(market, fault)) for market in markets]
        faults.append(("repeated depth frame", frame(markets[0], "duplicate")))
        folding = [name for name, capture in self.appliance.captures.items() if any(form.folds_ms for form in capture.forms)]
        faults.append(("disconnected socket", frame((folding or markets)[-1], "disconnect")))  # whose candles are not compared anyway
        faults.append(("Redis connections cut", self._cut_redis))
        return faults

    async def _cut_redis(self) -> None:
        assert self.appliance.publisher is not None
        await self.appliance.publisher.bus.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    def _progress(self, ends_s: float) -> None:
        if not sys.stderr.isatty():
            return
        status = self.appliance.status()
        frames = sum(row["frames"]["received"] for row in status["markets"].values())
        left_s = max(ends_s - time.monotonic(), 0.0)
        sys.stderr.write(f"\r\x1b[2Kquick test: {left_s:4.0f} s to go · {frames:,} frames · {sum(self._planted.values())} faults planted")
        sys.stderr.flush()

    async def _watch_lag(self) -> None:
        """The longest time that the loop was not ours."""
        loop = asyncio.get_running_loop()
        while True:
            before_s = loop.time()
            await asyncio.sleep(0.005)
            self._loop_lag_s = max(self._loop_lag_s, loop.time() - before_s - 0.005)

    # ---- the checks

    def _check_bad_configuration(self) -> None:
        try:
            parse("redis: {urll: x}")
            self._note("a mistake in the configuration is named", False, "it was taken")
        except ConfigError as error:
            self._note("a mistake in the configuration is named", "redis.urll" in str(error) and "'url'" in str(error), error)

    async def _check_truth(self) -> None:
        status = self.appliance.status()
        markets = status["markets"]
        frames = {name: row["frames"]["received"] for name, row in markets.items()}
        self._note("every market speaks", min(frames.values()) > 0, f"{sum(frames.values()):,} frames, fewest {min(frames.values()):,}")
        counters: Counter[str] = Counter()
        for row in markets.values():
            counters.update(row["counters"])
        self._note(
            "best bid/ask agrees with the book at equal ids", counters["touches_compared"] == counters["touches_agreed"] > 0,
            f"{counters['touches_agreed']:,} of {counters['touches_compared']:,}",
        )  # fmt: skip
        unreadable = sum(row["frames"]["outcomes"].get(kind, 0) for row in markets.values() for kind in ("unknown_topic", "unknown_symbol", "overflow"))
        self._note("every frame is known", unreadable == 0, f"{unreadable} strange ones")
        await self._check_gaps(counters["gaps"])
        self._check_history(markets)
        if self.simulator is None:
            missing = self.appliance.not_ready()
            self._note("every book synced at the end", not missing, "; ".join(missing) or "all")
            return
        await self.simulator.post("/oracle/freeze")
        await asyncio.sleep(SETTLE_S)
        missing = self.appliance.not_ready()
        self._note("every book synced at the end", not missing, "; ".join(missing) or "all")
        await self._check_books()
        await self._check_candles()

    def _check_history(self, markets: dict[str, Any]) -> None:
        """The first candles, as far as the time was enough: where a venue has forgotten the trades, its own first minute must be over."""
        counts: Counter[str] = Counter()
        whole = 0
        for row in markets.values():
            counts.update(row["seeding"].get("counts", {}))
            whole += row["seeding"].get("stages", {}).get("whole", 0)
        n = len(self.appliance.status()["instruments"])
        figure = f"of {whole} of {n} instruments; {counts['agreed']} seconds that both saw agree, {counts['conflicts']} do not"
        self._note("first candles are whole, from history", counts["conflicts"] == 0 and (whole > 0 or self.seconds < 20), figure)

    async def _check_gaps(self, found: int) -> None:
        """How soon a loss was told after the frame that showed it, and how soon its book was back, as a consumer reads it in the streams."""
        detected_ms, repaired_ms = await self._losses()
        self._gaps = {"gaps": found, "detection_ms": _spread(detected_ms), "repair_ms": _spread(repaired_ms)}
        if not self._planted:
            self._note("gaps are repaired", not self.appliance.not_ready(), f"{found} gaps; repaired after {_told(repaired_ms)}")
            return
        planted = sum(n for name, n in self._planted.items() if name.split()[0] in ("dropped", "malformed"))
        self._note("every planted gap is found", found >= planted, f"{found} gaps, {planted} planted: {dict(self._planted)}")
        soon = bool(detected_ms) and _spread(detected_ms)["p50"] < DETECT_MS
        self._note("the frame after a gap shows it", soon, f"told after {_told(detected_ms)}")
        back = bool(repaired_ms) and repaired_ms[-1] < REPAIR_S * 1000
        self._note("and repaired", back, f"after {_told(repaired_ms)}")

    async def _losses(self) -> tuple[list[float], list[float]]:
        """(frame to event, event to valid book) of each valid book that was lost, sorted, in ms."""
        assert self.appliance.publisher is not None and self.appliance.outbox is not None
        detected_ms, repaired_ms = [], []
        client = self.appliance.publisher.bus.client
        async for key in client.scan_iter("stream:{integrity:*}", count=1000):
            lost_ns = None
            for _, fields in await client.xrange(key):
                event = ujson.loads(fields[b"e"])
                if event["epoch"] != self.appliance.outbox.epoch or event["kind"] != "book_state":
                    continue
                if event["state"] == "synced":
                    if lost_ns is not None:
                        repaired_ms.append((event["ts_pub"] - lost_ns) / 1e6)
                    lost_ns = None
                elif event["previous"] == "synced":
                    lost_ns = event["ts_pub"]
                    if event["reason"] != "disconnect":  # which no frame tells
                        detected_ms.append((lost_ns - event["ts_recv"]) / 1e6)
        return sorted(detected_ms), sorted(repaired_ms)

    async def _check_books(self) -> None:
        """Level by level, as far as each book claims to know."""
        assert self.simulator is not None
        n_books = n_levels = 0
        wrong: list[str] = []
        for name, capture in self.appliance.captures.items():
            for ix, row in capture.instruments.items():
                truth = await self.simulator.get(f"/oracle/{name}/{row.venue_symbol}")
                book = capture.pipeline.book(ix)
                n_books += 1
                for side in ("bids", "asks"):
                    ours = [(Decimal(px), Decimal(qty)) for px, qty in book[side]]
                    theirs = [(Decimal(level[0]), Decimal(level[1])) for level in truth[side]]
                    edge = book["valid_bid" if side == "bids" else "valid_ask"]
                    if edge is not None:
                        theirs = [level for level in theirs if (level[0] >= Decimal(edge) if side == "bids" else level[0] <= Decimal(edge))]
                    elif not capture.market.sequence.rest_seeded:
                        theirs = theirs[: capture.depth]
                    n_levels += len(theirs)
                    if ours != theirs:
                        different = sum(a != b for a, b in zip(ours, theirs, strict=False)) + abs(len(ours) - len(theirs))
                        wrong.append(f"{name} {row.symbol} {side}: {different} of {len(theirs)} levels differ")
        self._note("every book is the true book", not wrong and n_books > 0, "; ".join(wrong[:3]) or f"{n_books} books, {n_levels:,} levels")

    async def _check_candles(self) -> None:
        """Closed candles in the streams against the simulator's klines, which it computes apart.

        Left out: markets that send trades folded over 100 ms: such a row may straddle the end of a candle, and no consumer of it can tell.
        """
        assert self.simulator is not None and self.appliance.publisher is not None
        client = self.appliance.publisher.bus.client
        folded = {name for name, capture in self.appliance.captures.items() if any(form.folds_ms for form in capture.forms)}
        lost = folded
        n = 0
        wrong: list[str] = []
        for name, capture in self.appliance.captures.items():
            if name in lost:
                continue
            for row in capture.instruments.values():
                for timeframe in CANDLES:
                    key = f"stream:{{candles:{row.exchange}:{row.symbol}:{timeframe}}}"
                    rows = [ujson.loads(fields[b"e"]) for _, fields in await client.xrange(key)]
                    ours = {candle["open_time"] // 1_000_000: candle for candle in rows}  # the last revision of each counts
                    whole = [at_ms for at_ms, candle in ours.items() if not _partial(candle)]
                    if not whole:
                        continue
                    first_ms = min(whole)
                    bars = await self.simulator.get(f"/oracle/{name}/{row.venue_symbol}/klines?interval={timeframe}&start={first_ms}")
                    for bar in bars:
                        candle = ours.get(bar["open_ms"])
                        if candle is None or not bar["closed"] or _partial(candle):
                            continue
                        n += 1
                        unlike = [
                            key for key, theirs in _same_fields(row.contract)
                            if candle[key] is not None and Decimal(candle[key]) != Decimal(str(bar[theirs]))  # null: the venue's history does not tell
                        ]  # fmt: skip
                        if unlike:
                            wrong.append(f"{name} {row.symbol} {timeframe} at {bar['open_ms']}: {unlike[0]} {candle[unlike[0]]}")
        self._note("every candle is the venue's kline", not wrong and n > 0, "; ".join(wrong[:3]) or f"{n:,} closed candles; left out: {', '.join(sorted(lost)) or 'none'}")

    async def _check_delivery(self, watcher: BusWatcher) -> None:
        assert self.appliance.publisher is not None
        deadline_s = time.monotonic() + 3.0
        while self.appliance.publisher.outbox.waiting() and time.monotonic() < deadline_s:
            await asyncio.sleep(0.05)
        stats = self.appliance.publisher.stats()
        classes = stats["classes"]
        sums = {
            name: row["accepted"] - row["confirmed"] - row["conflated"] - row["shed"] - row["quarantined"] - row["waiting"]
            for name, row in classes.items()
        }
        accepted = sum(row["accepted"] for row in classes.values())
        self._note("every accepted event has one end", not any(sums.values()), f"{accepted:,} events" if not any(sums.values()) else sums)
        lost = sum(classes[name][end] for name in ("CRITICAL", "HIGH", "MEDIUM") for end in ("shed", "quarantined"))
        confirmed = sum(row["confirmed"] for row in classes.values())
        self._note("nothing shed", lost == 0, f"{confirmed:,} confirmed, errors {stats['errors'] or 'none'}")
        await asyncio.sleep(0.3)
        wanted = {"book_ticker", "depth", "trades", "candles", "candles_open", "cvd", "flow", "snapshots", "integrity"}
        silent = sorted(wanted - set(watcher.events))
        self._note("every channel is alive", not silent, f"silent: {silent}" if silent else ", ".join(f"{k} {v:,}" for k, v in sorted(watcher.events.items())))
        # while the connections were cut a subscriber may miss PUBLISHes of LOW and MEDIUM: they are confirmed on the next connection, not repeated
        bad = watcher.unreadable + (0 if self._planted else watcher.holes)
        self._note("a consumer can read all of it", bad == 0, watcher.examples[:2] if bad else f"{sum(watcher.events.values()):,} heard, {watcher.repeats} repeats dropped")
        holes = await self._stream_holes()
        self._note("no hole in any stream", not holes, "; ".join(holes[:3]) or "CRITICAL and HIGH")

    async def _stream_holes(self) -> list[str]:
        """Each stream's sequence, as a consumer that missed something would read it."""
        assert self.appliance.publisher is not None and self.appliance.outbox is not None
        client = self.appliance.publisher.bus.client
        holes = []
        async for key in client.scan_iter("stream:{*}", count=1000):
            expected = None
            for _, fields in await client.xrange(key):
                event = ujson.loads(fields[b"e"])
                if event["epoch"] != self.appliance.outbox.epoch:
                    continue
                if expected is not None and event["seq"] != expected:
                    holes.append(f"{key.decode()}: {expected} missing")
                    break
                expected = event["seq"] + 1
        return holes

    def _check_speed(self) -> None:
        assert self.appliance.publisher is not None
        classes = self.appliance.publisher.stats()["classes"]
        bounds_s = bucket_bounds_s()
        ages = [sum(column) for column in zip(*(classes[name]["age_s"] for name in ("CRITICAL", "HIGH")), strict=True)]
        p50, p99 = (_quantile_ms(ages, bounds_s, q) for q in (0.5, 0.99))
        self._note("frame to confirmation, CRITICAL and HIGH", p50 is not None and p50 < 100, f"p50 {p50} ms, p99 {p99} ms")
        self._note("the loop breathes", self._loop_lag_s < 0.5, f"longest pause {self._loop_lag_s * 1000:.1f} ms")
        self._note("memory", _rss_mb() < 512, f"{_rss_mb():.0f} MB, {self._rss_start_mb:.0f} MB at the start")

    # ---- the end

    def _report(self, watcher: BusWatcher) -> int:
        failed = [check for check in self.checks if not check.passed]
        width = max(len(check.name) for check in self.checks)
        for check in self.checks:
            print(f"{'PASS' if check.passed else 'FAIL'}  {check.name:{width}}  {check.figure}")
        redis = self.appliance.redis
        print(json.dumps({
            "ok": not failed, "passed": len(self.checks) - len(failed), "failed": [check.name for check in failed],
            "seconds": round(time.monotonic() - self._began_s, 1), "simulated": self.simulator is not None, "redis": redis.kind if redis else None,
            "ready_s": round(self.appliance.ready_s, 3) if self.appliance.ready_s else None, "rss_start_mb": round(self._rss_start_mb, 1),
            "rss_mb": round(_rss_mb(), 1), "heard": sum(watcher.events.values()), "loop_lag_ms": round(self._loop_lag_s * 1000, 1),
            "planted": self._planted, **self._gaps, "checks": {check.name: check.figure for check in self.checks},
        }))  # fmt: skip
        return 1 if failed else 0


def _partial(candle: dict[str, Any]) -> bool:
    return not candle["complete"] or "maybe_bad" in candle.get("flags", ())


def _same_fields(contract: str) -> list[tuple[str, str]]:
    """(ours, the simulator's), by the unit that the venue counts in."""
    fields = [("open", "open"), ("high", "high"), ("low", "low"), ("close", "close")]
    if contract == "base":
        fields += [("volume", "volume"), ("buy_volume", "buy_volume"), ("quote_volume", "value"), ("buy_quote_volume", "buy_value")]
    return fields


def _quantile_ms(buckets: list[int], bounds_s: list[float], q: float) -> float | None:
    total, seen = sum(buckets), 0
    for n, bound_s in zip(buckets, bounds_s, strict=True):
        seen += n
        if total and seen >= q * total:
            return round(bound_s * 1000, 3)
    return None


def _spread(values: list[float]) -> dict[str, Any]:
    """Of sorted values."""
    at = {"p50": 0.5, "p99": 0.99, "worst": 1.0}
    return {"n": len(values), **{name: round(values[min(len(values) - 1, int(q * len(values)))], 3) for name, q in at.items() if values}}


def _told(values_ms: list[float]) -> str:
    row = _spread(values_ms)
    return f"median {row['p50']} ms, p99 {row['p99']} ms, worst {row['worst']} ms" if values_ms else "none"


def _rss_mb() -> float:
    return resident_bytes() / 1e6
