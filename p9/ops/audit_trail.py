"""What was done to this appliance and what befell it: one line of JSON each, appended and never changed. Configuration, gaps and repairs, circuits,
clocks, starts and stops.

Writing happens off the loop. A full or slow disk delays nothing: lines wait (bounded, the oldest are given up and counted).
"""

import asyncio
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

MAX_FILE = 32 << 20  # bytes; then it is set aside under the time of its end, and the oldest of those beyond KEPT_FILES is removed
KEPT_FILES = 12
MAX_WAITING = 10_000
RECENT = 500
FLUSH_S = 1.0


class AuditTrail:
    """`path` None: in memory only. `run_id` tells the lines of one process from another's."""

    def __init__(self, path: Path | None, *, run_id: int, now_ns: Callable[[], int] = time.time_ns, log: Callable[..., None] | None = None):
        self.path, self.run_id = path, run_id
        self.counts: Counter[str] = Counter()
        self.recent: deque[dict[str, Any]] = deque(maxlen=RECENT)
        self._now_ns = now_ns
        self._n = 0
        self._lines: deque[bytes] = deque()
        self._log = log or (lambda *_, **__: None)
        self._writing = asyncio.Lock()

    def note(self, event: str, **more: Any) -> None:
        """One line: `event` is its stable name."""
        self._n += 1
        row = {"ts_ns": self._now_ns(), "run": self.run_id, "n": self._n, "event": event, **more}
        self.counts["noted"] += 1
        self.recent.append(row)
        if self.path is None:
            return
        self._lines.append(msgspec.json.encode(row, enc_hook=str))
        if len(self._lines) > MAX_WAITING:
            self._lines.popleft()
            self.counts["given_up"] += 1

    async def run(self) -> None:
        """Write what is new once a second, until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_S)
            await self.flush()

    async def flush(self) -> None:
        """Write what is new. What cannot be written is tried again with the next."""
        async with self._writing:
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            if not lines or self.path is None:
                return
            try:
                await asyncio.get_running_loop().run_in_executor(None, _append, self.path, lines)
            except OSError as error:
                if not self.counts["unwritten"]:
                    self._log("audit trail not written", file=str(self.path), reason=str(error))
                self.counts["unwritten"] += 1
                self._lines.extendleft(reversed(lines))

    def status(self) -> dict[str, Any]:
        return {"file": str(self.path) if self.path is not None else None, "waiting": len(self._lines), "counts": dict(self.counts)}


def _append(path: Path, lines: Iterable[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > MAX_FILE:
        os.replace(path, path.with_suffix(f".{time.time_ns()}{path.suffix}"))
        for old in sorted(path.parent.glob(f"{path.stem}.*{path.suffix}"))[:-KEPT_FILES]:
            old.unlink()
    with path.open("ab") as file:
        file.write(b"".join(line + b"\n" for line in lines))
        file.flush()
        os.fsync(file.fileno())
