"""Pipelines and transactions."""

import redis

from tests.delivery.redis_servers import RawClient, pack

TOO_SMALL = "The ID specified in XADD is equal or smaller than the target stream top item"


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
