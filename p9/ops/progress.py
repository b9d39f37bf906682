"""How far a long piece of work has come: a bar on a terminal, a plain line now and then elsewhere."""

import shutil
import sys
import time
from collections.abc import Callable
from typing import TextIO

BAR = 24
PLAIN_EVERY_S = 10.0


class Progress:
    """`show` as often as you like. `clear()` before anything else is printed."""

    def __init__(self, stream: TextIO | None = None, *, clock_s: Callable[[], float] = time.monotonic):
        self._stream = stream if stream is not None else sys.stderr
        self._clock_s = clock_s
        self._bar = self._stream.isatty()
        self._said_s = clock_s()
        self._began: tuple[str, float, float] | None = None  # whose, when, and how far it had come by then

    def show(self, share: float, name: str, figures: str) -> None:
        """`name`: what it is about (its first two words tell one piece of work from the next), and where it stands."""
        now_s = self._clock_s()
        whose = " ".join(name.split()[:2])
        if self._began is None or self._began[0] != whose:
            self._began = (whose, now_s, share)
        left = self._left(share, now_s)
        text = f"{share:4.0%}{left}  {name}  {figures}"
        if self._bar:
            done = round(share * BAR)
            line = f"[{'#' * done}{'.' * (BAR - done)}] {text}"
            self._stream.write("\r\x1b[2K" + line[: shutil.get_terminal_size().columns - 1])
            self._stream.flush()
        elif now_s - self._said_s >= PLAIN_EVERY_S:
            self._said_s = now_s
            self._stream.write(text + "\n")
            self._stream.flush()

    def _left(self, share: float, now_s: float) -> str:
        """About how long it will take, once there is a pace to tell it by."""
        assert self._began is not None
        _, began_s, began_share = self._began
        if now_s - began_s < 2.0 or share <= began_share or share >= 1.0:
            return ""
        left_s = (now_s - began_s) * (1.0 - share) / (share - began_share)
        return f", {left_s:.0f} s to go" if left_s < 100 else f", {left_s / 60:.0f} min to go"

    def clear(self) -> None:
        if self._bar:
            self._stream.write("\r\x1b[2K")
            self._stream.flush()
