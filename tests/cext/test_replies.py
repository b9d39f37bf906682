"""The reply scanner against hiredis, Redis's own parser, however the bytes are cut."""

import hiredis
import pytest
from cext.replies import scan
from hypothesis import given
from hypothesis import strategies as st

LINE = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30)
REPLY = st.one_of(
    LINE.map(lambda text: (f"+{text}\r\n".encode(), ("status", text.encode()))),
    LINE.map(lambda text: (f"-ERR {text}\r\n".encode(), ("OTHER", f"ERR {text}".encode()))),
    st.integers(-(10**17), 10**17).map(lambda n: (b":%d\r\n" % n, ("integer", n))),
    st.binary(max_size=40).map(lambda raw: (b"$%d\r\n%b\r\n" % (len(raw), raw), ("bulk", raw))),
    st.just((b"$-1\r\n", ("nil", -1))),
    st.just((b"*0\r\n", ("array", 0))),
)


@given(st.lists(REPLY, max_size=12), st.data())
def test_as_sent_however_cut(replies, data):
    stream = b"".join(raw for raw, _ in replies)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert scan(pieces) == [meaning for _, meaning in replies]
    reader = hiredis.Reader(replyError=lambda text: ("error", text))
    reader.feed(stream)
    theirs = [reader.gets() for _ in replies]
    for (kind, value), reply in zip(scan(pieces), theirs, strict=True):
        if kind in ("status", "bulk", "integer"):
            assert reply == value


@pytest.mark.parametrize(
    "line, kind",
    [
        ("OOM command not allowed when used memory > 'maxmemory'.", "OOM"),
        ("LOADING Redis is loading the dataset in memory", "LOADING"),
        ("READONLY You can't write against a read only replica.", "READONLY"),
        ("MISCONF Redis is configured to save RDB snapshots", "MISCONF"),
        ("MOVED 3999 127.0.0.1:6381", "MOVED"),
        ("NOAUTH Authentication required.", "NOAUTH"),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", "WRONGTYPE"),
        ("EXECABORT Transaction discarded because of previous errors.", "EXECABORT"),
        ("ERR The ID specified in XADD is equal or smaller than the target stream top item", "SMALLER"),
        ("ERR unknown command", "OTHER"),
        ("OOMPH", "OTHER"),
    ],
)
def test_errors_by_kind(line, kind):
    assert scan([f"-{line}\r\n".encode()]) == [(kind, line.encode())]


@pytest.mark.parametrize("raw", [b"hello\r\n", b":12x\r\n", b"$2\r\nabcd\r\n", b"+a\rb\r\n", b"$99999999\r\n", b"*99999999\r\n", b"%1\r\n"])
def test_what_is_no_resp2_is_called_so(raw):
    assert scan([raw])[-1] == ("broken", None)


@given(st.binary(max_size=200))
def test_any_bytes_are_survived(raw):
    scan([raw])
