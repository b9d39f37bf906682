"""Rows of history on disk: compressed CSV or JSON lines that survive a kill.

Rows are written in chunks, each a gzip member of its own; the checkpoint beside the file is renewed after a chunk is on disk. Whoever takes the file up
again cuts it there, so that it ends the same, byte for byte, however often it was interrupted. While it grows it is called `.part`.
"""

import gzip
import hashlib
import os
from pathlib import Path
from typing import IO, Any, Literal

import msgspec

from p9.errors import ConfigError
from p9.history import Row
from p9.market.walk import Hole, Position

CHUNK_ROWS = 5_000
MANIFEST = ".manifest.json"
LEVEL = 6  # of compression
Form = Literal["csv", "jsonl"]


class Checkpoint(msgspec.Struct):
    """How far a file has come. `identity` says of what; another one does not continue it."""

    identity: dict[str, Any]
    bytes: int = 0
    rows: int = 0
    position: Position | None = None  # behind the last row on disk
    first_ns: int | None = None
    last_ns: int | None = None
    holes: list[Hole] = []
    archives: dict[str, str] = {}  # {address: SHA-256} of what was taken from archives
    done: bool = False


class Manifest(msgspec.Struct):
    """What a finished file holds, beside it as `.manifest.json`."""

    identity: dict[str, Any]
    rows: int
    first_ns: int | None
    last_ns: int | None
    bytes: int
    sha256: str
    holes: list[Hole]
    archives: dict[str, str]
    limits: str = ""


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def write_through(path: Path, data: bytes) -> None:
    """Atomically, and on disk when this returns."""
    new = _beside(path, ".new")
    with new.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def publish(part: Path, path: Path) -> None:
    """Give a file that is whole and on disk its name."""
    part.replace(path)
    _sync_folder(path.parent)


def write_manifest(path: Path, manifest: Manifest) -> Manifest:
    """With the file's own size and checksum."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    manifest = msgspec.structs.replace(manifest, bytes=path.stat().st_size, sha256=sha256)
    write_through(_beside(path, MANIFEST), msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
    return manifest


def remove(path: Path) -> None:
    """A file that has served, and what is said of it."""
    path.unlink(missing_ok=True)
    _beside(path, MANIFEST).unlink(missing_ok=True)


def finished(path: Path) -> Manifest | None:
    """What is said of a file that is complete; None if it is not, or is none of ours."""
    try:
        manifest = msgspec.json.decode(_beside(path, MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError):
        return None
    return manifest if path.exists() and path.stat().st_size == manifest.bytes else None


class HistoryFile:
    """`path` is the finished file. `step_ns`: of rows with intervals."""

    def __init__(self, path: Path, identity: dict[str, Any], form: Form, row: type[Row], *, step_ns: int = 0, by_id: bool = False):
        self.path, self.form, self.row = path, form, row
        self.checkpoint = Checkpoint(identity)
        self.resumed = False
        self._part, self._note = _beside(path, ".part"), _beside(path, ".checkpoint")
        self._step_ns, self._by_id = step_ns, by_id
        self._waiting: list[Row] = []
        self._file: IO[bytes] | None = None
        self._columns = row.__struct_fields__
        self._encode = msgspec.json.Encoder().encode

    @property
    def rows(self) -> int:
        """On disk and waiting for it."""
        return self.checkpoint.rows + len(self._waiting)

    def open(self) -> None:
        """Begin, or go on where an earlier run was interrupted. Raises ConfigError if the file is there and is no part of this."""
        if self.path.exists() and not self._note.exists():
            raise ConfigError(f"{self.path} is there already", where="--out", hint="name another, or remove it")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            known = msgspec.json.decode(self._note.read_bytes(), type=Checkpoint)
        except (OSError, msgspec.DecodeError):
            known = None
        if known is not None and known.identity != self.checkpoint.identity:
            raise ConfigError(f"{self._note} belongs to something else", where="--out", hint="name another file, or remove it")
        if known is not None and (known.done or (self._part.exists() and self._part.stat().st_size >= known.bytes)):
            self.checkpoint, self.resumed = known, known.rows > 0 or known.done
        if not self.checkpoint.done:
            self._file = self._part.open("r+b" if self._part.exists() else "w+b")
            self._file.truncate(self.checkpoint.bytes)
            self._file.seek(0, os.SEEK_END)

    def close(self) -> None:
        """Leave it as it is; `open` goes on from the last checkpoint."""
        if self._file is not None:
            self._file.close()

    def add(self, rows: list[Row], holes: list[Hole]) -> None:
        """The next rows, in order, and all holes found so far."""
        self._waiting += rows
        while len(self._waiting) >= CHUNK_ROWS:
            self._write(self._waiting[:CHUNK_ROWS], holes)
            del self._waiting[:CHUNK_ROWS]

    def finish(self, holes: list[Hole], limits: str = "") -> Manifest:
        """Write what waits, and give the file its name. What a kill interrupts here, the next run does again."""
        if not self.checkpoint.done:
            if self._waiting or not self.checkpoint.rows:
                self._write(self._waiting, holes)
                self._waiting = []
            self.checkpoint.holes = list(holes)
            self.checkpoint.done = True
            self._save()
        self.close()
        if self._part.exists():
            publish(self._part, self.path)
        known = self.checkpoint
        manifest = write_manifest(
            self.path, Manifest(known.identity, known.rows, known.first_ns, known.last_ns, 0, "", known.holes, known.archives, limits)
        )
        self._note.unlink(missing_ok=True)
        return manifest

    # ---- chunks

    def _write(self, rows: list[Row], holes: list[Hole]) -> None:
        text = b"".join(map(self._line, rows))
        if self.form == "csv" and not self.checkpoint.rows:
            text = ",".join(self._columns).encode() + b"\n" + text
        assert self._file is not None
        self._file.write(gzip.compress(text, LEVEL, mtime=0))
        self._file.flush()
        os.fsync(self._file.fileno())
        known = self.checkpoint
        known.bytes = self._file.tell()
        known.rows += len(rows)
        if rows:
            known.first_ns = rows[0].time if known.first_ns is None else known.first_ns
            known.last_ns = rows[-1].time
            known.position = self._behind(rows[-1])
            known.holes = [hole for hole in holes if hole.last < (int(rows[-1].id) if hole.by_id else rows[-1].time)]  # type: ignore[union-attr]
        self._save()

    def _behind(self, row: Row) -> Position:
        if self._by_id:
            return Position(row.time, int(row.id) + 1)  # type: ignore[union-attr]
        return Position(row.time + (self._step_ns or 1))

    def _line(self, row: Row) -> bytes:
        if self.form == "jsonl":
            return self._encode(row) + b"\n"
        return ",".join([_cell(getattr(row, name)) for name in self._columns]).encode() + b"\n"

    def _save(self) -> None:
        write_through(self._note, msgspec.json.encode(self.checkpoint))


def _cell(value: Any) -> str:
    """None is empty; nothing that a venue of ours names needs quotes."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def read(path: Path, row: type[Row]) -> Any:
    """The rows of a finished file of either form, one by one. Raises ConfigError where it cannot be read as such."""
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="\n") as lines:
            if ".jsonl" in path.suffixes:
                decoder = msgspec.json.Decoder(row)
                for line in lines:
                    yield decoder.decode(line)
                return
            if next(lines).rstrip("\n").split(",") != list(row.__struct_fields__):
                raise ConfigError(f"{path} has other columns", where=str(path))
            for line in lines:
                cells = [None if cell == "" else cell for cell in line.rstrip("\n").split(",")]
                yield msgspec.convert(dict(zip(row.__struct_fields__, cells, strict=True)), row, strict=False)
    except (OSError, EOFError, msgspec.DecodeError, msgspec.ValidationError, ValueError) as error:
        raise ConfigError(f"cannot be read: {error}", where=str(path)) from None
