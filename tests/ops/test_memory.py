"""Resident memory against what the system says elsewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from p9.ops.memory import resident_bytes


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_it_is_what_the_kernel_says_and_grows_with_what_is_held():
    before = resident_bytes()
    held = bytearray(b"x") * (64 << 20)
    after = resident_bytes()
    told = int(re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) << 10
    assert after - before > 60 << 20 and len(held) == 64 << 20
    assert abs(after - told) < 8 << 20


def test_where_there_is_no_proc_the_peak_stands_in(monkeypatch):
    def absent(self, *_, **__):
        raise FileNotFoundError(self)

    monkeypatch.setattr(Path, "read_text", absent)
    assert resident_bytes() > 0


SHAPE = """
import asyncio, ctypes
from p9.ops import memory
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
burst, stays = [], []
for n in range(400):
    burst.append(libc.malloc(60_000))
    ctypes.memset(burst[-1], 1, 60_000)
    if n % 5 == 4:
        stays.append(libc.malloc(2_000))
full = memory.resident_bytes()
for block in burst:
    libc.free(block)
freed = memory.resident_bytes()
memory.EVERY_S = 0.001

async def until_given_back():
    task = asyncio.create_task(memory.give_back())
    async with asyncio.timeout(30):
        while full - memory.resident_bytes() < 15 << 20:
            await asyncio.sleep(0.001)
    task.cancel()

asyncio.run(until_given_back())
print(full - freed)
"""


@pytest.mark.skipif("CS_GNU_LIBC_VERSION" not in getattr(os, "confstr_names", ()), reason="an allocator of another make")
def test_what_a_burst_took_goes_back_to_the_system():
    """A few small blocks that stay kept all of it: resident memory was that of the worst minute there ever was."""
    ran = subprocess.run([sys.executable, "-c", SHAPE], capture_output=True, text=True, check=True, timeout=60)
    assert int(ran.stdout) < 5 << 20, "what it is about: freed, and still resident"
