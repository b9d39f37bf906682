"""The outbox into Redis, confirmed: two hot connections, every answer read, what is refused dealt with by its kind."""

import asyncio
import contextlib
import random
from typing import Any

import msgspec
import structlog
from cext.outbox import Failure, Outbox
from redis.exceptions import RedisError

from p9.delivery.bus import Bus
from p9.delivery.lane import Lane
from p9.errors import BusAway, BusError

log = structlog.get_logger(__name__)

TICK_S = 0.1
RECONNECT_KINDS = {"READONLY", "MASTERDOWN", "NOAUTH", "MOVED", "ASK"}  # another server, or another greeting, is wanted
CHANNEL_KINDS = {"WRONGTYPE", "NOPERM"}  # the one key refuses: nobody else must wait for it
MAX_PAUSE_S = 1.0  # once Redis refuses for good, it is asked each second


class Confirmer(msgspec.Struct, frozen=True):
    """How hard delivery tries."""

    enabled: bool = True  # False: no retry and no spool; replies are still counted
    max_retries: int = 3  # tries of a refused batch before the circuit opens
    retry_delay_s: float = 0.5  # first pause, doubling, with full jitter
    confirm_timeout_s: float = 5.0  # a batch without an answer for so long is sent again on a new connection


class Publisher:
    """Drains one outbox. `start`, then `drain` and `stop`; in between it keeps itself alive and never raises."""

    def __init__(self, outbox: Outbox, bus: Bus, settings: Confirmer | None = None):
        self.outbox, self.bus, self.settings = outbox, bus, settings or Confirmer()
        self.lanes = (Lane(0, "urgent", outbox, bus, self), Lane(1, "bulk", outbox, bus, self))
        self.errors: dict[str, int] = {}  # refusals and losses by kind
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._settling: set[asyncio.Task[None]] = set()
        self._progress = asyncio.Event()

    async def start(self) -> None:
        """Connect in the background: what is accepted meanwhile waits."""
        self._loop = asyncio.get_running_loop()
        self.outbox.wake = self.wake
        for lane in self.lanes:
            lane.start()
        self._ticker = asyncio.create_task(self._tick(), name="delivery ticker")

    async def drain(self, deadline_s: float) -> int:
        """Wait until all is confirmed, at most so long; how many events still wait."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                while self.outbox.waiting():
                    self._progress.clear()
                    self.flush()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(TICK_S):
                            await self._progress.wait()
        return self.outbox.waiting()

    async def stop(self) -> None:
        """Close the connections. What waits is not sent any more: `drain` first."""
        self.outbox.wake = None
        if self._ticker is not None:
            self._ticker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticker
        for lane in self.lanes:
            await lane.stop()
        for task in list(self._settling):
            task.cancel()
        await asyncio.gather(*self._settling, return_exceptions=True)

    def stats(self) -> dict[str, Any]:
        """The outbox's counters, and each lane's state."""
        lanes = {lane.name: {"connected": lane.ready, "connects": lane.n_connects} for lane in self.lanes}
        return {**self.outbox.stats(), "lanes": lanes, "refusals": dict(self.errors)}

    # ---- the loop's turn

    def wake(self) -> None:
        """Called by the outbox, at most once until the next flush."""
        assert self._loop is not None
        self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """At the end of the loop's turn: one write a lane."""
        self.outbox.flushed()
        for lane in self.lanes:
            lane.flush()

    async def _tick(self) -> None:
        """What nobody answers for too long is asked again on another connection."""
        while True:
            await asyncio.sleep(TICK_S)
            now_s = asyncio.get_running_loop().time()
            for lane in self.lanes:
                if lane.sent_s is not None and now_s - lane.sent_s > self.settings.confirm_timeout_s:
                    self._count("timeout")
                    log.warning("no confirmation in time; connecting anew", lane=lane.name, waited_s=round(now_s - lane.sent_s, 3))
                    lane.abort()

    def _count(self, kind: str, n: int = 1) -> None:
        self.errors[kind] = self.errors.get(kind, 0) + n

    # ---- what lanes tell

    def on_no_connection(self, lane: Lane, error: BusAway | BusError) -> None:
        self._count("refused" if isinstance(error, BusError) else "away")

    async def on_connected(self, lane: Lane) -> bool:
        """A new connection stands; nothing was sent on it yet. False gives it up."""
        return True

    def on_lost(self, lane: Lane) -> None:
        self._count("lost")

    def on_confirmed(self, lane: Lane) -> None:
        self._progress.set()

    def on_refused(self, lane: Lane) -> None:
        """All of the lane's batch is answered and some of it is refused."""
        whole, failures = self.outbox.failures(lane.ix)
        kinds = {failure.error for failure in failures} or {whole or "OTHER"}
        for kind in kinds:
            self._count(kind, sum(failure.error == kind for failure in failures) or 1)
        doubtful = [failure for failure in failures if failure.error == "SMALLER"]
        self._set_aside({failure.channel for failure in failures if failure.error in CHANNEL_KINDS}, kinds)
        if kinds <= CHANNEL_KINDS:
            lane.flush()
        elif doubtful:
            lane.hold()
            task = asyncio.create_task(self._look_up(lane, doubtful))
            self._settling.add(task)
            task.add_done_callback(self._settling.discard)
        else:
            self._try_again(lane, kinds)

    def _try_again(self, lane: Lane, kinds: set[str]) -> None:
        lane.n_attempts += 1
        if lane.n_attempts == 1:
            log.warning("the bus refuses", lane=lane.name, kinds=sorted(kinds), said=self.outbox.last_error())
        most_s = min(MAX_PAUSE_S, self.settings.retry_delay_s * 2 ** min(lane.n_attempts - 1, 10))
        lane.rest(random.uniform(0, most_s) if lane.n_attempts <= self.settings.max_retries else MAX_PAUSE_S)
        if kinds & RECONNECT_KINDS:
            lane.abort()

    def _set_aside(self, channels: set[Any], kinds: set[str]) -> None:
        for channel in channels:
            log.error(
                "a channel is quarantined: its key refuses our commands", channel=channel.name.decode(), key=channel.key.decode(),
                kinds=sorted(kinds & CHANNEL_KINDS), said=self.outbox.last_error(),
            )
            self.outbox.quarantine(channel)

    async def _look_up(self, lane: Lane, doubtful: list[Failure]) -> None:
        """Entries refused as equal or smaller: an earlier sending stored them, or the stream is ahead of our clock."""
        try:
            async with self.bus.client.pipeline(transaction=False) as pipe:
                for failure in doubtful:
                    pipe.xrange(failure.key, failure.id, failure.id, count=1)
                found = await pipe.execute()
            ahead = set()
            for failure, entries in zip(doubtful, found, strict=True):
                age_ms = self.outbox.clock.now() // 1_000_000 - int(failure.id.partition("-")[0])
                if entries or age_ms > self.outbox.retain_ms:
                    self.outbox.was_stored(lane.ix, failure.index)  # what is older than the streams are kept was trimmed again
                else:
                    ahead.add(failure.channel)
            for channel in ahead:
                newest = (await self.bus.client.xinfo_stream(channel.key))["last-generated-id"]
                log.warning("a stream is ahead of our clock; its events get later ids", channel=channel.name.decode(), newest=newest)
                self.outbox.restamp(channel, int(newest.split(b"-")[0]))
        except (RedisError, OSError) as error:
            log.warning("entries in doubt cannot be looked up; trying again", lane=lane.name, error=str(error))
            self._try_again(lane, {"SMALLER"})
            return
        self.outbox.sweep(lane.ix)
        self._progress.set()
        lane.resume()
