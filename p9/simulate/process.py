"""The simulated venues in a process of their own, so that their work is not the appliance's."""

import asyncio
import contextlib
import multiprocessing
import signal
from multiprocessing.connection import Connection
from typing import Any

import aiohttp

from p9 import loop

START_TIMEOUT_S = 30.0


async def _serve(pipe: Connection, settings: dict[str, Any]) -> None:
    from p9.simulate.server import Simulator  # in the child alone: the appliance beside it needs no venues

    simulator = Simulator(**settings)
    await simulator.start()
    pipe.send({"url": simulator.url, "endpoints": simulator.endpoints})
    running, gone = asyncio.get_running_loop(), asyncio.Event()
    watch = running.run_in_executor(None, _wait_for_end, pipe)
    watch.add_done_callback(lambda _: gone.set())
    await gone.wait()
    await simulator.stop()


def _wait_for_end(pipe: Connection) -> None:
    """Until the parent says so, or is no more."""
    with contextlib.suppress(EOFError, OSError):
        pipe.recv()


def _main(pipe: Connection, settings: dict[str, Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal: the parent ends us in its order
    loop.run(_serve(pipe, settings))


class SimulatorProcess:
    """`settings` are Simulator's. `endpoints` = {market: {"rest": base, "ws": base}}."""

    def __init__(self, **settings: Any):
        self.settings = settings
        self.url = ""
        self.endpoints: dict[str, dict[str, str]] = {}
        self._pipe: Connection | None = None
        self._process: Any = None

    async def start(self) -> None:
        """Raises RuntimeError if it does not come up."""
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_main, args=(theirs, self.settings), daemon=True, name="p9 simulator")
        self._process.start()
        theirs.close()
        answer = await asyncio.get_running_loop().run_in_executor(None, self._answer)
        if answer is None:
            await asyncio.get_running_loop().run_in_executor(None, self._process.join, 1.0)
            how = "does not answer" if self._process.is_alive() else f"ended with exit code {self._process.exitcode}"
            self._process.kill()
            raise RuntimeError(f"the simulator's process {how}")
        self.url, self.endpoints = answer["url"], answer["endpoints"]

    def _answer(self) -> dict[str, Any] | None:
        assert self._pipe is not None
        try:
            return self._pipe.recv() if self._pipe.poll(START_TIMEOUT_S) else None
        except EOFError:
            return None

    async def stop(self) -> None:
        """May be called twice."""
        if self._process is None:
            return
        assert self._pipe is not None
        process, self._process = self._process, None
        self._pipe.close()
        await asyncio.get_running_loop().run_in_executor(None, process.join, 5.0)
        if process.is_alive():
            process.kill()

    async def get(self, path: str) -> Any:
        """A question to the oracle."""
        async with aiohttp.ClientSession() as session, session.get(self.url + path) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """An order to the simulator: freeze, resume, fault."""
        async with aiohttp.ClientSession() as session, session.post(self.url + path, json=body or {}) as answer:
            answer.raise_for_status()
            return await answer.json()
