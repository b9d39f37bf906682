"""Random commands to redis-server and to the built-in one: the same answers, the same end. Skips where no redis-server is installed."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import ResponseError

from tests.delivery.redis_servers import RawClient, running

UNORDERED = {"SMEMBERS", "KEYS", "HGETALL"}

key = st.sampled_from(["a", "b", "c"])
value = st.sampled_from(["", "0", "1", "-7", "007", "1.5", "x", "y z", "\r\n", "9223372036854775807"])
number = st.integers(-4, 6).map(str)
part = st.one_of(st.integers(0, 5), st.just(2**64 - 1)).map(str)
ident = st.one_of(st.tuples(part, part).map("-".join), part, st.sampled_from(["5-*", "0-0", "x", "1-x", "", "-", "+", "*-*"]))
edge = st.one_of(ident, ident.map(lambda text: "(" + text), st.sampled_from(["-", "+", "(-"]))
score = st.sampled_from(["1", "2", "2.5", "-inf", "+inf", "nan", "x", "(1", "(2.5"])
trim = st.one_of(
    st.tuples(st.sampled_from(["MAXLEN", "maxlen", "MINID"]), st.just("="), part),
    st.tuples(st.sampled_from(["MAXLEN", "MINID"]), number),
    st.just(("MAXLEN", "=", "3", "LIMIT", "2")),
)


def words(*parts):
    """Each part: a word, or a strategy of a word or of a tuple of words."""
    strategies = [p if isinstance(p, st.SearchStrategy) else st.just(p) for p in parts]
    return st.tuples(*strategies).map(lambda found: tuple(word for p in found for word in (p if isinstance(p, tuple) else (p,))))


def maybe(*parts):
    return st.one_of(st.just(()), words(*parts))


commands = st.one_of(
    words("SET", key, value, maybe(st.sampled_from(["NX", "XX", "GET", "KEEPTTL", "BAD"]))),
    words("SET", key, value, st.sampled_from(["EX", "PX"]), st.sampled_from(["0", "-1", "x", "100000"])),
    words(st.sampled_from(["GET", "INCR", "DECR", "TYPE", "PTTL"]), key),
    words(st.sampled_from(["INCRBY", "DECRBY"]), key, value),
    words(st.sampled_from(["DEL", "EXISTS", "MGET", "UNLINK"]), key, key),
    words("MSET", key, value, key, value),
    words("EXPIRE", key, st.sampled_from(["0", "-5", "100000", "x"]), maybe(st.sampled_from(["NX", "XX", "GT", "LT", "BAD"]))),
    words(st.sampled_from(["PERSIST", "TTL", "LLEN", "HLEN", "SCARD", "ZCARD", "XLEN", "SMEMBERS", "HGETALL"]), key),
    words("KEYS", st.sampled_from(["*", "?", "[ab]", "[^a]", "a*", "\\a", "[", "", "[a-", "**"])),
    words("HSET", key, value, value, maybe(value, value)),
    words(st.sampled_from(["HGET", "HDEL", "SISMEMBER", "ZSCORE", "ZREM", "SREM"]), key, value),
    words("HMGET", key, value, value),
    words(st.sampled_from(["LPUSH", "RPUSH", "SADD"]), key, value, maybe(value)),
    words(st.sampled_from(["LRANGE", "LTRIM"]), key, number, number),
    words("ZADD", key, maybe(st.sampled_from(["NX", "XX", "GT", "LT", "CH"])), score, value, maybe(score, value)),
    words("ZRANGE", key, number, number, maybe(st.sampled_from(["REV", "WITHSCORES", "BAD"]))),
    words("ZRANGE", key, score, score, "BYSCORE", maybe("REV"), maybe("LIMIT", number, number)),
    words("ZRANGEBYSCORE", key, score, score, maybe("WITHSCORES"), maybe("LIMIT", number, number)),
    words("XADD", key, maybe("NOMKSTREAM"), maybe(trim), ident, "f", value, maybe("g", value), maybe("odd")),
    words(st.sampled_from(["XRANGE", "XREVRANGE"]), key, edge, edge, maybe("COUNT", number)),
    words("XREAD", maybe("COUNT", number), "STREAMS", key, key, st.one_of(ident, st.just("$")), st.one_of(ident, st.just("$"))),
    words("XTRIM", key, trim),
    words("XDEL", key, ident, maybe(ident)),
    words("XINFO", "STREAM", key),
    words(st.sampled_from(["MULTI", "EXEC", "DISCARD", "UNWATCH", "NOSUCH", "GET", "PING"])),
    words("WATCH", key),
    words("PUBLISH", key, value),
)


@pytest.fixture(scope="module")
def ports(tmp_path_factory):
    with running("redis", tmp_path_factory.mktemp("redis")) as theirs, running("builtin", tmp_path_factory.mktemp("own")) as own:
        yield theirs, own


def plain(command: tuple[str, ...], answer: object) -> object:
    """What must agree: of an error its kind, of what has no order its members, of an expiry that there is one."""
    if isinstance(answer, ResponseError):
        return str(answer).split()[0]
    if command[0] in UNORDERED and isinstance(answer, list):
        return sorted(map(repr, answer))
    if command[0] in ("TTL", "PTTL") and isinstance(answer, int) and answer > 0:
        return "some"
    if command[0] == "XINFO" and isinstance(answer, list):
        pairs = dict(zip(answer[::2], answer[1::2], strict=True))
        return {name: pairs[name] for name in (b"length", b"last-generated-id", b"first-entry", b"last-entry")}
    if isinstance(answer, list):
        return [plain(("",), item) for item in answer]
    if isinstance(answer, dict):
        return {name: plain(("",), item) for name, item in answer.items()}
    return answer


@pytest.mark.parametrize("protocol", [2, 3])
def test_the_builtin_server_answers_as_redis_does(ports, protocol):
    with RawClient(ports[0], protocol) as theirs, RawClient(ports[1], protocol) as own:

        @settings(max_examples=100, suppress_health_check=list(HealthCheck))
        @given(st.lists(commands, min_size=5, max_size=40))
        def agree(script):
            for client in (theirs, own):
                client.ask("RESET")
                client.ask("HELLO", protocol)
                client.ask("FLUSHALL")
            exec_order_free = False
            for command in script:
                expected, got = theirs.ask(*command), own.ask(*command)
                exec_order_free |= command[0] in UNORDERED or command[0] in ("TTL", "PTTL", "XINFO")
                if command[0] == "EXEC" and exec_order_free:
                    assert type(got) is type(expected), command
                else:
                    assert plain(command, got) == plain(command, expected), command

        agree()
