"""The appliance that works in a data folder: the lock that says so, and how another process asks it to stop.

The lock is the operating system's: it ends with the process, however that ends, so nothing stale is ever believed.
"""

import contextlib
import os
import sys
import time
from pathlib import Path

POLL_S = 0.05
_LOCKED_BYTE = 1 << 20  # Windows locks bytes against reading too: one that nobody reads


class Instance:
    """The appliance that owns `folder`, seen from inside it or from another process."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._lock_path = folder / "p9_microstream.lock"
        self._stop_path = folder / "p9_microstream.stop"
        self._fd = -1

    def claim(self) -> bool:
        """False: another one has it already, and is the one that hears `stop`."""
        fd = os.open(self._lock_path, os.O_RDWR | os.O_CREAT, 0o644)
        if not _lock(fd):
            os.close(fd)
            return False
        os.truncate(fd, 0)
        os.write(fd, b"%d\n" % os.getpid())
        self._fd = fd
        self._stop_path.unlink(missing_ok=True)  # asked for the one before us
        return True

    def release(self) -> None:
        """May be called twice, or without a claim."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            with contextlib.suppress(OSError):
                self._stop_path.unlink(missing_ok=True)
            os.close(fd)

    def asked_to_stop(self) -> bool:
        return self._fd >= 0 and self._stop_path.exists()

    def whose(self) -> str:
        """The process that has it, in words; empty when nobody tells."""
        try:
            return f"process {int(self._lock_path.read_text())}"
        except (OSError, ValueError):
            return ""

    def stop(self, timeout_s: float) -> bool:
        """From another process: ask, and wait for the end. False when there was nothing to stop. Raises TimeoutError."""
        if not self._running():
            return False
        self._stop_path.touch()
        deadline_s = time.monotonic() + timeout_s
        while self._running():
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"the appliance ({self.whose()}) was asked to stop and still runs after {timeout_s:.0f} s")
            time.sleep(POLL_S)
        return True

    def _running(self) -> bool:
        try:
            fd = os.open(self._lock_path, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            return not _lock(fd)
        finally:
            os.close(fd)


def _lock(fd: int) -> bool:
    """Whether nobody else had it; held until `fd` is closed."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(fd, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
            os.lseek(fd, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
