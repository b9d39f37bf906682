"""A file to which lines are appended, off the loop, once a second. A full or slow disk delays nothing: lines wait, bounded; the oldest are given up and counted."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path

FLUSH_S = 1.0


class LineFile:
    """`path` None: nothing is written. `append` puts lines into the file, in a thread; it raises OSError where it cannot. `counts`: unwritten (times that
    it could not), given_up (lines)."""

    def __init__(self, path: Path | None, name: str, append: Callable[[Path, list[bytes]], None], *, most_waiting: int, log: Callable[..., None] | None = None):
        self.path = path
        self.counts: Counter[str] = Counter()
        self._name, self._append, self._most_waiting = name, append, most_waiting
        self._lines: deque[bytes] = deque()
        self._log = log or (lambda *_, **__: None)
        self._writing = asyncio.Lock()

    def write(self, line: bytes) -> None:
        if self.path is not None:
            self._lines.append(line)
            self._bound()

    @property
    def waiting(self) -> int:
        return len(self._lines)

    async def run(self) -> None:
        """Write what is new once a second, until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_S)
            await self.flush()

    async def flush(self) -> None:
        """Write what is new. What cannot be written is tried again with the next."""
        async with self._writing:
            if not self._lines or self.path is None:
                return
            lines = list(self._lines)
            self._lines.clear()
            try:
                await asyncio.get_running_loop().run_in_executor(None, self._append, self.path, lines)
            except OSError as error:
                if not self.counts["unwritten"]:
                    self._log(f"{self._name} not written", file=str(self.path), reason=str(error))
                self.counts["unwritten"] += 1
                self._lines.extendleft(reversed(lines))
                self._bound()

    def _bound(self) -> None:
        while len(self._lines) > self._most_waiting:
            self._lines.popleft()
            self.counts["given_up"] += 1
