"""Segments of the spool as bytes: what is good is found, and what cannot be is damage, whatever its checksum says."""

import struct

import pytest
from cext.clock import Clock
from cext.crc32c import checksum
from cext.journal import Journal, entries
from cext.outbox import Outbox

HEAD = struct.Struct("<IIIHBBqqqqqq")  # magic, size, crc, name_size, flags, cls, ordinal, epoch, seq, ms, accepted, received


def entry(ordinal, *, name=b"trades:x:A-B", payload=b"{}", epoch=5, seq=1, ms=1_790_000_000_000):
    """With a checksum that fits."""
    size = HEAD.size + len(name) + len(payload)
    whole = HEAD.pack(0x31533950, size, 0, len(name), 0, 0, ordinal, epoch, seq, ms, 0, 0) + name + payload
    whole = whole[:8] + struct.pack("<I", checksum(whole)) + whole[12:]
    return whole + bytes(-len(whole) % 8)


@pytest.mark.parametrize("number", [-1, 2**63 - 1, -(2**63)])
@pytest.mark.parametrize("field", ["ordinal", "epoch", "seq", "ms"])
def test_numbers_that_cannot_be_counted_on_are_damage(field, number):
    """A checksum fits by chance once in 2**32: then `lost` was -1, or the outbox could not be made, or Redis got commands of wrong sizes."""
    odd = entry(**{"ordinal": 1, field: number})
    journals = (Journal(0), Journal(1))
    data = entry(0) + odd + entry(2)
    assert journals[0].recover(0, data) == (len(data), 1, False)
    outbox = Outbox(Clock(1_790_000_000_000_000_000), epoch=6, journals=journals)
    assert outbox.readmit(0, data, 0, 1 << 20) == len(data)
    assert outbox.take(0).count(b"PUBLISH") == 2
    assert [row[4] for row in entries(data)] == [0, 2]


def test_a_name_that_is_no_text_can_still_be_looked_at():
    assert entries(entry(0, name=b"\xff"))[0][0] == "\ufffd"
