"""The outbox into Redis, confirmed: two hot connections, every answer read, what is refused dealt with by its kind."""

import asyncio
import contextlib
import random
from typing import Any

import msgspec
import structlog
from cext.outbox import Failure, Outbox
from redis.exceptions import RedisError, ResponseError

from p9.delivery.bus import Bus
from p9.delivery.circuit import CLOSED, OPEN, Circuit
from p9.delivery.lane import Lane
from p9.delivery.spool import Spool, Tell
from p9.errors import BusAway, BusError

log = structlog.get_logger(__name__)

TICK_S = 0.1
RECONNECT_KINDS = {"READONLY", "MASTERDOWN", "NOAUTH", "MOVED", "ASK", "UNBLOCKED"}  # another server, or another greeting, is wanted
CHANNEL_KINDS = {"WRONGTYPE", "NOPERM"}  # the one key refuses: nobody else must wait for it
MAX_PAUSE_S = 10.0  # between two tries
RELEASE_S = 30.0  # a quarantined channel is tried again each
KEYS_AT_ONCE = 500  # asked of Redis in one pipeline
URGENT = 0  # the lane of CRITICAL and HIGH


class Confirmer(msgspec.Struct, frozen=True):
    """How hard delivery tries."""

    enabled: bool = True  # False: no retry and no spool; replies are still counted
    max_retries: int = 3  # tries of a refused batch before the circuit opens
    retry_delay_s: float = 0.5  # first pause, doubling, with full jitter
    confirm_timeout_s: float = 5.0  # a batch without an answer for so long is sent again on a new connection
    replay_tail: bool = True  # send again what a Redis that came back has forgotten


class Left(msgspec.Struct, frozen=True):
    """Events that a stop left behind."""

    spooled: int = 0  # CRITICAL and HIGH, on disk: the next start delivers them
    where: str = ""  # the folder
    unsent: int = 0  # MEDIUM and LOW, which the next start says anew
    lost: int = 0  # CRITICAL and HIGH that no disk took

    @property
    def exit_code(self) -> int:
        """0: all is delivered; 4: the rest is on disk; 5: it is lost."""
        return 5 if self.lost else 4 if self.spooled else 0


class Publisher:
    """Drains one outbox. `start`, then `drain` and `stop`; in between it keeps itself alive and never raises."""

    def __init__(self, outbox: Outbox, bus: Bus, settings: Confirmer | None = None, *, spool: Spool | None = None, tell: Tell | None = None):
        self.outbox, self.bus, self.settings, self.spool = outbox, bus, settings or Confirmer(), spool
        self.lanes = tuple(Lane(ix, name, outbox, bus, self, self._circuit(name)) for ix, name in enumerate(("urgent", "bulk")))
        if spool is not None:
            spool.attach(outbox)
        self.errors: dict[str, int] = {}  # refusals and losses by kind
        self.n_replays = 0  # how often Redis had forgotten
        self.tell = tell or (lambda kind, detail, **more: None)
        self._run_id: str | None = None  # of the server that the urgent lane was last connected to
        self._quarantined: dict[Any, float] = {}  # {channel: loop time at which it is tried again}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._settling: set[asyncio.Task[None]] = set()
        self._progress = asyncio.Event()

    def _circuit(self, name: str) -> Circuit:
        most = self.settings.max_retries if self.settings.enabled else 1 << 62
        return Circuit(name, max_failures=most, now_s=lambda: asyncio.get_running_loop().time(), on_change=self._on_circuit)

    async def start(self) -> None:
        """Connect in the background: what is accepted meanwhile waits."""
        self._loop = asyncio.get_running_loop()
        self.outbox.wake = self.wake
        for lane in self.lanes:
            lane.start()
        if self.spool is not None:
            self.spool.start(self.flush)
        self._ticker = asyncio.create_task(self._tick(), name="delivery ticker")

    async def drain(self, deadline_s: float) -> int:
        """Wait until all is confirmed, at most so long; how many events still wait. An open circuit and a spool end the wait: the next start has
        better chances."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                while self.outbox.waiting():
                    self._progress.clear()
                    self.flush()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(TICK_S):
                            await self._progress.wait()
                    if self.spool is not None and self.lanes[URGENT].circuit.state != CLOSED:
                        break
        return self.outbox.waiting()

    async def put_by(self) -> "Left":
        """What still waits goes to the spool, and nothing is sent any more; to be called after `drain`, before `stop`."""
        await self._halt()  # first: a connection that ends now has something to say, and that is to be kept too
        safe, where = 0, ""
        if self.spool is not None:
            await self.spool.flush(everything=True)
            safe, where = self.spool.n_safe, self.spool.where
        waiting = {name: counts["waiting"] + counts["replaying"] for name, counts in self.outbox.stats()["classes"].items()}
        kept = waiting["CRITICAL"] + waiting["HIGH"]
        return Left(spooled=safe, where=where if safe else "", unsent=waiting["MEDIUM"] + waiting["LOW"], lost=kept - safe)

    async def stop(self) -> None:
        """Close the connections. What waits is not sent any more: `drain` first."""
        await self._halt()
        if self.spool is not None:
            await self.spool.stop()

    async def _halt(self) -> None:
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

    def tune(self, settings: Confirmer) -> None:
        """Other patience from now on."""
        self.settings = settings
        for lane in self.lanes:
            lane.circuit.max_failures = settings.max_retries if settings.enabled else 1 << 62

    async def move(self, bus: Bus) -> None:
        """Publish to another server from now on. What is not confirmed goes there, and the kept tail too, as to a server that forgot it."""
        old, self.bus = self.bus, bus
        for lane in self.lanes:
            lane.bus = bus
            lane.abort()
        await old.close()

    def stats(self) -> dict[str, Any]:
        """The outbox's counters, and each lane's state."""
        lanes = {lane.name: {"connected": lane.ready, "connects": lane.n_connects, "circuit": lane.circuit.stats()} for lane in self.lanes}
        spool = self.spool.stats() if self.spool is not None else None
        return {
            **self.outbox.stats(), "lanes": lanes, "refusals": dict(self.errors), "spool": spool, "replays": self.n_replays,
            "quarantined": sorted(channel.name.decode() for channel in self._quarantined),
        }  # fmt: skip

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
        if self.spool is not None:
            self.spool.poke()

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
            for channel, at_s in list(self._quarantined.items()):
                if now_s >= at_s:
                    del self._quarantined[channel]
                    self.outbox.release(channel)

    def _count(self, kind: str, n: int = 1) -> None:
        self.errors[kind] = self.errors.get(kind, 0) + n

    # ---- what lanes tell

    def on_no_connection(self, lane: Lane, error: BusAway | BusError) -> None:
        self._count("refused" if isinstance(error, BusError) else "away")

    async def on_connected(self, lane: Lane) -> bool:
        """A new connection stands; nothing was sent on it yet. False gives it up."""
        if lane.ix != URGENT or not (self.settings.replay_tail and self.settings.enabled):
            return True
        run_id = self.bus.run_id
        if self._run_id is None or not run_id or run_id != self._run_id:
            try:
                await self._replay_tail()
            except (RedisError, OSError) as error:
                log.warning("the streams' ends cannot be asked for; connecting anew", error=str(error))
                lane.failed("unknown ends")
                return False
        self._run_id = run_id
        return True

    async def _replay_tail(self) -> None:
        """Another server, or the same one started anew: where a stream ends before what was confirmed of it, the kept tail is sent again."""
        tails = self.outbox.tails()
        if not tails:
            return
        await self.bus.drop_idle()  # they led to the old one
        behind = []
        for start in range(0, len(tails), KEYS_AT_ONCE):
            some = tails[start : start + KEYS_AT_ONCE]
            async with self.bus.client.pipeline(transaction=False) as pipe:
                for channel, _ in some:
                    pipe.xinfo_stream(channel.key)
                found = await pipe.execute(raise_on_error=False)
            for (channel, confirmed), info in zip(some, found, strict=True):
                last = (0, 0)
                if isinstance(info, dict):
                    ms, _, seq = info["last-generated-id"].partition(b"-")
                    last = (int(ms), int(seq))
                elif not (isinstance(info, ResponseError) and str(info).startswith(("no such key", "NOPERM", "WRONGTYPE"))):
                    raise info  # it loads, or is away again
                if last < confirmed:
                    behind.append((channel, last))
        if behind:
            n = self.outbox.replay(behind)
            self.n_replays += 1
            log.warning("the bus came back without what it had confirmed; the kept tail is sent again", channels=len(behind), events=n)
            self.tell("replay", f"Redis had forgotten confirmed events of {len(behind)} channels; {n} are sent again", channels=len(behind), events=n)

    def on_lost(self, lane: Lane) -> None:
        self._count("lost")
        if not self.settings.enabled:
            self.outbox.abandon(lane.ix)

    def on_confirmed(self, lane: Lane) -> None:
        self._progress.set()
        if self.spool is not None:
            self.spool.feed()

    def _on_circuit(self, circuit: Circuit, previous: str) -> None:
        """Each change is a CRITICAL event, which waits like all others until the bus is back."""
        more: dict[str, Any] = {"lane": circuit.name, "state": circuit.state, "previous": previous, "reason": circuit.reason}
        if circuit.state == CLOSED:
            more |= {"probes": circuit.n_probes, "duration_ns": round(circuit.open_s * 1e9)}
        (log.error if circuit.state == OPEN else log.info)("circuit", **more)
        self.tell("circuit", f"delivery, lane {circuit.name}: {previous} -> {circuit.state} ({circuit.reason})", **more)

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
        elif not self.settings.enabled:
            self.outbox.abandon(lane.ix)
            lane.flush()
        elif doubtful:
            lane.hold()
            task = asyncio.create_task(self._look_up(lane, doubtful))
            self._settling.add(task)
            task.add_done_callback(self._settling.discard)
        else:
            self._try_again(lane, kinds)

    def _try_again(self, lane: Lane, kinds: set[str]) -> None:
        lane.failed(" ".join(sorted(kinds)))
        n = lane.circuit.n_failures
        if n == 1:
            log.warning("the bus refuses", lane=lane.name, kinds=sorted(kinds), said=self.outbox.last_error())
        if lane.circuit.lets_through:
            lane.rest(random.uniform(0, min(MAX_PAUSE_S, self.settings.retry_delay_s * 2 ** min(n - 1, 10))))
        else:
            lane.resume()
        if kinds & RECONNECT_KINDS:
            lane.abort()

    def _set_aside(self, channels: set[Any], kinds: set[str]) -> None:
        for channel in sorted(channels, key=lambda channel: channel.name):
            name = channel.name.decode()
            log.error("a channel is quarantined: its key refuses our commands", channel=name, key=channel.key.decode(),
                      kinds=sorted(kinds & CHANNEL_KINDS), said=self.outbox.last_error())  # fmt: skip
            self.outbox.quarantine(channel)
            self._quarantined[channel] = asyncio.get_running_loop().time() + RELEASE_S
            self.tell("quarantine", f"{name}: its key refuses our commands: {self.outbox.last_error()}", channel=name)

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
