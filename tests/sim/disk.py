"""The spool's disk, in memory: it survives the appliance, can be full, fail in the middle of a write, and forget how a bit stood."""

import errno
from collections import Counter
from collections.abc import Callable
from random import Random

from tests.sim.loop import VirtualLoop


class Disk:
    """As p9.delivery.spool.Files wants it. `on_power_cut` is called in the midst of a write, of which only a part has come to the disk."""

    folder = "spool"

    def __init__(self, loop: VirtualLoop, random: Random):
        self._loop, self._random = loop, random
        self.files: dict[str, bytearray] = {}
        self.counts: Counter[str] = Counter()
        self.full_until_s = 0.0
        self.bad_since_s: float | None = None  # since when it has not taken everything
        self.cuts_power = False
        self.on_power_cut: Callable[[], None] = lambda: None

    def names(self) -> list[str]:
        return sorted(self.files)

    def read(self, name: str, offset: int = 0, size: int = -1) -> bytes:
        data = self.files[name]
        return bytes(data[offset:] if size < 0 else data[offset : offset + size])

    def write(self, name: str, offset: int, data: bytes) -> None:
        self.counts["writes"] += 1
        if self._loop.now_s < self.full_until_s:
            self.bad_since_s = self._loop.now_s if self.bad_since_s is None else self.bad_since_s
            self.counts["refused"] += 1
            raise OSError(errno.ENOSPC, "No space left on device")
        if self.cuts_power:
            self.cuts_power = False
            self._put(name, offset, data[: self._random.randrange(len(data))])
            self.on_power_cut()
            raise OSError(errno.EIO, "Input/output error")
        self.bad_since_s = None
        self._put(name, offset, data)

    def _put(self, name: str, offset: int, data: bytes) -> None:
        self.files.setdefault(name, bytearray())[offset : offset + len(data)] = data

    def sync(self, name: str) -> None:
        pass

    def remove(self, name: str) -> None:
        self.files.pop(name, None)

    def release(self, name: str) -> None:
        pass

    def close(self) -> None:
        pass

    def flip(self) -> bool:
        """One bit of what is stored stands otherwise. False: nothing is stored."""
        names = [name for name, data in sorted(self.files.items()) if data]
        if not names:
            return False
        data = self.files[self._random.choice(names)]
        data[self._random.randrange(len(data))] ^= 1 << self._random.randrange(8)
        self.counts["flipped"] += 1
        return True
