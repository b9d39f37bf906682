"""CONTRACT of what can be looked at, and how it is shown to many at once: one state, its changes, and a few lists that only grow."""

from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar

import msgspec

from p9.ops.dashboard.patch import merge_patch


class View:
    """One thing to look at. It is made when the first viewer comes and closed when the last one has gone.

    `look(now_s)` is asked each `every_s` and answers with the whole state as plain data; None stands for what is not known. What only grows (the
    tape, the log) goes through `add(list, row)`; `kept` says how many rows of each list a newcomer gets.
    """

    every_s = 1.0
    kept: ClassVar[dict[str, int]] = {}

    def __init__(self) -> None:
        self.added: dict[str, list[Any]] = {}

    async def open(self) -> None:
        """Fetch what was before. What fails is left out."""

    def close(self) -> None:
        """Nobody looks any more."""

    def look(self, now_s: float) -> dict[str, Any]:
        return {}

    def add(self, name: str, *rows: Any) -> None:
        self.added.setdefault(name, []).extend(rows)


class Shown:
    """A View with its viewers: asks it in its own time, and has for each the change since the last answer, and the whole for who missed one."""

    def __init__(self, key: str, view: View):
        self.key, self.view = key, view
        self.viewers: set[Any] = set()
        self.opened = False  # what was before is fetched
        self._state: dict[str, Any] = {}
        self._lists: dict[str, deque[Any]] = {name: deque(maxlen=n) for name, n in view.kept.items()}
        self._due_s = 0.0
        self._n = 0
        self._patch = b""
        self._full = b""

    def tick(self, now_s: float) -> bool:
        """Look again, if it is time. True if there is something to be said: `patch`, and `full` as of now."""
        if now_s < self._due_s:
            return False
        self._due_s = max(self._due_s + self.view.every_s, now_s + self.view.every_s / 2)
        state = self.view.look(now_s)
        added, self.view.added = self.view.added, {}
        for name, rows in added.items():
            self._lists[name].extend(rows)
        patch = merge_patch(self._state, state)
        self._state = state
        self._full = b""
        if not patch and not added and self._n:
            return False
        self._n += 1
        self._patch = msgspec.json.encode({"view": self.key, "n": self._n, "patch": patch, "add": added})
        return True

    @property
    def patch(self) -> bytes:
        return self._patch

    @property
    def full(self) -> bytes:
        """The whole state, for a newcomer or one that was too slow; written once, however many want it."""
        if not self._full:
            self._full = msgspec.json.encode(
                {"view": self.key, "n": self._n, "full": self._state, "kept": self.view.kept, "lists": {name: list(rows) for name, rows in self._lists.items()}}
            )
        return self._full


MakeView = Callable[[dict[str, str]], View | None]
