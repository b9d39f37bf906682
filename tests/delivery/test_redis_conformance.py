"""One suite, three servers: what the machine's redis-server does, Valkey and the built-in server must do too."""

import threading
import time

import pytest
import redis

from tests.delivery.redis_servers import KINDS, RawClient, pack, running

TOO_SMALL = "The ID specified in XADD is equal or smaller than the target stream top item"


@pytest.fixture(scope="module", params=KINDS)
def port(request, tmp_path_factory):
    with running(request.param, tmp_path_factory.mktemp(request.param)) as number:
        yield number


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def protocol(request):
    return request.param


@pytest.fixture
def db(port, protocol):
    client = redis.Redis(port=port, protocol=protocol, socket_timeout=10)
    client.config_set("maxmemory", 0)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def raw(port, protocol):
    with RawClient(port) as client:
        client.ask("CONFIG", "SET", "maxmemory", 0)
        client.ask("FLUSHALL")
        if protocol == 3:
            client.ask("HELLO", 3)
        yield client


# --- who it is


def test_info_tells_what_the_delivery_needs(db):
    info = db.info()
    assert len(info["run_id"]) == 40
    assert info["role"] == "master"
    assert tuple(int(n) for n in info["redis_version"].split("."))[:2] >= (6, 2)
    assert info["used_memory"] >= 0
    assert info["process_id"] > 0
    assert info["tcp_port"] == db.connection_pool.connection_kwargs["port"]
    assert set(db.info("memory")) >= {"used_memory", "maxmemory"}
    assert "run_id" not in db.info("memory")


def test_hello_answers_in_the_version_it_agrees_to(port):
    with RawClient(port) as client:
        flat = client.ask("HELLO", 2)
        assert dict(zip(flat[::2], flat[1::2], strict=True))[b"proto"] == 2
        three = client.ask("HELLO", 3, "SETNAME", "me")
        assert three[b"proto"] == 3
        assert three[b"role"] == b"master"
        assert client.ask("CLIENT", "GETNAME") == b"me"
        assert str(client.ask("HELLO", 4)).startswith("NOPROTO")
        assert isinstance(client.ask("HELLO", "x"), redis.ResponseError)
        client.send(pack("GET", "no such key"))
        assert client.receive_exactly(b"_\r\n") == b"_\r\n"  # the failed HELLO changed nothing


def test_password_is_asked_for_and_checked(port):
    with RawClient(port) as admin:
        assert "without any password configured" in str(admin.ask("AUTH", "pw"))
        assert admin.ask("CONFIG", "SET", "requirepass", "pw") == b"OK"
        try:
            with RawClient(port) as client:
                assert str(client.ask("PING")) == "NOAUTH Authentication required."
                assert str(client.ask("HELLO", 3)).startswith("NOAUTH HELLO must be called")
                assert str(client.ask("AUTH", "no")).startswith("WRONGPASS")
                assert str(client.ask("AUTH", "somebody", "pw")).startswith("WRONGPASS")
                assert client.ask("AUTH", "pw") == b"OK"
                assert client.ask("PING") == b"PONG"
            with RawClient(port) as client:
                assert client.ask("HELLO", 3, "AUTH", "default", "pw")[b"proto"] == 3
            with RawClient(port) as client:
                client.send(b"*11\r\n")
                assert "unauthenticated multibulk length" in str(client.reply())
            with RawClient(port) as client:
                client.send(b"*2\r\n$16385\r\n")
                assert "unauthenticated bulk length" in str(client.reply())
            assert redis.Redis(port=port, password="pw").ping()
        finally:
            assert admin.ask("CONFIG", "SET", "requirepass", "") == b"OK"


def test_databases_are_apart(db, port):
    other = redis.Redis(port=port, db=3)
    other.set("k", "three")
    assert db.get("k") is None
    db.set("k", "zero")
    db.flushdb()
    assert other.get("k") == b"three"
    with pytest.raises(redis.ResponseError, match="DB index is out of range"):
        db.execute_command("SELECT", 16)
    other.close()


def test_reset_makes_a_connection_new(raw):
    raw.ask("SELECT", 2)
    raw.ask("MULTI")
    assert raw.ask("RESET") == b"RESET"
    raw.send(pack("GET", "none"))
    assert raw.receive_exactly(b"$-1\r\n") == b"$-1\r\n"  # RESP2 again
    assert str(raw.ask("EXEC")) == "ERR EXEC without MULTI"


def test_quit_answers_then_closes(raw):
    raw.send(pack("QUIT") + pack("SET", "after", "quit"))
    assert raw.reply() == b"OK"
    with pytest.raises((EOFError, ConnectionResetError)):
        raw.reply()


def test_a_client_is_listed_and_can_be_killed(port):
    with RawClient(port) as admin, RawClient(port) as victim:
        number = victim.ask("CLIENT", "ID")
        victim.ask("CLIENT", "SETNAME", "victim")
        assert f"id={number} ".encode() in admin.ask("CLIENT", "LIST")
        assert b" name=victim " in admin.ask("CLIENT", "LIST")
        assert admin.ask("CLIENT", "KILL", "ID", number) == 1
        with pytest.raises((EOFError, ConnectionResetError)):
            victim.reply()
        assert admin.ask("CLIENT", "KILL", "ID", number) == 0


# --- keys and values


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


# --- streams


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
    assert 0.09 <= time.monotonic() - began < 2
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


# --- pipelines and transactions


def test_a_thousand_commands_in_one_write_are_answered_in_order(raw):
    raw.send(b"".join(pack("SET", f"k{n}", n) + pack("GET", f"k{n}") for n in range(500)))
    answers = [raw.reply() for _ in range(1000)]
    assert answers[::2] == [b"OK"] * 500
    assert answers[1::2] == [str(n).encode() for n in range(500)]


def test_a_batch_of_entries_is_taken_whole_and_refused_whole_when_resent(db):
    def batch():
        pipeline = db.pipeline(transaction=True)
        for n in range(500):
            pipeline.xadd(f"stream:{n % 3}", {"p": n}, id=f"1700000000000-{n}")
            pipeline.publish(f"channel:{n % 3}", n)
        return pipeline.execute(raise_on_error=False)

    first = batch()
    assert first[::2] == [b"1700000000000-%d" % n for n in range(500)]
    resent = batch()
    assert all(isinstance(answer, redis.ResponseError) and TOO_SMALL in str(answer) for answer in resent[::2])
    assert resent[1::2] == [0] * 500
    for k in range(3):
        assert [int(f[b"p"]) for _, f in db.xrange(f"stream:{k}")] == list(range(k, 500, 3))


def test_an_error_inside_exec_does_not_stop_the_others(raw):
    raw.send(pack("MULTI") + pack("SET", "a", "x") + pack("INCR", "a") + pack("SET", "b", "y") + pack("EXEC"))
    assert [raw.reply() for _ in range(4)] == [b"OK", b"QUEUED", b"QUEUED", b"QUEUED"]
    ok, refused, also_ok = raw.reply()
    assert (ok, also_ok) == (b"OK", b"OK")
    assert "not an integer" in str(refused)
    assert raw.ask("GET", "b") == b"y"


def test_an_error_while_queueing_aborts_the_whole(raw):
    raw.ask("MULTI")
    assert raw.ask("SET", "a", "x") == b"QUEUED"
    assert str(raw.ask("NOSUCH")).startswith("ERR unknown command 'NOSUCH'")
    assert str(raw.ask("EXEC")) == "EXECABORT Transaction discarded because of previous errors."
    assert raw.ask("EXISTS", "a") == 0
    assert raw.ask("PING") == b"PONG"


def test_discard_and_misuse(raw):
    raw.ask("MULTI")
    assert isinstance(raw.ask("MULTI"), redis.ResponseError)  # each server has its own words
    raw.ask("SET", "a", "x")
    assert raw.ask("DISCARD") == b"OK"
    assert raw.ask("EXISTS", "a") == 0
    assert str(raw.ask("EXEC")) == "ERR EXEC without MULTI"
    assert str(raw.ask("DISCARD")) == "ERR DISCARD without MULTI"


def test_watch_lets_exec_fail_when_the_key_changed(raw, port):
    with RawClient(port) as other:
        for change in (("SET", "w", "2"), ("DEL", "w"), ("PEXPIRE", "w", "100000"), ("FLUSHALL",)):
            raw.ask("SET", "w", "1")
            raw.ask("WATCH", "w")
            other.ask(*change)
            raw.ask("MULTI")
            raw.ask("SET", "w", "mine")
            assert raw.ask("EXEC") is None, change
        raw.ask("SET", "w", "1")
        raw.ask("WATCH", "w")
        raw.ask("UNWATCH")
        other.ask("SET", "w", "2")
        raw.ask("MULTI")
        raw.ask("SET", "w", "mine")
        assert raw.ask("EXEC") == [b"OK"]


def test_a_client_that_leaves_within_multi_leaves_nothing(port):
    with RawClient(port) as admin:
        admin.ask("DEL", "half")
        with RawClient(port) as client:
            client.ask("MULTI")
            client.ask("SET", "half", "x")
        assert admin.ask("EXISTS", "half") == 0


# --- memory


def test_oom_refuses_writes_and_nothing_else(raw):
    raw.ask("SET", "k", "v")
    raw.ask("XADD", "s", "1-0", "p", "x")
    raw.ask("CONFIG", "SET", "maxmemory", 1)
    for write in (("SET", "k", "2"), ("XADD", "s", "2-0", "p", "x"), ("LPUSH", "l", "x"), ("HSET", "h", "f", "v")):
        assert str(raw.ask(*write)).startswith("OOM command not allowed when used memory > 'maxmemory'")
    assert raw.ask("GET", "k") == b"v"
    assert raw.ask("PUBLISH", "c", "m") == 0
    assert raw.ask("XTRIM", "s", "MAXLEN", 0) == 1
    assert raw.ask("DEL", "k") == 1
    raw.ask("CONFIG", "SET", "maxmemory", 0)
    assert raw.ask("SET", "k", "2") == b"OK"


def test_oom_in_a_batch_aborts_it_so_that_it_can_be_sent_again(raw):
    batch = [pack("XADD", "s", f"{n}-0", "n", n) for n in range(1, 4)]
    raw.ask("CONFIG", "SET", "maxmemory", 1)
    raw.send(pack("MULTI") + b"".join(batch) + pack("EXEC"))
    answers = [raw.reply() for _ in range(5)]
    assert answers[0] == b"OK"
    assert all(str(answer).startswith("OOM") for answer in answers[1:4])
    assert str(answers[4]).startswith("EXECABORT")
    assert raw.ask("EXISTS", "s") == 0
    raw.ask("CONFIG", "SET", "maxmemory", 0)
    raw.send(pack("MULTI") + b"".join(batch) + pack("EXEC"))
    answers = [raw.reply() for _ in range(5)]
    assert answers[4] == [b"1-0", b"2-0", b"3-0"]


def test_oom_that_comes_between_queueing_and_exec_aborts_too(raw, port):
    with RawClient(port) as admin:
        raw.ask("MULTI")
        assert raw.ask("XADD", "s", "1-0", "p", "x") == b"QUEUED"
        admin.ask("CONFIG", "SET", "maxmemory", 1)
        answer = str(raw.ask("EXEC"))
        admin.ask("CONFIG", "SET", "maxmemory", 0)
    assert answer.startswith("EXECABORT Transaction discarded because of: OOM")
    assert raw.ask("EXISTS", "s") == 0


def test_a_full_server_works_again_when_something_is_deleted(db):
    db.config_set("maxmemory", db.info("memory")["used_memory"] + (4 << 20))
    with pytest.raises(redis.OutOfMemoryError):
        for n in range(100):
            db.xadd(f"s{n % 4}", {"p": "x" * 100_000})
    assert 10 < sum(db.xlen(f"s{n}") for n in range(4)) < 60
    db.delete("s0", "s1", "s2", "s3")
    assert db.xadd("s0", {"p": "x"})
    db.config_set("maxmemory", 0)


# --- publish and subscribe


def receive(pubsub, n):
    """n messages, confirmations left out."""
    found, deadline = [], time.monotonic() + 5
    while len(found) < n and time.monotonic() < deadline:
        message = pubsub.get_message(timeout=1)
        if message and "subscribe" not in message["type"]:
            found.append((message["type"], message["pattern"], message["channel"], message["data"]))
    return found


def test_publish_reaches_channels_and_patterns(db):
    with db.pubsub() as listener, db.pubsub() as other:
        listener.subscribe("trades:x:BTC-USDT")
        listener.psubscribe("trades:*", "*:BTC-*")
        other.psubscribe("liquidations:*")
        for pubsub, n in ((listener, 3), (other, 1)):
            assert [pubsub.get_message(timeout=5)["type"] for _ in range(n)][-1] == "psubscribe"
        assert db.publish("trades:x:BTC-USDT", "1") == 3
        assert db.publish("trades:x:ETH-USDT", "2") == 1
        assert db.publish("depth:x:ETH-USDT", "3") == 0
        assert db.publish("liquidations:x:ETH-USDT", "4") == 1
        found = receive(listener, 4)
        assert found[0] == ("message", None, b"trades:x:BTC-USDT", b"1")
        assert set(found[1:3]) == {
            ("pmessage", b"trades:*", b"trades:x:BTC-USDT", b"1"),
            ("pmessage", b"*:BTC-*", b"trades:x:BTC-USDT", b"1"),
        }
        assert found[3] == ("pmessage", b"trades:*", b"trades:x:ETH-USDT", b"2")
        assert receive(other, 1) == [("pmessage", b"liquidations:*", b"liquidations:x:ETH-USDT", b"4")]


def test_ten_thousand_messages_arrive_in_order(db):
    with db.pubsub() as listener:
        listener.subscribe("c")
        assert listener.get_message(timeout=5)["type"] == "subscribe"

        def publish():
            for _ in range(10):
                pipeline = db.pipeline(transaction=False)
                for _ in range(1000):
                    pipeline.publish("c", next(numbers))
                assert set(pipeline.execute()) == {1}

        numbers = iter(range(10_000))
        thread = threading.Thread(target=publish)
        thread.start()
        found = receive(listener, 10_000)
        thread.join()
        assert [int(data) for *_, data in found] == list(range(10_000))


def test_the_words_of_a_subscription_on_the_wire(port, protocol):
    kind = b">" if protocol == 3 else b"*"
    null = b"_\r\n" if protocol == 3 else b"$-1\r\n"
    with RawClient(port, protocol) as listener, RawClient(port) as writer:
        listener.send(pack("SUBSCRIBE", "a", "b"))
        for expected in (
            kind + b"3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n",
            kind + b"3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n",
        ):
            assert listener.receive_exactly(expected) == expected
        listener.send(pack("PSUBSCRIBE", "a*"))
        expected = kind + b"3\r\n$10\r\npsubscribe\r\n$2\r\na*\r\n:3\r\n"
        assert listener.receive_exactly(expected) == expected
        assert writer.ask("PUBLISH", "a", "hi") == 2
        expected = kind + b"3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n"
        expected += kind + b"4\r\n$8\r\npmessage\r\n$2\r\na*\r\n$1\r\na\r\n$2\r\nhi\r\n"
        assert listener.receive_exactly(expected) == expected
        listener.send(pack("UNSUBSCRIBE", "a", "b") + pack("PUNSUBSCRIBE") + pack("PUNSUBSCRIBE"))
        expected = kind + b"3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:2\r\n"
        expected += kind + b"3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:1\r\n"
        expected += kind + b"3\r\n$12\r\npunsubscribe\r\n$2\r\na*\r\n:0\r\n"
        expected += kind + b"3\r\n$12\r\npunsubscribe\r\n" + null + b":0\r\n"
        assert listener.receive_exactly(expected) == expected
        assert writer.ask("PUBLISH", "a", "hi") == 0


def test_a_resp2_subscriber_may_only_listen_a_resp3_one_may_work(port, protocol):
    with RawClient(port, protocol) as client:
        client.ask("SUBSCRIBE", "c")
        answer = client.ask("GET", "k")
        if protocol == 3:
            assert answer is None
            assert client.ask("PING") == b"PONG"
            client.send(pack("PUBLISH", "c", "self"))
            assert sorted([str(client.reply()), str(client.reply())]) == sorted(["1", str([b"message", b"c", b"self"])])
        else:
            assert str(answer).startswith("ERR Can't execute 'get': only (P|S)SUBSCRIBE")
            assert client.ask("PING") == [b"pong", b""]
            client.ask("UNSUBSCRIBE", "c")
            assert client.ask("GET", "k") is None


def test_sharded_channels_are_a_world_of_their_own(port, protocol):
    with RawClient(port, protocol) as listener, RawClient(port) as writer:
        assert listener.ask("SSUBSCRIBE", "{trades:x}") == [b"ssubscribe", b"{trades:x}", 1]
        assert writer.ask("PUBLISH", "{trades:x}", "plain") == 0
        assert writer.ask("SPUBLISH", "{trades:x}", "shard") == 1
        assert listener.reply() == [b"smessage", b"{trades:x}", b"shard"]
        assert writer.ask("PUBSUB", "SHARDCHANNELS") == [b"{trades:x}"]
        assert listener.ask("SUNSUBSCRIBE") == [b"sunsubscribe", b"{trades:x}", 0]


def test_pubsub_tells_who_listens(db):
    with db.pubsub() as one, db.pubsub() as two:
        one.subscribe("a", "b")
        two.subscribe("a")
        two.psubscribe("x*")
        for pubsub, n in ((one, 2), (two, 2)):
            for _ in range(n):
                pubsub.get_message(timeout=5)
        assert set(db.pubsub_channels()) == {b"a", b"b"}
        assert db.pubsub_channels("a*") == [b"a"]
        assert dict(db.pubsub_numsub("a", "b", "c")) == {b"a": 2, b"b": 1, b"c": 0}
        assert db.pubsub_numpat() == 1
    for _ in range(100):  # a closed socket is noticed in the server's next turn
        if db.publish("a", "x") == 0:
            break
        time.sleep(0.01)
    assert db.pubsub_channels() == []
    assert db.pubsub_numpat() == 0


def test_a_subscriber_that_does_not_read_is_cut_and_the_others_are_not(db, port):
    db.config_set("client-output-buffer-limit", "pubsub 1mb 0 0")
    try:
        with RawClient(port) as slow, RawClient(port) as quick:
            slow.ask("SUBSCRIBE", "flood")
            quick.ask("SUBSCRIBE", "quiet")
            for _ in range(60):
                pipeline = db.pipeline(transaction=False)
                for _ in range(1000):
                    pipeline.publish("flood", "x" * 1000)
                reached = pipeline.execute()[-1]
                if reached == 0:
                    break
            assert reached == 0
            assert db.publish("quiet", "still here") == 1
            assert quick.reply() == [b"message", b"quiet", b"still here"]
            with pytest.raises((EOFError, ConnectionResetError)):
                while True:
                    slow.reply()
    finally:
        db.config_set("client-output-buffer-limit", "pubsub 33554432 8388608 60")


# --- the wire


def test_packets_split_anywhere_mean_the_same(raw):
    script = [
        pack("SET", "k", "v\r\n*1\r\n"),
        b"PING inline\r\n",
        pack("XADD", "s", "1-1", "field", "x" * 70),
        pack("MULTI") + pack("INCR", "n") + pack("EXEC"),
        b"*0\r\n*-1\r\n\r\n",
        pack("GET", "k"),
    ]
    whole = b"".join(script)
    raw.send(whole)
    expected = [raw.reply() for _ in range(7)]
    assert expected[-1] == b"v\r\n*1\r\n"
    raw.ask("FLUSHALL")
    for n in range(len(whole)):
        raw.send(whole[n : n + 1])
    assert [raw.reply() for _ in range(7)] == expected
    for size in (7, 31):
        raw.ask("FLUSHALL")
        for n in range(0, len(whole), size):
            raw.send(whole[n : n + size])
        assert [raw.reply() for _ in range(7)] == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"PING\r\n", b"PONG"),
        (b"PING\n", b"PONG"),
        (b"  ping   hello \r\n", b"hello"),
        (b'ECHO "a b"\r\n', b"a b"),
        (b"ECHO 'it\\'s'\r\n", b"it's"),
        (b'ECHO "\\x41\\n\\t\\""\r\n', b'A\n\t"'),
        (b"ECHO a'b c'\r\n", b"ab c"),
        (b'ECHO ""\r\n', b""),
    ],
)
def test_inline_commands(raw, line, expected):
    raw.send(line)
    assert raw.reply() == expected


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"*x\r\n", "invalid multibulk length"),
        (b"*2147483648\r\n", "invalid multibulk length"),
        (b"*99999999999999999999\r\n", "invalid multibulk length"),
        (b"*01\r\n$4\r\nPING\r\n", "invalid multibulk length"),
        (b"*1\r\n:4\r\n", "expected '$', got ':'"),
        (b"*1\r\n+PING\r\n", "expected '$', got '+'"),
        (b"*1\r\n$x\r\n", "invalid bulk length"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$04\r\nPING\r\n", "invalid bulk length"),
        (b"*1\r\n$99999999999\r\n", "invalid bulk length"),
        (b'ECHO "open\r\n', "unbalanced quotes in request"),
        (b"*" + b"1" * 70_000, "too big mbulk count string"),
        (b"*1\r\n$" + b"1" * 70_000, "too big bulk count string"),
        (b"x" * 70_000, "too big inline request"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[:12].decode(),
)
def test_a_protocol_error_is_named_and_the_connection_closed(raw, data, said):
    raw.send(pack("PING") + data)
    assert raw.reply() == b"PONG"
    assert str(raw.reply()) == f"ERR Protocol error: {said}"
    with pytest.raises((EOFError, ConnectionResetError)):
        raw.reply()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("NOSUCH", "a", "b c"), "ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b c' "),
        (("GET",), "ERR wrong number of arguments for 'get' command"),
        (("get", "a", "b"), "ERR wrong number of arguments for 'get' command"),
        (("XADD", "s", "*", "odd"), "ERR wrong number of arguments for 'xadd' command"),
        (("XADD", "s", "MAXLEN", "-1", "*", "f", "v"), "ERR The MAXLEN argument must be >= 0."),
        (("XRANGE", "s", "x", "+"), "ERR Invalid stream ID specified as stream command argument"),
        (("XREAD", "BLOCK", "-1", "STREAMS", "s", "$"), "ERR timeout is negative"),
        (("SET", "k", "v", "NOPE"), "ERR syntax error"),
        (("SET", "k", "v", "EX", "0"), "ERR invalid expire time in 'set' command"),
        (("INCRBY", "k", "9223372036854775808"), "ERR value is not an integer or out of range"),
        (("ZADD", "z", "abc", "m"), "ERR value is not a valid float"),
    ],
)
def test_errors_have_the_words_that_clients_look_for(raw, command, said):
    assert str(raw.ask(*command)) == said
    assert raw.ask("PING") == b"PONG"


def test_a_huge_announced_value_does_not_hold_the_others_up(port):
    with RawClient(port) as big, RawClient(port) as other:
        big.send(b"*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$50000000\r\n")
        for _ in range(20):
            big.send(b"x" * 1_000_000)
        began = time.monotonic()
        assert other.ask("PING") == b"PONG"
        assert time.monotonic() - began < 1
        for _ in range(30):
            big.send(b"x" * 1_000_000)
        big.send(b"\r\n")
        assert big.reply() == b"OK"
        assert other.ask("DEL", "big") == 1


def test_a_client_that_never_reads_its_replies_is_no_danger(port):
    with RawClient(port) as greedy, RawClient(port) as other:
        other.ask("SET", "blob", "x" * 1_000_000)
        greedy.socket.setblocking(False)
        for _ in range(2000):
            try:
                greedy.socket.send(pack("ECHO", "y" * 1000))
            except BlockingIOError:
                break
        assert other.ask("PING") == b"PONG"
        assert other.ask("DEL", "blob") == 1
