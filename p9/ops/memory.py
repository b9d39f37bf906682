"""Resident memory of this process, without a library for it, and how what was freed goes back to the system."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

EVERY_S = 60.0


def resident_bytes() -> int:
    """0 where the system does not tell."""
    if sys.platform == "win32":
        return _windows()
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS tells its peak, in bytes


def _windows() -> int:
    import ctypes

    class Counters(ctypes.Structure):
        """PROCESS_MEMORY_COUNTERS"""

        _fields_ = [("cb", ctypes.c_uint32), ("faults", ctypes.c_uint32)] + [(f"n{i}", ctypes.c_size_t) for i in range(8)]

    counters = Counters(cb=ctypes.sizeof(Counters))
    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined]
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    if not kernel.K32GetProcessMemoryInfo(ctypes.c_void_p(kernel.GetCurrentProcess()), ctypes.byref(counters), counters.cb):
        return 0
    return counters.n1  # WorkingSetSize


def _trim() -> Callable[[int], int] | None:
    if sys.platform != "linux":
        return None
    import ctypes

    return getattr(ctypes.CDLL(None), "malloc_trim", None)


async def give_back() -> None:
    """For ever, until cancelled: once a minute what is free within the heaps. glibc gives back what is free at their ends: after a burst, and in the arena of
    each thread after the largest job that it ever met, the rest stayed, between small blocks. It costs half a millisecond at a heap of 40 MB, off the loop.
    Where the allocator is another one, nothing."""
    trim = _trim()
    while trim is not None:
        await asyncio.sleep(EVERY_S)
        await asyncio.get_running_loop().run_in_executor(None, trim, 0)
