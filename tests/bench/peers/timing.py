"""What both peer runners share: where their frames are, and how their CPU time is taken. Standard library only: it runs in the peers' own
environments."""

import argparse
import gc
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TOP = 20  # levels a side that are handed back, to be held against our book


class Stream:
    """One venue's frames as text, as the WebSocket libraries of the peers hand them over."""

    def __init__(self, path: Path):
        held = json.loads(path.read_text())
        self.venue: str = path.stem
        self.snapshot: str = held["snapshot"]
        self.frames: dict[str, list[str]] = held["frames"]

    def of(self, kinds: tuple[str, ...]) -> list[str]:
        """The frames of these kinds, taken in turn."""
        return [frame for row in zip(*(self.frames[kind] for kind in kinds), strict=True) for frame in row]


def cpu_us(prepare: Callable[[], Any], run: Callable[[Any, list[str]], None], frames: list[str], rounds: int) -> tuple[float, Any]:
    """Least CPU of `rounds` runs over all frames, µs a frame (user + system, this process), and the last prepared object."""
    least, made = float("inf"), None
    for _ in range(rounds):
        made = prepare()
        gc.collect()
        began = time.process_time()
        run(made, frames)
        least = min(least, (time.process_time() - began) / len(frames) * 1e6)
    return least, made


def main(peer: str, version: str, measure: Callable[[Stream, int], dict[str, Any]]) -> None:
    """`measure` gives one venue's figures; all of them go out as one line of JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    venues = {path.stem: measure(Stream(path), options.rounds) for path in sorted(options.folder.glob("*.json"))}
    print(json.dumps({"peer": peer, "version": version, "python": platform.python_version(), "venues": venues}), flush=True)
