"""Logs as a machine and as a person read them, from a process of their own: what standard error is decides."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPEAKS = """
from p9.ops import logs
logs.configure(*{words!r})
log = logs.get("feed")
log.debug("too small")
log.info("socket lost", market="m", n=3)
try:
    1 / 0
except ZeroDivisionError:
    log.exception("broke")
"""


def spoken(*words: str, stderr: int = subprocess.PIPE) -> str:
    ran = subprocess.run([sys.executable, "-c", SPEAKS.format(words=words)], cwd=ROOT, stderr=stderr, text=True, check=True)
    return ran.stderr or ""


@pytest.mark.parametrize("words", [("info", "json"), ("info", "auto"), ()])
def test_where_nobody_watches_a_line_is_json_with_stable_names(words):
    lost, broke = map(json.loads, spoken(*words).splitlines())
    assert lost.pop("timestamp").endswith("Z")
    assert lost == {"event": "socket lost", "part": "feed", "market": "m", "n": 3, "level": "info"}
    assert broke["level"] == "error" and "ZeroDivisionError" in broke["exception"]


def test_debug_shows_more_and_error_less():
    assert len(spoken("debug", "json").splitlines()) == 3
    assert [json.loads(line)["event"] for line in spoken("error", "json").splitlines()] == ["broke"]


def test_text_is_for_people():
    text = spoken("info", "text")
    assert "socket lost" in text and not text.startswith("{")


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no terminals to be had")
def test_a_terminal_is_a_person():
    ours, theirs = os.openpty()
    spoken("info", "auto", stderr=theirs)
    os.close(theirs)
    text = os.read(ours, 10_000).decode()
    os.close(ours)
    assert "socket lost" in text and not text.startswith("{")


FLOODS = """
from pathlib import Path
from p9.ops import logs
logs.configure("info", "json")
logs.write_file(Path({path!r}), {most}, 2)
for n in range({n}):
    logs.get("feed").info("socket lost", n=n)
logs.get("feed").info("live", n=-1)
now = logs.time.monotonic
logs.time.monotonic = lambda: now() + 11
logs.get("feed").info("socket lost", n={n})
logs.close_file()
print(logs.FILE.left_out)
"""


def flooded(path: Path, n: int, most: int) -> list[dict]:
    code = FLOODS.format(path=str(path), n=n, most=most)
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "0"
    return [json.loads(line) for line in ran.stderr.splitlines()]


def test_a_part_that_repeats_itself_is_cut_short_and_the_next_line_says_by_how_much(tmp_path):
    lines = flooded(tmp_path / "log.jsonl", 200, 1 << 20)
    lost = [line for line in lines if line["event"] == "socket lost"]
    assert [line["n"] for line in lost] == [*range(50), 200] and lost[-1]["suppressed"] == 150
    assert [line["n"] for line in lines if line["event"] == "live"] == [-1], "others are not cut short for it"


def test_the_file_has_the_same_lines_and_is_rotated(tmp_path):
    path = tmp_path / "logs" / "log.jsonl"
    said = flooded(path, 40, 1000)
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["log.jsonl", "log.jsonl.1", "log.jsonl.2"]
    kept = [json.loads(line) for file in reversed(files) for line in file.read_text().splitlines()]
    assert kept == said[-len(kept) :] and all(file.stat().st_size <= 1000 for file in files)


def test_a_place_that_cannot_be_written_costs_the_file_and_nothing_else(tmp_path):
    (tmp_path / "taken").write_text("")
    said = flooded(tmp_path / "taken" / "log.jsonl", 2, 1000)
    assert [line["event"] for line in said] == ["no log file", "socket lost", "socket lost", "live", "socket lost"]


def test_a_secret_is_covered_whoever_says_it_and_however_it_comes(tmp_path):
    """In a value, in an error's text, in a list, in the file and among the recent lines."""
    code = f"""
import json
from pathlib import Path
from p9 import secret
from p9.ops import logs
secret.learn("open-sesame-1234")
logs.configure("info", "json")
logs.write_file(Path({str(tmp_path / "log.jsonl")!r}), 1 << 20, 1)
log = logs.get("feed")
log.info("refused open-sesame-1234", reason="Invalid key open-sesame-1234", rows=["open-sesame-1234"], n=3, none=None, error=ValueError("open-sesame-1234"))
try:
    raise ValueError("open-sesame-1234")
except ValueError:
    log.exception("broke")
logs.close_file()
print(json.dumps(list(logs.RECENT.lines)))
"""
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    written = (tmp_path / "log.jsonl").read_text()
    assert len(ran.stderr.splitlines()) == len(written.splitlines()) == len(json.loads(ran.stdout)) == 2
    assert json.loads(ran.stderr.splitlines()[0])["reason"] == "Invalid key ***" and json.loads(ran.stderr.splitlines()[0])["n"] == 3
    assert "sesame" not in ran.stderr + ran.stdout + written
