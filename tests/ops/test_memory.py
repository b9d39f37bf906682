"""Resident memory against what the system says elsewhere."""

import re
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
