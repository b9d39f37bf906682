"""A TCP proxy that cuts connections in the middle of what they carry, or delays it."""

import asyncio
import contextlib
import random


class Proxy:
    """`cut_after`: the next connections are cut after so many bytes of commands or answers each; `delay_s`: each piece waits so long."""

    def __init__(self, port: int, seed: int = 1):
        self._target = port
        self._random = random.Random(seed)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.cut_after: tuple[int, int] | None = None
        self.delay_s = 0.0
        self.n_cut = 0

    async def __aenter__(self) -> "Proxy":
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def port(self) -> int:
        assert self._server is not None
        return self._server.sockets[0].getsockname()[1]

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        ways = [asyncio.create_task(self._pump(*way)) for way in ((reader, back), (there, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            writer.transport.abort()
            back.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        carried, limit = 0, None
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if self.cut_after is not None and limit is None:
                    limit = carried + self._random.randint(*self.cut_after)
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                if limit is not None and carried + len(data) > limit:
                    writer.write(data[: limit - carried])
                    await writer.drain()
                    self.n_cut += 1
                    return
                carried += len(data)
                writer.write(data)
                await writer.drain()
