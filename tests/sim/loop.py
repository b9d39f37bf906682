"""An event loop whose time is ours: it jumps to the next timer, has no sockets and no threads, and so runs the same every time."""

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any

GENERATIONS = 1000  # wall times are whole microseconds; the nanoseconds below them say which setting of the clock they were read under


class NothingToWaitFor(RuntimeError):
    """No task can ever go on: the simulated world has stopped."""


class VirtualLoop(asyncio.BaseEventLoop):
    """`connect(protocol_factory, host, port)` stands for the network; without it every connection is refused.

    Its timers and its turns are its own, for there is nothing to wait for: asyncio's cost a fifth of a simulation.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.connect: Callable[..., Awaitable[tuple[asyncio.Transport, asyncio.BaseProtocol]]] | None = None
        self.on_advance: Callable[[], None] = lambda: None
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []  # a heap: of those that fall due together the first that was set is the first
        self._n_timers = 0

    def time(self) -> float:
        return self.now_s

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._n_timers += 1
        heapq.heappush(self._timers, (when, self._n_timers, timer))
        return timer

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> asyncio.TimerHandle:
        return self.call_at(self.now_s + delay, callback, *args, context=context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is left out when its time has come."""

    def _run_once(self) -> None:
        """A turn: what is ready, or, where nothing is, what falls due at the next timer."""
        ready, timers = self._ready, self._timers
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        if not ready and not self._stopping:
            if not timers:
                raise NothingToWaitFor("no timer is set and nothing is ready")
            if timers[0][0] > self.now_s:
                self.now_s = timers[0][0]
                self.on_advance()
        while timers and timers[0][0] <= self.now_s:
            ready.append(heapq.heappop(timers)[2])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.cancelled():
                handle._run()

    def stall(self, for_s: float) -> None:
        """The process gets no time for so long: what fell due meanwhile runs together, late."""
        self.now_s += for_s
        self.on_advance()

    def _write_to_self(self) -> None:
        pass

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        """At once: there are no threads in the simulated world."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any) -> Any:
        if self.connect is None or options.get("sock") is not None:
            raise ConnectionRefusedError("there is no network in a simulation")
        return await self.connect(protocol_factory, host, port)

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("a simulation opens no real socket")

    add_reader = add_writer = create_server = create_datagram_endpoint = create_unix_connection = create_unix_server = _refuse
    sock_connect = sock_recv = sock_sendall = sock_accept = getaddrinfo = getnameinfo = subprocess_exec = subprocess_shell = _refuse


class Wall:
    """The appliance's wall clock: the loop's time from `start_ns` on, but it can be set, run fast or slow, and stop.

    Every setting has a number, which stands in the nanoseconds of each time read under it: so a time stamp tells the true time at which
    it was made, even if the clock ran backwards since.
    """

    def __init__(self, loop: VirtualLoop, start_ns: int):
        if start_ns % GENERATIONS:
            raise ValueError("the start is a whole microsecond")
        self._loop, self._start_ns = loop, start_ns
        self._offsets: list[tuple[int, float | None]] = [(0, None)]  # by setting: offset ns, and where it stands still the loop time

    @property
    def true_ns(self) -> int:
        """What a clock without faults shows."""
        return self._start_ns + int(self._loop.now_s * 1e6) * GENERATIONS

    def now_ns(self) -> int:
        offset_ns, stopped_s = self._offsets[-1]
        at_s = self._loop.now_s if stopped_s is None else stopped_s
        return self._start_ns + int(at_s * 1e6) * GENERATIONS + offset_ns + len(self._offsets) - 1

    @property
    def offset_ns(self) -> int:
        return self._offsets[-1][0]

    @property
    def settings_left(self) -> int:
        return GENERATIONS - len(self._offsets)

    def jump(self, ns: int) -> None:
        """Set the clock forward, or back."""
        offset_ns = self._offsets[-1][0]
        self._offsets.append((offset_ns + ns // GENERATIONS * GENERATIONS, None))

    def stop(self) -> None:
        """It shows the same time until it is set or `go`."""
        self._offsets.append((self._offsets[-1][0], self._loop.now_s))

    def go(self) -> None:
        """It goes on from the right time."""
        self._offsets.append((self._offsets[-1][0], None))

    def true_us(self, stamp_ns: int) -> int:
        """The loop's time in microseconds at which `stamp_ns` was read."""
        setting = stamp_ns % GENERATIONS
        if setting >= len(self._offsets):
            raise ValueError(f"{stamp_ns} was read from no setting of this clock")
        offset_ns, stopped_s = self._offsets[setting]
        if stopped_s is not None:
            return int(stopped_s * 1e6)
        return (stamp_ns - setting - offset_ns - self._start_ns) // GENERATIONS


class VirtualTime:
    """What stands for the module `time` in the venues' simulators."""

    def __init__(self, wall: Wall, loop: VirtualLoop):
        self._wall, self._loop = wall, loop

    def time_ns(self) -> int:
        return self._wall.true_ns

    def time(self) -> float:
        return self._wall.true_ns / 1e9

    def monotonic(self) -> float:
        return self._loop.now_s
