"""What is different when this runs as the one executable: its folder, the bootloader above it, the window that closes with it."""

import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1


def folder() -> Path | None:
    """Where the executable lies; None when run from source."""
    return Path(sys.executable).resolve().parent if getattr(sys, "frozen", False) else None


def single_file() -> bool:
    """Whether a bootloader has unpacked us and waits for our end."""
    home = folder()
    return home is not None and home not in Path(sys._MEIPASS, "x").resolve().parents  # type: ignore[attr-defined]


def write_config() -> Path | None:
    """The shipped configuration, beside the executable, for a person to find and change; None from source. Raises OSError, and then leaves nothing."""
    home = folder()
    if home is None:
        return None
    text = Path(sys._MEIPASS, "p9", "config.yaml").read_text(encoding="utf-8")  # type: ignore[attr-defined]
    path = home / "config.yaml"
    with path.open("x", encoding="utf-8") as file:
        try:
            file.write(text)
            file.flush()
        except OSError:
            path.unlink(missing_ok=True)
            raise
    return path


def end_with_parent() -> None:
    """Linux: be told to stop when the parent is killed outright. The bootloader passes signals on, but it cannot pass on SIGKILL."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it died before the tie was made
        os.kill(os.getpid(), signal.SIGTERM)


def hold_window() -> None:
    """Windows: the window that a double-click opened would close and take the error with it. Waits for a key, if the window is ours alone."""
    if sys.platform != "win32" or sys.stdin is None or not sys.stdin.isatty():
        return
    processes = (ctypes.c_uint32 * 8)()
    n = ctypes.windll.kernel32.GetConsoleProcessList(processes, 8)  # 0: no console
    if 0 < n <= (2 if single_file() else 1):  # the bootloader is one of them; a shell would be another
        input("Press Enter to close this window.")
