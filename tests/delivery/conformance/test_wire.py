"""The wire: what bytes mean, and what they may not do."""

import pytest

from tests.delivery.redis_servers import RawClient, pack


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
        assert other.ask("PING") == b"PONG"  # while the value is not whole
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
