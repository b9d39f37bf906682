"""Whatever a client says, every command has one answer and the server goes on."""

import asyncio

import hiredis
from hypothesis import given
from hypothesis import strategies as st

from p9.delivery.resp_server.command import TABLE
from p9.delivery.resp_server.process import FAMILIES
from p9.delivery.resp_server.server import Server
from p9.delivery.resp_server.session import Session

ANSWERS_MORE_OR_LATER = {b"subscribe", b"psubscribe", b"ssubscribe", b"unsubscribe", b"punsubscribe", b"sunsubscribe", b"shutdown"}
ENDS = {b"quit", b"client"}

word = st.one_of(
    st.sampled_from([b"k", b"s", b"*", b"-", b"+", b"$", b"0", b"1", b"-1", b"1-1", b"inf", b"nan", b"STREAMS", b"COUNT", b"BLOCK", b"1e309"]),
    st.sampled_from([b"MAXLEN", b"MINID", b"~", b"=", b"LIMIT", b"EX", b"NX", b"GET", b"BYSCORE", b"WITHSCORES", b"AUTH", b"SETNAME", b"ID"]),
    st.sampled_from([b"USAGE", b"STREAM", b"SET", b"maxmemory", b"client-output-buffer-limit", b"pubsub 1 2 3", b"LIST", b"KILL", b"TYPE"]),
    st.binary(max_size=6),
)
names = sorted({row.name.encode() for row in TABLE.values()} - ANSWERS_MORE_OR_LATER - ENDS)
commands = st.tuples(st.sampled_from(names), st.lists(word, max_size=7)).map(lambda pair: [pair[0], *pair[1]])


class Wire(asyncio.Transport):
    """Where a session's answers go when there is no socket."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high = high

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True


def test_the_table_is_whole():
    assert len(FAMILIES) == 7
    assert {b"XADD", b"xadd", b"PUBLISH", b"EXEC", b"HELLO", b"INFO", b"ZADD", b"SPUBLISH"} <= set(TABLE)


@given(st.lists(commands, max_size=30), st.booleans())
def test_every_command_has_exactly_one_answer(script, with_three):
    async def run():
        server = Server(now_ms=lambda: 1_700_000_000_000)
        session, wire = Session(server), Wire()
        session.connection_made(wire)
        if with_three:
            session.resp = 3
        for command in script:
            if session.blocked:  # XREAD BLOCK: its answer comes by its timer
                server.unblock(session)
                wire.written = b""
            wire.written = b""
            session.data_received(b"*%d\r\n" % len(command) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in command))
            reader = hiredis.Reader(replyError=str)
            reader.feed(wire.written)
            answer = reader.gets()
            assert (answer is not False) != bool(session.blocked), command
            assert reader.gets() is False, command
        session.connection_lost(None)
        assert not server.sessions
        assert not any(database.watched for database in server.databases)

    asyncio.run(run())
