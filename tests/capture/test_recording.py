"""Reading recordings: every documented form of a line, and clear refusals."""

import contextlib
import gzip

import pytest

from p9.capture.recording import Recorded, asked_symbol, merge, read
from p9.errors import RecordingError

FRAME = b'{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343}}'


def lines(tmp_path, *texts: bytes, gz: bool = False):
    path = tmp_path / ("r.jsonl.gz" if gz else "r.jsonl")
    data = b"\n".join(texts) + b"\n"
    path.write_bytes(gzip.compress(data) if gz else data)
    return list(read(path))


@pytest.mark.parametrize("gz", [False, True])
def test_every_form_of_a_line_gives_the_frame_byte_for_byte(tmp_path, gz):
    spaced = b'{ "a" : [1,  2.50] }'
    got = lines(
        tmp_path,
        b"1723161253937085768 " + FRAME,
        b'{"recv_ns":1723161253937085769,"market":"venue_spot","raw":' + spaced + b"}",
        b'{"recv_s":1723161253.937085770,"raw":' + FRAME + b"}",
        b'{"recv_ts":1723161253.9370858,"msg":' + FRAME + b"}",
        b'{"src":"x","msg":"{\\"a\\":1}"}',
        b'{"url":"https://h/depth?symbol=BTCUSDT&limit=1000","recv_ns":1723161253937085900,"raw":{"lastUpdateId":1}}',
        gz=gz,
    )
    assert [line.raw for line in got] == [FRAME, spaced, FRAME, FRAME, b'{"a":1}', b'{"lastUpdateId":1}']
    assert [line.recv_ns for line in got] == [
        1723161253937085768, 1723161253937085769, 1723161253937085770, 1723161253937085800, 1723161253937085800, 1723161253937085900,
    ]  # fmt: skip
    assert [line.rest for line in got] == [False] * 5 + [True]
    assert got[1].market == "venue_spot" and asked_symbol(got[5].url) == "BTCUSDT"


def test_a_bare_frame_has_the_time_that_it_tells_and_never_goes_back(tmp_path):
    got = lines(tmp_path, FRAME, b"pong", b'{"ts":"1723161250000"}')
    assert [line.recv_ns for line in got] == [1723161255343000000] * 3


def test_a_bare_order_book_answer_is_rest(tmp_path):
    got = lines(tmp_path, b'1723161253937085768 {"lastUpdateId":5,"bids":[],"asks":[]}', b'{"retCode":0,"result":{}}')
    assert all(line.rest for line in got)


def test_files_merge_by_receive_time(tmp_path):
    (tmp_path / "a").write_bytes(b"1000000000000000001 {}\n1000000000000000004 {}\n")
    (tmp_path / "b").write_bytes(b"1000000000000000002 {}\n1000000000000000003 {}\n")
    times = [line.recv_ns for line in merge([tmp_path / "a", tmp_path / "b"])]
    assert times == sorted(times) and len(times) == 4


def test_a_broken_line_is_named(tmp_path):
    with pytest.raises(RecordingError, match="line 2"):
        lines(tmp_path, FRAME, b'{"recv_ns":1,')
    with pytest.raises(RecordingError, match="cannot be read"):
        list(read(tmp_path / "absent"))
    torn = tmp_path / "torn.gz"
    torn.write_bytes(gzip.compress(FRAME * 100)[:-20])
    with pytest.raises(RecordingError, match="cannot be read"):
        list(read(torn))


def test_damage_inside_is_named_as_well(tmp_path):
    """A flipped byte in a compressed recording, and text that is no UTF-8, once ended a replay with a stack trace."""
    whole = bytearray(gzip.compress(b"\n".join(b"%d %b" % (10**18 + n, FRAME) for n in range(300))))
    path = tmp_path / "flipped.gz"
    for at in range(20, len(whole) - 8, 7):
        flipped = bytes(whole[:at]) + bytes((whole[at] ^ 0x55,)) + bytes(whole[at + 1 :])
        path.write_bytes(flipped)
        with contextlib.suppress(RecordingError):
            list(read(path))
    with pytest.raises(RecordingError, match="line 1"):
        lines(tmp_path, b'{"recv_ns":1,"market":"\xff","raw":{}}')


def test_a_recorded_line_is_plain_data():
    assert Recorded(1, b"", None, None, False)._fields == ("recv_ns", "raw", "market", "url", "rest")


@pytest.mark.parametrize("url", ["//]", "h://[", "https://[::1", "?symbol", "//[]"])
def test_a_url_that_is_none_asks_for_no_symbol(url):
    """Fuzzing found them: the end of a replay once was a ValueError of the library that takes URLs apart."""
    assert asked_symbol(url) is None
