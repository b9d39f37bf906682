"""Answers as bytes. `resp` is the protocol version the client chose with HELLO: 2 or 3."""

from collections.abc import Sequence

OK = b"+OK\r\n"
QUEUED = b"+QUEUED\r\n"
EMPTY_ARRAY = b"*0\r\n"
ZERO = b":0\r\n"
ONE = b":1\r\n"


def integer(value: int) -> bytes:
    return b":%d\r\n" % value


def bulk(value: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(value), value)


def simple(text: str) -> bytes:
    return b"+%b\r\n" % text.encode()


def error(text: str) -> bytes:
    """An error line; line ends in the text would be a second reply, so they become blanks."""
    return b"-%b\r\n" % text.replace("\r", " ").replace("\n", " ").encode("utf-8", "surrogateescape")


def null(resp: int) -> bytes:
    return b"_\r\n" if resp == 3 else b"$-1\r\n"


def null_array(resp: int) -> bytes:
    return b"_\r\n" if resp == 3 else b"*-1\r\n"


def array(items: Sequence[bytes]) -> bytes:
    return b"*%d\r\n%b" % (len(items), b"".join(items))


def bulks(values: Sequence[bytes]) -> bytes:
    return array([bulk(v) for v in values])


def members(items: Sequence[bytes], resp: int) -> bytes:
    """A set: unordered, no repeats."""
    return b"%b%d\r\n%b" % (b"~" if resp == 3 else b"*", len(items), b"".join(items))


def mapping(items: Sequence[bytes], resp: int) -> bytes:
    """`items`: key, value, key, value, already encoded."""
    if resp == 3:
        return b"%%%d\r\n%b" % (len(items) // 2, b"".join(items))
    return array(items)


def push(items: Sequence[bytes], resp: int) -> bytes:
    """Out-of-band data: a frame of its own kind in RESP3, an ordinary array in RESP2."""
    return b"%b%d\r\n%b" % (b">" if resp == 3 else b"*", len(items), b"".join(items))


def double(value: float, resp: int) -> bytes:
    text = number_text(value)
    return b",%b\r\n" % text if resp == 3 else bulk(text)


def number_text(value: float) -> bytes:
    """The shortest text that reads back as the same double; whole numbers without a point."""
    if value == int(value) if abs(value) < 1e17 else False:
        return b"%d" % int(value)
    return repr(value).encode()
