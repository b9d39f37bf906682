"""The files of one folder, as the spool uses them: whole writes at a place, read back, given up. A simulation hands in one of its own."""

import contextlib
import os
from pathlib import Path
from typing import BinaryIO

from p9.errors import ConfigError

try:
    import fcntl
except ImportError:  # Windows: an open file of ours cannot be removed or replaced by another process, but it can be shared; one process a folder
    fcntl = None  # type: ignore[assignment]

MOST_FOLDERS = 9  # of processes that share a data directory


class Disk:
    """Every method blocks, may raise OSError, and is called from one thread at a time."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._open: dict[str, BinaryIO] = {}
        self._lock: BinaryIO | None = None

    @classmethod
    def of_ours(cls, parent: Path, name: str) -> "Disk":
        """The folder `name` in `parent`, or `name-2`, …: the first that no living process has. It is ours until this process ends. Raises ConfigError."""
        for n in range(1, MOST_FOLDERS + 1):
            disk = cls(parent / (name if n == 1 else f"{name}-{n}"))
            if disk.lock():
                return disk
        raise ConfigError(f"{MOST_FOLDERS} processes use it already", where=str(parent / name), hint="give this one a data_dir of its own")

    def lock(self) -> bool:
        """False: another process has it. The kernel opens the lock when we die."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = open(self.folder / "lock", "ab")  # noqa: SIM115 (kept open)
        except OSError as error:
            raise ConfigError(f"cannot be written: {error.strerror}", where=str(self.folder)) from None
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.close()
                return False
        self._lock = file
        return True

    def names(self) -> list[str]:
        """Of all files. The folder is made if there is none."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return sorted(path.name for path in self.folder.iterdir() if path.is_file())

    def read(self, name: str, offset: int = 0, size: int = -1) -> bytes:
        """`size` bytes, or what there is; -1: to the end."""
        with open(self.folder / name, "rb") as file:
            file.seek(offset)
            return file.read(size)

    def write(self, name: str, offset: int, data: bytes) -> None:
        """All of `data`, over what stood there; a file that is new is made. Durable after `sync`."""
        file = self._open.get(name)
        if file is None:
            path = self.folder / name
            file = self._open[name] = open(path, "r+b" if path.exists() else "w+b", buffering=0)  # noqa: SIM115 (kept open)
        file.seek(offset)
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]

    def sync(self, name: str) -> None:
        """What was written to `name`, and the name itself, survive a power cut."""
        os.fsync(self._open[name].fileno())
        if os.name == "posix":
            folder = os.open(self.folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def remove(self, name: str) -> None:
        """A name that is gone already is no error."""
        self.release(name)
        with contextlib.suppress(FileNotFoundError):
            (self.folder / name).unlink()

    def release(self, name: str) -> None:
        """Nothing more is written to it."""
        file = self._open.pop(name, None)
        if file is not None:
            file.close()

    def close(self) -> None:
        for name in list(self._open):
            self.release(name)
        if self._lock is not None:
            self._lock.close()
            self._lock = None
