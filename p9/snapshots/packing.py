"""Frames of a reel as records: compressed, checksummed, each chained to the one before it of its book."""

import zlib

from cext.film import Frame

from p9.client.film import CRC_FROM, DEFLATED, HEADER, KEY, MAGIC

LEVEL = 1  # of the compression: a higher one takes four times as long for a hundredth less


def pack(frame: Frame, before_crc: int) -> tuple[bytes, int]:
    """The record and its checksum; `before_crc` is that of the book's record before."""
    body, flags = zlib.compress(frame.body, LEVEL, -15), DEFLATED
    if len(body) >= len(frame.body):
        body, flags = frame.body, 0
    behind = HEADER.pack(
        MAGIC, HEADER.size + len(body), 0, frame.kind, flags, 0, frame.taken_ns, frame.at_ms, frame.at_ms - frame.key_ms,
        0 if frame.kind == KEY else before_crc,
    )  # fmt: skip
    crc = zlib.crc32(body, zlib.crc32(behind[CRC_FROM:]))
    return behind[: CRC_FROM - 4] + crc.to_bytes(4, "little") + behind[CRC_FROM:] + body, crc
