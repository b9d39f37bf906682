"""What is different when this runs as the one executable: its folder, the bootloader above it, the window that closes with it."""

import _thread
import ctypes
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
SYNCHRONIZE = 0x00100000  # the right to wait for a process
FOREVER = 0xFFFFFFFF
STD_INPUT = -10


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
    """Be told to stop when the bootloader is killed outright: it passes signals on, but it cannot pass on its own death. Linux and Windows."""
    if sys.platform == "win32":
        _watch_parent()
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it died before the tie was made
        os.kill(os.getpid(), signal.SIGTERM)


def _watch_parent() -> None:
    """Windows: a thread that waits for the parent's end, and then does as Ctrl-C does."""
    kernel: Any = ctypes.WinDLL("kernel32")
    kernel.OpenProcess.restype = ctypes.c_void_p
    parent = kernel.OpenProcess(SYNCHRONIZE, False, os.getppid())
    if parent is None:  # it is gone already, and nothing has begun
        os._exit(130)

    def wait() -> None:
        kernel.WaitForSingleObject(ctypes.c_void_p(parent), FOREVER)
        _thread.interrupt_main()

    threading.Thread(target=wait, name="bootloader", daemon=True).start()


def speak_utf8() -> None:
    """Windows hands text into a pipe or a file in the machine's old code page, which lacks most of the world's letters."""
    for stream in (sys.stdout, sys.stderr):
        if sys.platform == "win32" and stream is not None and not stream.isatty():
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def hold_window() -> None:
    """Windows: the window that a double-click opened would close and take the error with it. Waits for a key, if the window is ours alone."""
    if sys.platform != "win32":
        return
    kernel: Any = ctypes.WinDLL("kernel32")
    kernel.GetStdHandle.restype = ctypes.c_void_p
    if not kernel.GetConsoleMode(ctypes.c_void_p(kernel.GetStdHandle(STD_INPUT)), ctypes.byref(ctypes.c_uint32())):
        return  # nobody types there; isatty() takes the null device for somebody
    processes = (ctypes.c_uint32 * 8)()
    n = kernel.GetConsoleProcessList(processes, 8)  # 0: no console
    if 0 < n <= (2 if single_file() else 1):  # the bootloader is one of them; a shell would be another
        input("Press Enter to close this window.")
