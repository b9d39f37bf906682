"""A server that is full."""

import pytest
import redis

from tests.delivery.redis_servers import RawClient, pack


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
