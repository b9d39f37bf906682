"""Streams."""

import time

import pytest
import redis

from tests.delivery.redis_servers import RawClient, pack

TOO_SMALL = "The ID specified in XADD is equal or smaller than the target stream top item"


def test_explicit_ids_rise_and_a_resent_one_is_refused(db):
    assert db.xadd("s", {"p": "1"}, id="1700000000000-0") == b"1700000000000-0"
    assert db.xadd("s", {"p": "2"}, id="1700000000000-1") == b"1700000000000-1"
    for resent in ("1700000000000-1", "1700000000000-0", "1699999999999-9", "1700000000000"):
        with pytest.raises(redis.ResponseError, match=TOO_SMALL):
            db.xadd("s", {"p": "again"}, id=resent)
    with pytest.raises(redis.ResponseError, match="must be greater than 0-0"):
        db.xadd("s", {"p": "zero"}, id="0-0")
    with pytest.raises(redis.ResponseError, match="Invalid stream ID"):
        db.xadd("s", {"p": "nonsense"}, id="12-x")
    assert db.xadd("s", {"p": "3"}, id="1700000000000-*") == b"1700000000000-2"
    assert db.xrange("s") == [
        (b"1700000000000-0", {b"p": b"1"}),
        (b"1700000000000-1", {b"p": b"2"}),
        (b"1700000000000-2", {b"p": b"3"}),
    ]
    assert db.xadd("absent", {"p": "1"}, id="5-5", nomkstream=True) is None
    assert db.exists("absent") == 0


def test_ids_given_by_the_server_rise_within_a_millisecond(db):
    pipeline = db.pipeline(transaction=False)
    for n in range(500):
        pipeline.xadd("s", {"n": n})
    ids = [tuple(int(part) for part in ident.split(b"-")) for ident in pipeline.execute()]
    assert ids == sorted(set(ids))
    assert abs(ids[-1][0] - time.time() * 1000) < 10_000
    assert [int(fields[b"n"]) for _, fields in db.xrange("s")] == list(range(500))


def test_ranges_and_their_open_ends(db):
    for n in range(1, 6):
        db.xadd("s", {"n": n}, id=f"{n}-{n}")

    def ids(entries):
        return [ident.decode() for ident, _ in entries]

    assert ids(db.xrange("s", "2-2", "4-4")) == ["2-2", "3-3", "4-4"]
    assert ids(db.xrange("s", "(2-2", "(4-4")) == ["3-3"]
    assert ids(db.xrange("s", "2", "4")) == ["2-2", "3-3", "4-4"]  # without a sequence: the whole millisecond
    assert ids(db.xrange("s", "-", "+", count=2)) == ["1-1", "2-2"]
    assert ids(db.xrevrange("s", "+", "-", count=2)) == ["5-5", "4-4"]
    assert ids(db.xrevrange("s", "(5-5", "(3-3")) == ["4-4"]
    assert ids(db.xrange("s", "4-4", "2-2")) == []
    assert db.xdel("s", "3-3", "9-9") == 1
    assert ids(db.xrange("s")) == ["1-1", "2-2", "4-4", "5-5"]


def test_trims(db):
    for n in range(1, 1001):
        db.xadd("s", {"n": n}, id=f"{n}-0")
    db.xadd("s", {"n": 1001}, id="1001-0", maxlen=900, approximate=False)
    assert db.xlen("s") == 900
    db.xadd("s", {"n": 1002}, id="1002-0", maxlen=500, approximate=True)
    assert 500 <= db.xlen("s") <= 600  # whole nodes of 100 entries
    db.xadd("s", {"n": 1003}, id="1003-0", minid="900-0", approximate=False)
    assert db.xrange("s", count=1)[0][0] == b"900-0"
    assert db.xtrim("s", minid="1000-0", approximate=False) == 100
    assert db.xlen("s") == 4
    assert db.xtrim("s", maxlen=0, approximate=False) == 4
    with pytest.raises(redis.ResponseError, match="LIMIT cannot be used without"):
        db.execute_command("XTRIM", "s", "MAXLEN", 5, "LIMIT", 5)


def test_an_emptied_stream_still_refuses_old_ids(db):
    db.xadd("s", {"p": "1"}, id="5-0")
    db.xtrim("s", maxlen=0, approximate=False)
    assert db.exists("s") == 1
    assert db.xinfo_stream("s")["last-generated-id"] == b"5-0"
    with pytest.raises(redis.ResponseError, match=TOO_SMALL):
        db.xadd("s", {"p": "1"}, id="5-0")
    assert db.xadd("s", {"p": "1"}, id="5-1") == b"5-1"


def test_xinfo_stream(db):
    for n in range(1, 4):
        db.xadd("s", {"n": n}, id=f"{n}-0")
    info = db.xinfo_stream("s")
    assert info["length"] == 3
    assert info["last-generated-id"] == b"3-0"
    assert info["first-entry"][0] == b"1-0"
    assert info["last-entry"] == (b"3-0", {b"n": b"3"})
    with pytest.raises(redis.ResponseError, match="no such key"):
        db.xinfo_stream("none")


def test_xread_from_an_id_and_from_now(db):
    for n in range(1, 4):
        db.xadd("s", {"n": n}, id=f"{n}-0")
    db.xadd("t", {"n": 9}, id="9-0")
    found = db.xread({"s": "1-0", "t": "0", "none": "0"}, count=1)
    found = dict(found)
    flat = {key: [ident for ident, _ in (rows[0] if isinstance(rows[0], list) else rows)] for key, rows in found.items()}
    assert flat == {b"s": [b"2-0"], b"t": [b"9-0"]}
    assert not db.xread({"s": "$"})
    assert not db.xread({"s": "3-0"})


def test_xread_block_wakes_on_the_entry_and_holds_what_comes_behind(raw, port, protocol):
    with RawClient(port) as writer:
        raw.send(pack("XREAD", "BLOCK", 5000, "STREAMS", "s", "$") + pack("ECHO", "behind"))
        time.sleep(0.1)
        assert writer.ask("XADD", "other", "1-0", "p", "x") == b"1-0"
        assert writer.ask("XADD", "s", "7-0", "p", "x") == b"7-0"
        entries = [[b"7-0", [b"p", b"x"]]]
        assert raw.reply() == ({b"s": entries} if protocol == 3 else [[b"s", entries]])
        assert raw.reply() == b"behind"


def test_xread_block_gives_up_in_time(raw):
    began = time.monotonic()
    assert raw.ask("XREAD", "BLOCK", 100, "STREAMS", "s", "$") is None
    assert time.monotonic() - began >= 0.09
    assert raw.ask("PING") == b"PONG"


def test_blocked_readers_see_a_whole_transaction(port):
    with RawClient(port) as writer, RawClient(port) as one, RawClient(port) as two:
        writer.ask("DEL", "batch")
        for reader in (one, two):
            reader.send(pack("XREAD", "BLOCK", 5000, "STREAMS", "batch", "0"))
        time.sleep(0.1)
        batch = [pack("XADD", "batch", f"{n}-0", "n", n) for n in range(1, 4)]
        writer.send(pack("MULTI") + b"".join(batch) + pack("EXEC"))
        for reader in (one, two):
            ((_, entries),) = reader.reply()
            assert [ident for ident, _ in entries] == [b"1-0", b"2-0", b"3-0"]


def test_a_blocked_client_may_leave(port):
    with RawClient(port) as writer:
        writer.ask("DEL", "left")
        with RawClient(port) as reader:
            reader.send(pack("XREAD", "BLOCK", 0, "STREAMS", "left", "$"))
            time.sleep(0.05)
        time.sleep(0.05)
        assert writer.ask("XADD", "left", "1-0", "p", "x") == b"1-0"
        assert writer.ask("XLEN", "left") == 1
