"""An event loop whose time is ours: it jumps to the next timer, has no sockets and no threads, and so runs the same every time."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from heapq import heappop, heappush
from typing import Any

GENERATIONS = 1000  # wall times are whole microseconds; the nanoseconds below them say which setting of the clock they were read under


class NothingToWaitFor(RuntimeError):
    """No task can ever go on: the simulated world has stopped."""


class Turn:
    """A callback that waits, as asyncio's Handle and TimerHandle. Cancelled, it has none any more, and is left out when it is due."""

    __slots__ = ("args", "callback", "context")

    def __init__(self, callback: Callable[..., Any], args: tuple[Any, ...], context: Context):
        self.callback: Callable[..., Any] | None = callback
        self.args, self.context = args, context

    def cancel(self) -> None:
        self.callback, self.args = None, ()

    def cancelled(self) -> bool:
        return self.callback is None


class VirtualLoop(asyncio.BaseEventLoop):
    """`connect(protocol_factory, host, port)` stands for the network; without it every connection is refused.

    Its timers and its turns are its own, for there is nothing to wait for and nothing to debug: asyncio's cost a fifth of a simulation.
    """

    get_debug = bool  # False, said in C: each future asks

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.connect: Callable[..., Awaitable[tuple[asyncio.Transport, asyncio.BaseProtocol]]] | None = None
        self.on_advance: Callable[[], None] = lambda: None
        self._timers: list[tuple[float, int, Turn]] = []  # a heap: of those that fall due together the first that was set is the first
        self._n_timers = 0

    def time(self) -> float:
        return self.now_s

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Turn:
        turn = Turn(callback, args, copy_context() if context is None else context)
        self._ready.append(turn)
        return turn

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Turn:
        turn = Turn(callback, args, copy_context() if context is None else context)
        self._n_timers += 1
        heappush(self._timers, (when, self._n_timers, turn))
        return turn

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Turn:
        return self.call_at(self.now_s + delay, callback, *args, context=context)

    def _run_once(self) -> None:
        """Turn by turn, until the loop is to stop: what is ready, or, where nothing is, what falls due at the next timer."""
        ready, timers = self._ready, self._timers
        while True:
            while timers and timers[0][2].callback is None:
                heappop(timers)
            if not ready and not self._stopping:
                if not timers:
                    raise NothingToWaitFor("no timer is set and nothing is ready")
                if timers[0][0] > self.now_s:
                    self.now_s = timers[0][0]
                    self.on_advance()
            while timers and timers[0][0] <= self.now_s:
                ready.append(heappop(timers)[2])
            for _ in range(len(ready)):
                turn = ready.popleft()
                try:
                    if turn.callback is not None:
                        turn.context.run(turn.callback, *turn.args)
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as error:
                    self.call_exception_handler({"message": f"a callback failed: {turn.callback}", "exception": error})
            if self._stopping:
                return

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
        self._offsets: list[tuple[int, float | None]] = []  # by setting: offset ns, and where it stands still the loop time
        self._set(0, None)

    @property
    def true_ns(self) -> int:
        """What a clock without faults shows."""
        return self._start_ns + int(self._loop.now_s * 1e6) * GENERATIONS

    def now_ns(self) -> int:
        at_s = self._loop.now_s if self._stopped_s is None else self._stopped_s
        return int(at_s * 1e6) * GENERATIONS + self._zero_ns

    def _set(self, offset_ns: int, stopped_s: float | None) -> None:
        self._offsets.append((offset_ns, stopped_s))
        self._stopped_s = stopped_s
        self._zero_ns = self._start_ns + offset_ns + len(self._offsets) - 1  # what it shows at the loop's time 0

    @property
    def offset_ns(self) -> int:
        return self._offsets[-1][0]

    @property
    def settings_left(self) -> int:
        return GENERATIONS - len(self._offsets)

    def jump(self, ns: int) -> None:
        """Set the clock forward, or back."""
        offset_ns = self._offsets[-1][0]
        self._set(offset_ns + ns // GENERATIONS * GENERATIONS, None)

    def stop(self) -> None:
        """It shows the same time until it is set or `go`."""
        self._set(self._offsets[-1][0], self._loop.now_s)

    def go(self) -> None:
        """It goes on from the right time."""
        self._set(self._offsets[-1][0], None)

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
