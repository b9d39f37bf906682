"""The disk under stored snapshots: records behind each other in their book's files, the oldest files removed by age and by size.

Every method blocks and is called from one thread at a time, never from the loop's. Nothing is synced: a kill loses nothing that was written, a power
cut what the system had not brought to the disk; a record that is cut off is found by its checksum. A file of an earlier run is never written to again.
"""

import contextlib
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import structlog
from cext.film import Frame

from p9.client.film import KEY
from p9.snapshots.folder import FILE_MS, File, book_folder, books, file_name, files_of

log = structlog.get_logger(__name__)

SHARE = 8  # a book's file is closed when it has this part of what its book may use: what is written to is never most of the bound
LEAST_BYTES = 64 << 10


class _Book:
    """The file that is written to; None: the next key frame begins one."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.path: Path | None = None
        self.began_ms = self.last_ms = 0
        self.size = 0


class Shelf:
    """`keep_ms`: what is older goes; `max_bytes`: of all files together, between two sweeps a minute's more; `min_free`: of the disk, for others."""

    def __init__(self, root: Path, *, epoch: int, max_bytes: int, keep_ms: int, min_free: int = 0):
        self.root, self.epoch, self.max_bytes, self.keep_ms, self.min_free = root, epoch, max_bytes, keep_ms, min_free
        self.counts: Counter[str] = Counter()
        self.error = ""  # of the disk, while it refuses
        self.n_bytes = self.n_files = 0
        self.oldest_ms: int | None = None
        self._books: list[_Book] = []

    def add(self, exchange: str, symbol: str) -> int:
        """One more book; its number. Raises ValueError for what cannot be a name."""
        folder = book_folder(self.root, exchange, symbol)
        if folder is None:
            raise ValueError(f"{exchange} {symbol!r} cannot be the name of a book")
        self._books.append(_Book(folder))
        return len(self._books) - 1

    def empty(self) -> None:
        """Remove everything that an earlier run has left."""
        for _, _, folder in books(self.root):
            for file in files_of(folder):
                file.path.unlink(missing_ok=True)

    def write(self, number: int, records: list[tuple[Frame, bytes]]) -> bool:
        """Of one book, in their order. False: the disk does not take them; the next one must be a key frame."""
        book, begin = self._books[number], 0
        try:
            for n, (frame, _) in enumerate(records):
                if frame.kind == KEY and self._is_full(book, frame.at_ms):
                    self._append(book, records[begin:n])
                    begin = n
                    self._new_file(book, frame.at_ms)
                book.last_ms = frame.at_ms
            self._append(book, records[begin:])
        except OSError as error:
            book.path = None
            self.counts["errors"] += 1
            self._refused(error)
            return False
        return True

    def recovered(self) -> None:
        """Everything was taken again."""
        if self.error:
            self.error = ""
            log.info("the disk takes snapshots again", folder=str(self.root))

    def _is_full(self, book: _Book, at_ms: int) -> bool:
        most = max(LEAST_BYTES, self.max_bytes // (SHARE * len(self._books)))
        return book.path is None or at_ms - book.began_ms >= FILE_MS or at_ms < book.last_ms or book.size >= most

    def _new_file(self, book: _Book, at_ms: int) -> None:
        book.folder.mkdir(parents=True, exist_ok=True)
        path = book.folder / file_name(at_ms, self.epoch)
        with contextlib.suppress(FileNotFoundError):
            path.unlink()  # our clock stepped back to that very turn
        path.touch()
        book.path, book.began_ms, book.size = path, at_ms, 0

    def _append(self, book: _Book, records: list[tuple[Frame, bytes]]) -> None:
        if not records:
            return
        if book.path is None:
            raise OSError("changes without a file that they could follow")
        data = b"".join(record for _, record in records)
        fd = os.open(book.path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))  # not made anew: a file that was swept away must begin with a key frame
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
        finally:
            os.close(fd)
        book.size += len(data)
        self.n_bytes += len(data)
        self.counts["records"] += len(records)

    def _refused(self, error: OSError) -> None:
        if not self.error:
            self.error = error.strerror or str(error)
            log.error("the disk refuses snapshots", error=self.error, folder=str(self.root))

    def sweep(self, now_ms: int) -> None:
        """Remove what is older than `keep_ms`, then the oldest, until the rest fits the bound."""
        try:
            self._sweep(now_ms)
        except OSError as error:
            self.counts["errors"] += 1
            self._refused(error)

    def _sweep(self, now_ms: int) -> None:
        kept: list[tuple[File, int]] = []
        for _, _, folder in books(self.root):
            files = files_of(folder)
            for file, following in zip(files, [*files[1:], None], strict=False):
                with contextlib.suppress(FileNotFoundError):  # another process sweeps too
                    stat = file.path.stat()
                    ends_ms = following.first_ms if following is not None else round(stat.st_mtime * 1000)
                    if ends_ms < now_ms - self.keep_ms:
                        self._remove(file, "aged")
                    else:
                        kept.append((file, stat.st_size))
            if not files:
                with contextlib.suppress(OSError):
                    folder.rmdir()
        kept.sort()
        total = sum(size for _, size in kept)
        most = self.max_bytes
        if self.min_free and self.root.is_dir():
            most = min(most, total + shutil.disk_usage(self.root).free - self.min_free)
        written = {book.path for book in self._books}
        gone = 0
        for file, size in kept:
            if total <= most:
                break
            if file.path not in written:
                self._remove(file, "over_bound")
                total -= size
                gone += 1
        self.n_bytes, self.n_files = total, len(kept) - gone
        self.oldest_ms = kept[gone][0].first_ms if gone < len(kept) else None

    def _remove(self, file: File, why: str) -> None:
        file.path.unlink(missing_ok=True)
        self.counts[f"removed_{why}"] += 1

    def status(self) -> dict[str, Any]:
        return {
            "folder": str(self.root), "bytes": self.n_bytes, "max_bytes": self.max_bytes, "files": self.n_files, "oldest_ms": self.oldest_ms,
            "error": self.error, **{name: self.counts[name] for name in ("records", "errors", "removed_aged", "removed_over_bound")},
        }  # fmt: skip
