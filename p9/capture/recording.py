"""Recordings: raw frames and REST answers with their receive time, line by line, plain or gzip.

Lines that are understood:
    {"recv_ns": 1723161253937085768, "market": "…", "url": "…", "raw": <frame>}     our own
    1723161253937085768 <frame>
    {"recv_ns"|"recv_s"|"recv_ts": …, "raw"|"msg": <frame>, "category"|"src": …, "url": …}
    <frame>                                                                                     no receive time: the frame's own
A frame is taken byte for byte as it stands in the line (a JSON string holding the frame is unwrapped). Lines with a `url`, and bare
order book answers, are REST.
"""

import gzip
import heapq
import re
import zlib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import msgspec

from p9.errors import RecordingError


class Recorded(NamedTuple):
    """One line of a recording."""

    recv_ns: int
    raw: bytes
    market: str | None  # where the line tells it
    url: str | None  # of a REST answer
    rest: bool


class _Line(msgspec.Struct):
    recv_ns: int | None = None
    recv_s: msgspec.Raw = msgspec.Raw()
    recv_ts: msgspec.Raw = msgspec.Raw()
    raw: msgspec.Raw = msgspec.Raw()
    msg: msgspec.Raw = msgspec.Raw()
    market: str | None = None
    category: str | None = None
    url: str | None = None


_line = msgspec.json.Decoder(_Line)
_STAMPED = re.compile(rb"(\d{18,20})\s+(?=[{\[\"a-z])")
_OWN_TIME = re.compile(rb'"(?:E|ts)":\s*"?(\d{13})')
_LOST = re.compile(rb'\{"recv_ns":\d+,"market":"[^"]*","lost":\d+\}$')
# a REST order book: it names its ids, and is no stream's envelope
_REST_BOOK = re.compile(rb'\{\s*"(?:lastUpdateId"|retCode"|code"\s*:\s*"0")')


def read(path: Path) -> Iterator[Recorded]:
    """The lines of one recording in their order. Raises RecordingError naming the line."""
    opened = gzip.open if path.suffix == ".gz" else open
    recv_ns = 0
    try:
        with opened(path, "rb") as lines:
            for number, line in enumerate(lines, 1):
                line = line.strip()
                if not line or _LOST.match(line):
                    continue
                try:
                    recorded = _parse(line, recv_ns)
                except (msgspec.DecodeError, ArithmeticError, ValueError, RecursionError) as error:
                    raise RecordingError(f"not a recorded frame: {error}", where=f"{path}, line {number}") from None
                recv_ns = recorded.recv_ns
                yield recorded
    except (OSError, EOFError, zlib.error) as error:
        raise RecordingError(f"cannot be read: {error}", where=str(path)) from None


def merge(paths: list[Path]) -> Iterator[Recorded]:
    """The lines of several recordings in the order of their receive times (each file must be in that order itself)."""
    return heapq.merge(*(read(path) for path in paths), key=lambda recorded: recorded.recv_ns)


def _parse(line: bytes, previous_ns: int) -> Recorded:
    stamped = _STAMPED.match(line)
    if stamped:
        raw = line[stamped.end() :]
        return Recorded(int(stamped[1]), raw, None, None, _REST_BOOK.match(raw) is not None)
    if not line.startswith((b"{", b"[")):
        return Recorded(previous_ns, line, None, None, False)  # a bare pong
    record = _line.decode(line) if line.startswith(b"{") else _Line()
    raw = bytes(record.raw) or bytes(record.msg)
    if not raw:
        own = _OWN_TIME.search(line)
        recv_ns = max(previous_ns, int(own[1]) * 1_000_000) if own else previous_ns
        return Recorded(recv_ns, line, None, None, _REST_BOOK.match(line) is not None)
    if raw.startswith(b'"'):
        raw = msgspec.json.decode(raw, type=str).encode()
    if record.recv_ns is not None:
        recv_ns = record.recv_ns
    else:
        seconds = bytes(record.recv_s) or bytes(record.recv_ts)
        recv_ns = int(Decimal(seconds.decode()) * 1_000_000_000) if seconds else previous_ns
    return Recorded(recv_ns, raw, record.market or record.category, record.url, record.url is not None or _REST_BOOK.match(raw) is not None)


def asked_symbol(url: str) -> str | None:
    """The venue's symbol that a REST question was about; None of what is no URL."""
    try:
        query = parse_qs(urlsplit(url).query)
    except ValueError:
        return None
    for name in ("symbol", "instId"):
        if name in query:
            return query[name][0]
    return None
