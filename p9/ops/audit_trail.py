"""What was done to this appliance and what befell it: one line of JSON each, appended and never changed. Configuration, gaps and repairs, circuits,
clocks, starts and stops."""

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from p9.line_file import LineFile

MAX_FILE = 32 << 20  # bytes; then it is set aside under the time of its end, and the oldest of those beyond KEPT_FILES is removed
KEPT_FILES = 12
MAX_WAITING = 10_000


class AuditTrail(LineFile):
    """`path` None: in memory only. `run_id` tells the lines of one process from another's."""

    def __init__(self, path: Path | None, *, run_id: int, now_ns: Callable[[], int] = time.time_ns, log: Callable[..., None] | None = None):
        super().__init__(path, "audit trail", _append, most_waiting=MAX_WAITING, log=log)
        self.run_id = run_id
        self._now_ns = now_ns
        self._n = 0

    def note(self, event: str, **more: Any) -> None:
        """One line: `event` is its stable name."""
        self._n += 1
        row = {"ts_ns": self._now_ns(), "run": self.run_id, "n": self._n, "event": event, **more}
        self.counts["noted"] += 1
        self.write(msgspec.json.encode(row, enc_hook=str))

    def status(self) -> dict[str, Any]:
        return {"file": str(self.path) if self.path is not None else None, "waiting": self.waiting, "counts": dict(self.counts)}


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
