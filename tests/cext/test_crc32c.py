"""CRC-32C against the values that RFC 3720 (B.4) prints, by instruction and by table."""

import pytest
from cext.crc32c import checksum
from hypothesis import given
from hypothesis import strategies as st

PRINTED = [
    (b"", 0),
    (bytes(32), 0x8A9136AA),
    (b"\xff" * 32, 0x62A8AB43),
    (bytes(range(32)), 0x46DD794E),
    (bytes(reversed(range(32))), 0x113FDB5C),
    (b"123456789", 0xE3069283),  # the catalogue's check value
]


@pytest.mark.parametrize("by_table", [False, True])
@pytest.mark.parametrize("data, crc", PRINTED)
def test_printed_values(data, crc, by_table):
    assert checksum(data, by_table=by_table) == crc


@given(st.binary(max_size=200))
def test_the_instruction_and_the_table_agree(data):
    assert checksum(data) == checksum(data, by_table=True)


@given(st.binary(min_size=1, max_size=200), st.data())
def test_one_flipped_bit_is_always_seen(data, chosen):
    bit = chosen.draw(st.integers(0, len(data) * 8 - 1))
    flipped = bytearray(data)
    flipped[bit // 8] ^= 1 << bit % 8
    assert checksum(bytes(flipped)) != checksum(data)
