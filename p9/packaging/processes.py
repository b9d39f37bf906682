"""What other processes are at, as /proc tells it: which live, who is below whom, how long they computed."""

import contextlib
import os
import sys
from pathlib import Path


def busy_s() -> float:
    """Seconds of processor time that anybody has used since the machine started, on Linux; the simulated venues' among them."""
    if sys.platform != "linux":
        return 0.0
    user, nice, system, _, _, irq, softirq, *_ = map(int, Path("/proc/stat").read_text().splitlines()[0].split()[1:])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """Of one process and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def lives(pid: int) -> bool:
    """Not gone, nor only waiting for somebody to ask how it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def family(pid: int) -> list[int]:
    """A process and all below it, on Linux."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    family = [pid]
    for member in family:
        family += [child for child, parent in parents.items() if parent == member]
    return family
