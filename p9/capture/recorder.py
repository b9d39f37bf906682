"""Recording: raw frames and REST answers to disk, one series of gzip files a market, written by a thread.

    {"recv_ns":1723161253937085768,"market":"venue_spot","raw":<frame as it came>}
    {"recv_ns":1723161253990000000,"market":"venue_spot","url":"https://...","raw":<body as it came>}
    {"recv_ns":1723161254000000000,"market":"venue_spot","lost":12}       so many lines of about this time were not written: the queue was full

A frame that is not JSON on one line (the bare pong, a broken one) is kept as a JSON string. The hot loop only appends to a bounded queue.
"""

import gzip
import queue
import re
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import msgspec

from p9.errors import RecordingError

BATCH = 512  # lines in one write
LINE_ROOM = 100  # bytes around a frame


class RecorderSettings(msgspec.Struct, frozen=True):
    """Bounds of what is recorded."""

    max_queue_bytes: int = 64 << 20
    max_file_bytes: int = 256 << 20  # before compression
    file_s: float = 3600.0
    level: int = 3  # of gzip


class _File:
    """The open file of one market."""

    def __init__(self, path: Path, opened_s: float, level: int):
        self.path, self.opened_s, self.size = path, opened_s, 0
        self.out: IO[bytes] = gzip.open(path, "xb", compresslevel=level)  # noqa: SIM115 - it outlives this call


class Recorder:
    """`directory` is made if need be. Raises RecordingError where it cannot be written. Close it: what is queued is written then."""

    def __init__(self, directory: Path, settings: RecorderSettings | None = None):
        self.settings = settings or RecorderSettings()
        self.counts: Counter[str] = Counter()  # written, lost, bytes
        self.failure = ""  # why nothing is written any more
        self._directory = directory
        self._queue: queue.SimpleQueue[tuple[int, str, str | None, bytes] | None] = queue.SimpleQueue()
        self._queued = 0
        self._lost: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._files: dict[str, _File] = {}
        try:
            directory.mkdir(parents=True, exist_ok=True)
            probe = directory / ".p9-probe"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise RecordingError(f"cannot be written: {error.strerror}", where=str(directory), hint="give another folder to --record") from None
        self._thread = threading.Thread(target=self._write_all, name="recorder", daemon=True)
        self._thread.start()

    def of(self, market: str) -> "MarketRecorder":
        return MarketRecorder(self, market)

    def answer(self, recv_ns: int, market: str, url: str, body: bytes) -> None:
        self.put(recv_ns, market, url, body)

    def put(self, recv_ns: int, market: str, url: str | None, raw: bytes) -> None:
        """Queue one line; over the bound it is counted as lost, and the file will say so."""
        size = len(raw) + LINE_ROOM
        with self._lock:
            if self._queued + size > self.settings.max_queue_bytes or self.failure:
                self._lost[market] += 1
                self.counts["lost"] += 1
                return
            self._queued += size
        self._queue.put((recv_ns, market, url, raw))

    def close(self) -> None:
        """Write what is queued and close the files."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def status(self) -> dict[str, Any]:
        return {"directory": str(self._directory), "queued_bytes": self._queued, "failure": self.failure, "counts": dict(self.counts)}

    def _write_all(self) -> None:
        """The thread: takes what is there in one go, so that the hot loop is disturbed once for many lines."""
        open_ended = True
        while open_ended:
            rows = [self._queue.get()]
            while rows[-1] is not None and len(rows) < BATCH:
                try:
                    rows.append(self._queue.get_nowait())
                except queue.Empty:
                    break
            if rows[-1] is None:
                open_ended = False
                rows.pop()
            by_market: dict[str, list[tuple[int, bytes]]] = {}
            for recv_ns, market, url, raw in rows:
                told = (b'"url":' + msgspec.json.encode(url) + b"," if url else b"") + b'"raw":' + _verbatim(raw) + b"}\n"
                by_market.setdefault(market, []).append((recv_ns, told))
            with self._lock:
                self._queued -= sum(len(raw) + LINE_ROOM for _, _, _, raw in rows)
                lost, self._lost = self._lost, Counter()
            for market, n in lost.items():
                lines = by_market.setdefault(market, [])
                lines.append((lines[-1][0] if lines else time.time_ns(), b'"lost":%d}\n' % n))
            for market, lines in by_market.items():
                self._write(market, lines)
        for file in self._files.values():
            file.out.close()

    def _write(self, market: str, lines: list[tuple[int, bytes]]) -> None:
        head = b',"market":%s,' % msgspec.json.encode(market)
        text = b"".join(b'{"recv_ns":%d' % recv_ns + head + rest for recv_ns, rest in lines)
        recv_ns = lines[0][0]
        try:
            file = self._files.get(market)
            if file is None or file.size > self.settings.max_file_bytes or recv_ns / 1e9 - file.opened_s > self.settings.file_s:
                if file is not None:
                    file.out.close()
                file = self._files[market] = self._open(market, recv_ns)
            file.out.write(text)
        except OSError as error:
            self.failure = str(error.strerror)  # a full disk: capture goes on, nothing more is recorded, and the status says so
            self.counts["lost"] += len(lines)
            return
        file.size += len(text)
        self.counts["bytes"] += len(text)
        self.counts["written"] += len(lines)

    def _open(self, market: str, recv_ns: int) -> _File:
        stamp = datetime.fromtimestamp(recv_ns / 1e9, UTC).strftime("%Y%m%dT%H%M%S")
        for n in range(1000):
            path = self._directory / f"{market}-{stamp}{f'-{n}' if n else ''}.jsonl.gz"
            if not path.exists():
                return _File(path, recv_ns / 1e9, self.settings.level)
        raise OSError(17, "a thousand files of this second exist already")


class MarketRecorder:
    """What a market's sockets and REST client are handed."""

    def __init__(self, recorder: Recorder, market: str):
        self._put, self._market = recorder.put, market

    def frame(self, recv_ns: int, payload: bytes) -> None:
        self._put(recv_ns, self._market, None, payload)


_ONE_LINE = re.compile(rb"\s*[{\[]")


def _verbatim(raw: bytes) -> bytes:
    """The frame as it stands, if that keeps the line one line of JSON; else as a JSON string (bytes that are no UTF-8 are replaced)."""
    if _ONE_LINE.match(raw) and b"\n" not in raw and b"\r" not in raw:
        try:
            msgspec.json.decode(raw, type=msgspec.Raw)
            return raw
        except msgspec.DecodeError:
            pass
    return msgspec.json.encode(raw.decode("utf-8", "replace"))
