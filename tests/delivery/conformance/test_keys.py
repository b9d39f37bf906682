"""Keys and values."""

import time

import pytest
import redis


def test_set_with_its_options(db):
    assert db.set("k", "1", nx=True) is True
    assert db.set("k", "2", nx=True) is None
    assert db.set("k", "3", xx=True, get=True) == b"1"
    assert db.set("absent", "3", xx=True) is None
    assert db.set("k", "4", ex=100) is True
    assert 99 <= db.ttl("k") <= 100
    assert db.set("k", "5", keepttl=True) and db.ttl("k") > 90
    assert db.set("k", "6") and db.ttl("k") == -1
    assert db.ttl("absent") == -2


def test_keys_expire_by_themselves(db):
    db.set("short", "x", px=30)
    db.set("long", "x", ex=100)
    db.rpush("list", "a")
    assert db.pexpire("list", 30)
    assert 0 < db.pttl("short") <= 30
    time.sleep(0.3)
    assert db.dbsize() == 1  # without anybody having touched them
    assert db.get("short") is None
    assert db.exists("list", "long") == 1


def test_counting(db):
    assert [db.incr("n"), db.incrby("n", 41), db.decr("n")] == [1, 42, 41]
    db.set("n", 2**63 - 1)
    with pytest.raises(redis.ResponseError, match="increment or decrement would overflow"):
        db.incr("n")
    db.set("n", "1.5")
    with pytest.raises(redis.ResponseError, match="value is not an integer or out of range"):
        db.incr("n")


def test_many_keys_at_once(db):
    assert db.mset({"a": "1", "b": "2"})
    db.hset("h", "f", "v")
    assert db.mget("a", "none", "h", "b") == [b"1", None, None, b"2"]
    assert db.exists("a", "a", "none") == 2
    assert db.delete("a", "h", "none") == 2
    assert db.type("b") == b"string"
    assert db.type("none") == b"none"


def test_patterns_of_keys(db):
    names = {b"last:{trades:x:BTC-USDT}", b"last:{trades:x:ETH-USDT}", b"a*c", b"abc", b"a[c"}
    for name in names:
        db.set(name, "")
    assert set(db.keys("last:{trades:*:BTC-*}")) == {b"last:{trades:x:BTC-USDT}"}
    assert set(db.keys("a?c")) == {b"a*c", b"abc", b"a[c"}
    assert set(db.keys(r"a\*c")) == {b"a*c"}
    assert set(db.keys("a[a-c]c")) == {b"abc"}
    assert set(db.keys("a[^a-c]c")) == {b"a*c", b"a[c"}
    assert set(db.scan_iter(match="a*", count=2)) == {b"a*c", b"abc", b"a[c"}
    assert set(db.scan_iter(count=1)) == names
    assert set(db.scan_iter(_type="hash")) == set()


def test_hashes_lists_sets(db):
    assert db.hset("h", mapping={"a": "1", "b": "2"}) == 2
    assert db.hset("h", "a", "3") == 0
    assert db.hgetall("h") == {b"a": b"3", b"b": b"2"}
    assert db.hmget("h", "a", "none") == [b"3", None]
    assert db.hdel("h", "a", "none") == 1
    assert db.hget("h", "a") is None
    assert db.lpush("l", "b", "a") == 2
    assert db.rpush("l", "c", "d") == 4
    assert db.lrange("l", 0, -1) == [b"a", b"b", b"c", b"d"]
    assert db.lrange("l", -2, 100) == [b"c", b"d"]
    assert db.ltrim("l", 1, -2) and db.lrange("l", 0, -1) == [b"b", b"c"]
    assert db.sadd("s", "x", "y", "x") == 2
    assert set(db.smembers("s")) == {b"x", b"y"}
    assert db.srem("s", "x", "none") == 1
    assert db.hdel("h", "b") and db.ltrim("l", 5, 9) and db.srem("s", "y")
    assert db.dbsize() == 0  # what is empty is gone


def test_sorted_sets(db):
    assert db.zadd("z", {"b": 2, "a": 1, "c": 2.5}) == 3
    assert db.zadd("z", {"a": 7}, gt=True, ch=True) == 1
    assert db.zadd("z", {"a": 1}, nx=True) == 0
    assert db.zrange("z", 0, -1) == [b"b", b"c", b"a"]
    scored = db.zrange("z", 0, -1, withscores=True)
    assert [(member, float(score)) for member, score in scored] == [(b"b", 2.0), (b"c", 2.5), (b"a", 7.0)]
    assert db.zrangebyscore("z", "(2", "+inf") == [b"c", b"a"]
    assert db.zrangebyscore("z", "-inf", "+inf", start=1, num=1) == [b"c"]
    assert db.zrange("z", "+inf", "(2", byscore=True, desc=True) == [b"a", b"c"]
    assert db.zrem("z", "a", "none") == 1
    assert db.zcard("z") == 2


def test_any_bytes_are_a_key_and_a_value(db):
    blob = bytes(range(256)) * 20_000  # 5 MB, line ends and all
    db.set(b"\r\n\x00*3\r\n", blob)
    assert db.get(b"\r\n\x00*3\r\n") == blob
    assert db.keys(b"\r\n\x00*") == [b"\r\n\x00*3\r\n"]


@pytest.mark.parametrize(
    "command",
    [
        ("GET", "k"),
        ("INCR", "k"),
        ("SET", "k", "v", "GET"),
        ("LPUSH", "k", "v"),
        ("LRANGE", "k", "0", "1"),
        ("SADD", "k", "v"),
        ("SMEMBERS", "k"),
        ("ZADD", "k", "1", "v"),
        ("ZRANGE", "k", "0", "1"),
        ("XADD", "k", "*", "f", "v"),
        ("XLEN", "k"),
        ("XRANGE", "k", "-", "+"),
        ("XREAD", "STREAMS", "k", "0"),
        ("XREAD", "BLOCK", "0", "STREAMS", "k", "$"),
        ("XTRIM", "k", "MAXLEN", "1"),
        ("XDEL", "k", "1-1"),
        ("XINFO", "STREAM", "k"),
    ],
    ids=" ".join,
)
def test_wrong_type_is_refused_and_changes_nothing(raw, command):
    raw.ask("HSET", "k", "f", "v")
    answer = raw.ask(*command)
    assert str(answer) == "WRONGTYPE Operation against a key holding the wrong kind of value"
    assert raw.ask("HGET", "k", "f") == b"v"
