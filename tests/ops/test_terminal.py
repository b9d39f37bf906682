"""The view at the foot of a real terminal: what a person sees after each step, as an emulator of a terminal shows it."""

import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from p9.ops.terminal import StatusView, _cut, _span

ROOT = Path(__file__).parents[2]
needs_terminal = pytest.mark.skipif(not hasattr(os, "openpty"), reason="no terminals to be had")


def status(uptime_s: float, frames: int, confirmed: int, books: dict[str, int]) -> dict:
    market = {
        "frames": {"received": frames}, "books": books, "counters": {"gaps": 2, "trades": frames // 10}, "sockets": {"live": 1},
        "delay": {"topics": {"depth": {"delay_ms": 3.25}}},
    }  # fmt: skip
    classes = {name: {"confirmed": confirmed if name == "LOW" else 0, "waiting": 7 if name == "LOW" else 0, "shed": 0} for name in ("CRITICAL", "LOW")}
    lanes = {"urgent": {"connected": True, "circuit": {"state": "closed"}}}
    return {"uptime_s": uptime_s, "markets": {"a": market, "b": market}, "delivery": {"classes": classes, "lanes": lanes}}


FIRST, SECOND = status(1.0, 100, 50, {"synced": 2}), status(2.0, 600, 1050, {"synced": 1, "buffering": 1})


def screen(raw: str, rows: int = 40) -> list[str]:
    """What stands on a terminal after `raw`, by the few controls that the view uses: carriage return, line feed, up, erase below, colours."""
    lines, y, x = [""] * rows, 0, 0
    for part in re.findall(r"\x1b\[[0-9;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", raw):
        if part == "\r":
            x = 0
        elif part == "\n":
            y, x = y + 1, 0
        elif part.startswith("\x1b"):
            n, what = part[2:-1], part[-1]
            if what == "A":
                y -= int(n or 1)
            elif what == "J":
                lines[y] = lines[y][:x]
                lines[y + 1 :] = [""] * (rows - y - 1)
            else:
                assert what == "m"
        else:
            lines[y] = lines[y][:x].ljust(x) + part + lines[y][x + len(part) :]
            x += len(part)
    return [line.rstrip() for line in "\n".join(lines).rstrip().split("\n")]


def shown(code: str, rows: int = 40, columns: int = 200, **environment: str) -> str:
    """The bytes that a terminal of this size gets from `code`, in which `view` is a StatusView."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    attributes = termios.tcgetattr(theirs)
    attributes[1] &= ~termios.OPOST  # a line feed as it is
    termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    clean = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
    code = f"from p9.ops.terminal import StatusView; from p9.ops import logs; view = StatusView()\n{code}"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=clean | environment, stdout=theirs, stderr=theirs, stdin=theirs, check=True)
    os.close(theirs)
    text = os.read(ours, 50_000).decode()
    os.close(ours)
    return text


TWO_LOOKS = f"view.show({FIRST!r}); view.show({SECOND!r}, ['a: a book is not synced'])"


@needs_terminal
def test_the_second_look_takes_the_place_of_the_first_and_shows_the_rates_of_the_time_between():
    lines = screen(shown(TWO_LOOKS))
    assert lines[0] == "books 2/4 · 1,000 frames/s · 1,000 events/s confirmed · 7 waiting · 4 gaps · up 0:00:02 · not ready: a: a book is not synced"
    assert lines[1].split() == ["market", "books", "frames/s", "trades/s", "lag", "ms", "gaps", "sockets"]
    assert lines[2].split() == ["a", "1/2", "500", "50", "3.2", "2", "1/1"] and lines[3].split()[0] == "b"
    assert lines[4].split()[:2] == ["class", "confirmed/s"] and lines[6].split() == ["LOW", "1,000", "7", "0", "0"]
    assert lines[7] == "bus: urgent up, circuit closed" and len(lines) == 8


@needs_terminal
def test_log_lines_go_above_the_view_and_the_end_is_clean():
    code = f"logs.configure('info', 'json'); logs.OUTPUT.through = view; view.show({FIRST!r}); logs.get('feed').info('socket lost'); logs.get('feed').info('live')"
    lines = screen(shown(code))
    assert '"socket lost"' in lines[0] and '"live"' in lines[1] and lines[2].startswith("books 4/4") and len(lines) == 10
    assert screen(shown(f"{TWO_LOOKS}; view.clear()")) == [""]


@needs_terminal
def test_a_low_or_narrow_terminal_gets_one_line_all_the_same():
    assert len(screen(shown(TWO_LOOKS, rows=12))) == 1
    assert max(len(line) for line in screen(shown(TWO_LOOKS, columns=30))) == 29


@needs_terminal
def test_who_wants_no_colours_gets_none():
    assert "\x1b[32m" in shown(TWO_LOOKS) and "m" not in "".join(re.findall(r"\x1b\[[0-9;]*([A-Za-z])", shown(TWO_LOOKS, NO_COLOR="1")))


def test_without_a_terminal_nothing_is_written(capsys):
    view = StatusView()
    view.show(FIRST)
    view.clear()
    assert capsys.readouterr() == ("", "")


def test_colours_take_no_room():
    assert _cut("\x1b[31mabcdef\x1b[0m", 3) == "\x1b[31mabc\x1b[0m" and _cut("abcdef", 3) == "abc"
    assert (_span(59), _span(3_661), _span(2 * 86_400 + 5)) == ("0:00:59", "1:01:01", "2d 0:00:05")
