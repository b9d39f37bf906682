"""The built-in server as a process of its own, so that its turns never delay the hot loop. Works frozen."""

import asyncio
import contextlib
import gc
import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import Connection

from p9 import loop
from p9.delivery.resp_server import (
    commands_connection,
    commands_containers,
    commands_keys,
    commands_pubsub,
    commands_server,
    commands_streams,
    commands_transactions,
)
from p9.delivery.resp_server.server import Server

# Imported for the rows that they enter in the command table.
FAMILIES = (
    commands_connection,
    commands_containers,
    commands_keys,
    commands_pubsub,
    commands_server,
    commands_streams,
    commands_transactions,
)

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 2.0


class BuiltinProcess:
    """Start, stop, wait. The pipe between the two is the leash: the child ends when our end closes, however we died."""

    kind = "builtin"

    def __init__(self, *, username: str, password: str, max_memory_bytes: int) -> None:
        self._options = {"username": username, "password": password, "max_memory_bytes": max_memory_bytes}
        self._process: multiprocessing.process.BaseProcess | None = None
        self._leash: Connection | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def start(self, host: str, port: int) -> int:
        """Listen on port (0: any free one); the port. Raises OSError if it cannot listen, RuntimeError if it died."""
        context = multiprocessing.get_context("spawn")
        self._leash, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, host, port, self._options), name="p9-builtin-redis", daemon=True)
        self._process.start()
        theirs.close()
        try:
            if not await asyncio.to_thread(self._leash.poll, START_TIMEOUT_S):
                raise RuntimeError(f"the built-in Redis did not start within {START_TIMEOUT_S:.0f} s")
            answer = self._leash.recv()
        except EOFError:
            await self.stop()
            raise RuntimeError(f"the built-in Redis ended while starting, exit code {self._process.exitcode}") from None
        except BaseException:
            await self.stop()
            raise
        if isinstance(answer, OSError):
            await self.stop()
            raise answer
        return answer

    async def wait(self) -> str:
        """Until it ends; how."""
        await asyncio.to_thread(self._process.join)
        return f"exit code {self._process.exitcode}"

    async def stop(self) -> None:
        self._leash.close()
        await asyncio.to_thread(self._process.join, STOP_TIMEOUT_S)
        if self._process.is_alive():
            self._process.kill()
            await asyncio.to_thread(self._process.join)


def serve(leash: Connection, host: str, port: int, options: dict) -> None:
    """The child's main. ^C goes to every process of a terminal; the parent wants us until it has drained its queues."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(100_000, 50, 100)  # commands make garbage without cycles; only closed connections leave some
    loop.run(_serve(leash, host, port, options))


async def _serve(leash: Connection, host: str, port: int, options: dict) -> None:
    server = Server(**options)
    try:
        answer: int | OSError = await server.start(host, port)
    except OSError as exc:
        answer = OSError(exc.errno, str(exc))
    with contextlib.suppress(OSError):  # the parent is gone already
        leash.send(answer)
    if isinstance(answer, OSError):
        return
    threading.Thread(target=_end_with_parent, args=(leash,), daemon=True).start()
    await server.stopped.wait()
    await server.stop()


def _end_with_parent(leash: Connection) -> None:
    """Nothing is ever sent: the read ends when the parent closes its end or dies, kill -9 included."""
    with contextlib.suppress(EOFError, OSError):
        leash.recv_bytes()
    os._exit(0)  # there is nothing to save
