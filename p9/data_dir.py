"""Where state is kept: beside the configuration if that can be written, else the system's place for it."""

import contextlib
import os
import sys
import tempfile
from pathlib import Path

from p9 import executable
from p9.errors import ConfigError


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _system() -> Path:
    """Raises RuntimeError for a user without a home."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "p9_microstream"
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "p9_microstream"


def resolve(configured: str, config_path: Path | None) -> Path:
    """The folder, made and writable. Raises ConfigError."""
    if configured:
        folder = Path(configured).expanduser()
        if not _writable(folder):
            raise ConfigError(f"{folder} cannot be written", where="data_dir", hint="name another folder, or give this user the right to write")
        return folder
    if config_path is not None:
        choices = [config_path.resolve().parent / "data"]
    elif (beside := executable.folder()) is not None:
        choices = [beside / "data"]
    else:
        choices = []
    with contextlib.suppress(RuntimeError):
        choices.append(_system())
    choices.append(Path(tempfile.gettempdir()) / f"p9_microstream-{os.getuid() if hasattr(os, 'getuid') else 'state'}")
    for folder in choices:
        if _writable(folder):
            return folder
    raise ConfigError(f"none of {', '.join(map(str, choices))} can be written", where="data_dir", hint="name a folder that can")
