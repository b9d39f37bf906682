"""CONTRACT endless inputs, and what must hold for each of them. One class a kind of door; the list of them is in targets.py."""

from collections.abc import Callable
from random import Random
from typing import NamedTuple


class Finding(AssertionError):
    """Something that must not be. `kind` is the same for findings of one cause, as far as one can tell."""

    def __init__(self, kind: str, detail: str = ""):
        super().__init__(kind, detail)
        self.kind, self.detail = kind, detail

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


class Target:
    """`make` invents an input, `check` puts it through the code. An input is bytes, so that it can be kept in a file and tried again."""

    def __init__(self, random: Random):
        self.random = random

    def make(self) -> bytes:
        raise NotImplementedError

    def check(self, given: bytes) -> int:
        """How many frames it was. Raises Finding, or whatever the code raised and must not."""
        raise NotImplementedError

    def pieces(self, given: bytes) -> list[bytes]:
        """What may be left out of an input for a smaller one."""
        return [given[i : i + 1] for i in range(len(given))]


class Row(NamedTuple):
    """One line of a table of targets."""

    make: Callable[..., Target]  # of a Random
    share: float  # of the time
