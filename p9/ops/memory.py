"""Resident memory of this process, without a library for it."""

import os
import sys
from pathlib import Path


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
