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
