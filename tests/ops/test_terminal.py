"""The live line at the foot of a real terminal."""

import fcntl
import os
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from p9.ops.terminal import StatusLine

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not hasattr(os, "openpty"), reason="no terminals to be had")


def status(uptime_s: float, frames: int, confirmed: int, books: dict[str, int]) -> dict:
    market = {"frames": {"received": frames}, "books": books, "counters": {"gaps": 2}}
    return {"uptime_s": uptime_s, "markets": {"a": market, "b": market}, "delivery": {"classes": {"LOW": {"confirmed": confirmed, "waiting": 7}}}}


def shown(columns: int) -> str:
    """What a terminal of so many columns gets from two looks, one second apart."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    code = (
        "from p9.ops.terminal import StatusLine; line = StatusLine()\n"
        f"line.show({status(1.0, 100, 50, {'synced': 2})!r}); line.show({status(2.0, 600, 1050, {'synced': 1, 'buffering': 1})!r}); line.clear()"
    )
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, stdout=theirs, stderr=theirs, stdin=theirs, check=True)
    os.close(theirs)
    text = os.read(ours, 10_000).decode()
    os.close(ours)
    return text


def test_the_second_look_shows_rates_of_the_time_between_and_the_end_is_clean():
    _, first, second, end = shown(200).split("\r\x1b[2K")
    assert first == "books 4/4 · 200 frames/s · 50 events/s confirmed · 7 waiting · 4 gaps"
    assert second == "books 2/4 · 1,000 frames/s · 1,000 events/s confirmed · 7 waiting · 4 gaps"
    assert end == ""


def test_a_narrow_terminal_gets_one_line_all_the_same():
    assert max(len(line) for line in shown(30).split("\r\x1b[2K")) == 29


def test_without_a_terminal_nothing_is_written(capsys):
    line = StatusLine()
    line.show(status(1.0, 100, 50, {"synced": 2}))
    line.clear()
    assert capsys.readouterr() == ("", "")
