"""One hot connection: the outbox's commands out, Redis's answers in. It lives as long as the publisher and reconnects for ever."""

import asyncio
import contextlib
import random
from typing import Protocol

import structlog
from cext.outbox import BATCH_BROKEN, BATCH_CONFIRMED, BATCH_FAILED, Outbox

from p9.delivery.bus import Bus
from p9.delivery.circuit import OPEN, Circuit
from p9.errors import BusAway, BusError

log = structlog.get_logger(__name__)

FIRST_RECONNECT_S = 0.05
MAX_RECONNECT_S = 1.0  # a healed Redis is found within a second
PROBE_S = 1.0  # an open circuit lets one batch through each


class Owner(Protocol):
    """Who hears what becomes of a lane: the publisher."""

    def on_no_connection(self, lane: "Lane", error: BusAway | BusError) -> None: ...
    async def on_connected(self, lane: "Lane") -> bool: ...
    def on_lost(self, lane: "Lane") -> None: ...
    def on_confirmed(self, lane: "Lane") -> None: ...
    def on_refused(self, lane: "Lane") -> None: ...


class _Wire(asyncio.Protocol):
    """One connection of a lane's life."""

    def __init__(self, lane: "Lane"):
        self.lane = lane
        self.transport: asyncio.Transport | None = None
        self.paused = False
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self.lane.on_replies(self, data)

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        self.lane.flush()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.lost.done():
            self.lost.set_result(error)
        self.lane.on_lost(self)


class Lane:
    """`ready`: connected, and free to take a batch. A refused batch rests for its delay and goes first when that is over. While the circuit is
    open nothing is sent but a batch each PROBE_S."""

    def __init__(self, ix: int, name: str, outbox: Outbox, bus: Bus, owner: Owner, circuit: Circuit):
        self.ix, self.name = ix, name
        self.outbox, self.bus, self.owner, self.circuit = outbox, bus, owner, circuit
        self.ready = False
        self.n_connects = 0
        self.away_since_s: float | None = None  # loop time
        self.sent_s: float | None = None  # loop time at which the batch in flight was written
        self._wire: _Wire | None = None
        self._resting: asyncio.TimerHandle | None = None
        self._probing: asyncio.TimerHandle | None = None
        self._keeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.away_since_s = asyncio.get_running_loop().time()
        self._keeper = asyncio.create_task(self._keep(), name=f"delivery lane {self.name}")

    async def stop(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        for timer in (self._resting, self._probing):
            if timer is not None:
                timer.cancel()
        self.abort()

    def abort(self) -> None:
        """Give the connection up; the keeper makes another."""
        self.ready = False
        if self._wire is not None and self._wire.transport is not None:
            self._wire.transport.abort()

    async def _keep(self) -> None:
        failed = 0
        while True:
            try:
                wire = await self.bus.open(f"p9:{self.name}", lambda: _Wire(self))
            except (BusAway, BusError) as error:
                failed += 1
                if failed == 1:
                    log.warning("no connection to the bus", lane=self.name, error=str(error))
                self.failed("refused" if isinstance(error, BusError) else "away")
                self.owner.on_no_connection(self, error)
                delay_s = min(MAX_RECONNECT_S, FIRST_RECONNECT_S * 2 ** min(failed, 10))
                await asyncio.sleep(random.uniform(delay_s / 2, delay_s))
                continue
            assert isinstance(wire, _Wire)
            self._wire = wire
            self.n_connects += 1
            try:
                if await self.owner.on_connected(self):
                    log.info("connected to the bus", lane=self.name, server=self.bus.where, connects=self.n_connects)
                    self.ready, self.away_since_s, failed = True, None, 0
                    self.circuit.probe()
                    self.flush()
                else:
                    failed += 1
                    self.abort()
                await wire.lost
            finally:
                self.abort()
            await asyncio.sleep(random.uniform(0, min(MAX_RECONNECT_S, FIRST_RECONNECT_S * 2 ** min(failed, 10))))

    def on_lost(self, wire: _Wire) -> None:
        if wire is not self._wire:
            return
        if self.sent_s is not None:
            self.failed("lost")
        self._wire, self.sent_s = None, None
        self.ready = False
        self.away_since_s = asyncio.get_running_loop().time()
        self.outbox.disconnected(self.ix)
        self.owner.on_lost(self)

    def flush(self) -> None:
        """Write what the outbox has for this lane, unless it waits for an answer."""
        wire = self._wire
        if not self.ready or wire is None or wire.paused or self.sent_s is not None or self._resting is not None:
            return
        if wire.transport.is_closing():  # its loss is told in a moment; one loop raises where others pass over what is written
            return
        if not self.circuit.lets_through:
            return
        data = self.outbox.take(self.ix)
        if data is not None:
            self.sent_s = asyncio.get_running_loop().time()
            wire.transport.write(data)

    def on_replies(self, wire: _Wire, data: bytes) -> None:
        if wire is not self._wire:
            return
        said = self.outbox.replies(self.ix, data)
        if said == BATCH_CONFIRMED:
            self.sent_s = None
            self.circuit.succeeded()
            self.owner.on_confirmed(self)
            self.flush()
        elif said == BATCH_FAILED:
            self.sent_s = None
            self.owner.on_refused(self)
        elif said == BATCH_BROKEN:
            log.error("the bus answers what was not asked; connecting anew", lane=self.name, bytes=data[:80])
            self.abort()

    def failed(self, reason: str) -> None:
        """The bus is away, silent, or refuses: one more time in a row."""
        self.circuit.failed(reason)
        if self.circuit.state == OPEN and self._probing is None:
            self._probing = asyncio.get_running_loop().call_later(PROBE_S, self._probe)

    def _probe(self) -> None:
        self._probing = None
        self.circuit.probe()
        self.flush()

    def rest(self, delay_s: float) -> None:
        """Nothing is sent for `delay_s`; then what was refused, first."""
        if self._resting is not None:
            self._resting.cancel()
        self._resting = asyncio.get_running_loop().call_later(delay_s, self.resume)

    def resume(self) -> None:
        """The rest is over."""
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        self.flush()

    def hold(self) -> None:
        """Nothing is sent until `resume`."""
        self.rest(3600.0)
