"""What this process uses of the machine: memory, open files, threads, tasks, time. What grows without end is a leak (`make soak`)."""

import asyncio
import os
import threading
import time
from typing import Any

from p9.ops.memory import resident_bytes

_OPEN = next((folder for folder in ("/proc/self/fd", "/dev/fd") if os.path.isdir(folder)), None)


def usage() -> dict[str, Any]:
    """`open_files` is None where the system does not tell. Called on the loop."""
    return {
        "resident_bytes": resident_bytes(), "open_files": len(os.listdir(_OPEN)) - 1 if _OPEN is not None else None,  # one is the listing's own
        "threads": threading.active_count(), "tasks": len(asyncio.all_tasks()), "cpu_s": time.process_time(),
    }  # fmt: skip
