"""The reader of requests: whatever way the bytes are cut, the same commands; whatever the bytes are, commands or a ProtocolError."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p9.delivery.resp_server.request import ProtocolError, RequestReader

arguments = st.lists(st.binary(max_size=40) | st.sampled_from([b"x" * 4096, b"\r\n", b"*1\r\n$1\r\na\r\n"]), min_size=1, max_size=80)


def resp(args: list[bytes]) -> bytes:
    return b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%b\r\n" % (len(a), a) for a in args)


def read(pieces: list[bytes]) -> list[list[bytes]]:
    reader, found = RequestReader(), []
    for piece in pieces:
        reader.feed(piece)
        while (args := reader.take()) is not None:
            found.append(args)
    return found


@given(st.lists(arguments, max_size=5), st.lists(st.integers(0, 5000), max_size=10))
def test_commands_survive_any_cutting(commands, cuts):
    data = b"".join(resp(args) for args in commands)
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    pieces = [data[a:b] for a, b in pairwise(places)]
    assert read(pieces) == commands


@given(st.lists(st.sampled_from([b"*", b"$", b"\r\n", b"1", b"3", b"-1", b"0", b"abc", b'"', b"\n", b":", b"\x00"]) | st.binary(max_size=5)))
def test_any_bytes_give_commands_or_a_protocol_error_and_the_cutting_is_no_matter(parts):
    def outcome(pieces):
        try:
            return read(pieces)
        except ProtocolError as exc:
            return str(exc)

    data = b"".join(parts)
    assert outcome([data]) == outcome([data[n : n + 1] for n in range(len(data))])


def test_a_value_that_comes_in_many_pieces_is_joined_once():
    reader = RequestReader()
    reader.feed(b"*2\r\n$4\r\nECHO\r\n$%d\r\n" % (64 << 20))
    assert reader.take() is None
    for _ in range(1024):  # joined at every piece this would copy 32 GB
        reader.feed(b"x" * (64 << 10))
        assert reader.take() is None
    reader.feed(b"\r\n")
    assert len(reader.take()[1]) == 64 << 20


def test_strangers_may_not_announce_much():
    reader = RequestReader()
    reader.trusted = False
    reader.feed(b"*3\r\n$4\r\nAUTH\r\n$4\r\nuser\r\n$4\r\npass\r\n*11\r\n")
    assert reader.take() == [b"AUTH", b"user", b"pass"]
    with pytest.raises(ProtocolError, match="unauthenticated multibulk length"):
        reader.take()
