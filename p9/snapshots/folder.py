"""Where stored snapshots stand on disk: a folder a book, in it a file for an hour at most, whose name tells when it begins.

    snapshots/{exchange}/{symbol}/{turn of its first frame in ms}-{epoch of the writer}.p9s

A file begins with a key frame, so each can be read alone. Names come from venues and from users: whatever is not plain is written as %XX, so that no
name leads anywhere else, and none depends on what a file system takes for equal.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

FILE_MS = 3_600_000  # a file spans no more, up to the next key frame
_FILE = re.compile(r"(\d{1,18})-(\d{1,18})\.p9s", re.ASCII)
_EXCHANGE = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
LONGEST_SYMBOL = 80  # bytes


class File(NamedTuple):
    first_ms: int
    epoch: int
    path: Path


def book_folder(root: Path, exchange: str, symbol: str) -> Path | None:
    """Of one book; None for what can be no name of one."""
    text = symbol.encode("utf-8", "surrogatepass")
    if not _EXCHANGE.fullmatch(exchange) or not 0 < len(text) <= LONGEST_SYMBOL:
        return None
    return root / exchange / "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in text)


def file_name(first_ms: int, epoch: int) -> str:
    return f"{first_ms:013d}-{epoch}.p9s"


def files_of(folder: Path) -> list[File]:
    """The files of one book, oldest first; other files are left alone. Raises OSError."""
    found = []
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for path in folder.iterdir():
            match = _FILE.fullmatch(path.name)
            if match:
                found.append(File(int(match[1]), int(match[2]), path))
    return sorted(found)


def books(root: Path) -> Iterator[tuple[str, str, Path]]:
    """(exchange, symbol, folder) of every book that has a folder, by name. Raises OSError."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for exchange in sorted(root.iterdir()):
            if _EXCHANGE.fullmatch(exchange.name) and exchange.is_dir():
                for folder in sorted(exchange.iterdir()):
                    yield exchange.name, unquote(folder.name), folder
