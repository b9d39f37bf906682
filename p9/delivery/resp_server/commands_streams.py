"""XADD, XRANGE, XREAD, XTRIM, XDEL, XINFO; no consumer groups.

Source: https://redis.io/docs/latest/commands/?group=stream
"""

from p9.delivery.resp_server import reply
from p9.delivery.resp_server.command import (
    DENY_OOM,
    SYNTAX,
    WRITE,
    CommandError,
    command,
    parse_int,
    unknown_subcommand,
    wrong_arity,
)
from p9.delivery.resp_server.database import Database
from p9.delivery.resp_server.server import Server
from p9.delivery.resp_server.session import Blocked, Session
from p9.delivery.resp_server.stream import MAX_ID, MAX_PART, Stream, Trim, id_text, parse_id, parse_new_id

GROUPS_ONLY = "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."


@command("xadd", -5, WRITE | DENY_OOM)
def xadd(server: Server, session: Session, args: list[bytes]) -> bytes:
    at, trim, create = 2, None, True
    while at < len(args):
        option = args[at].upper()
        if option == b"NOMKSTREAM":
            create = False
            at += 1
        elif option in (b"MAXLEN", b"MINID"):
            if trim:
                raise CommandError("ERR syntax error, MAXLEN and MINID options at the same time are not compatible")
            trim, at = Trim.parse(args, at)
        elif option == b"LIMIT":
            raise CommandError("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
        else:
            break
    fields = args[at + 1 :]
    if not fields or len(fields) % 2:
        raise wrong_arity("xadd")
    wanted = parse_new_id(args[at])
    key, database = args[1], session.database
    stream = database.typed(key, Stream)
    if stream is None:
        if not create:
            return reply.null(session.resp)
        stream = Stream()
    text = stream.add(stream.next_id(wanted, server.now_ms()), fields)
    if trim:
        stream.trim(trim)
    database.commit(key, stream)
    server.stream_grew(database, key)
    return b"$%d\r\n%b\r\n" % (len(text), text)


@command("xlen", 2)
def xlen(server: Server, session: Session, args: list[bytes]) -> bytes:
    return reply.integer(len(session.database.open(args[1], Stream)))


@command("xtrim", -4, WRITE)
def xtrim(server: Server, session: Session, args: list[bytes]) -> bytes:
    if args[2].upper() not in (b"MAXLEN", b"MINID"):
        raise CommandError(SYNTAX)
    trim, at = Trim.parse(args, 2)
    if at != len(args):
        raise CommandError(SYNTAX)
    stream = session.database.typed(args[1], Stream)
    n = stream.trim(trim) if stream is not None else 0
    if n:
        session.database.commit(args[1], stream)
    return reply.integer(n)


@command("xdel", -3, WRITE)
def xdel(server: Server, session: Session, args: list[bytes]) -> bytes:
    stream = session.database.typed(args[1], Stream)
    if stream is None:
        return reply.ZERO
    idents = [parse_id(text) for text in args[2:]]  # all, before the first is deleted
    n = sum([stream.delete(ident) for ident in idents])
    if n:
        session.database.commit(args[1], stream)
    return reply.integer(n)


@command("xrange", -4)
def xrange(server: Server, session: Session, args: list[bytes]) -> bytes:
    return _range(session, args, args[2], args[3], newest_first=False)


@command("xrevrange", -4)
def xrevrange(server: Server, session: Session, args: list[bytes]) -> bytes:
    return _range(session, args, args[3], args[2], newest_first=True)


def _range(session: Session, args: list[bytes], low: bytes, high: bytes, *, newest_first: bool) -> bytes:
    count = None
    if len(args) > 4:
        if len(args) != 6 or args[4].upper() != b"COUNT":
            raise CommandError(SYNTAX)
        count = max(0, parse_int(args[5]))
    first, last = _low_end(low), _high_end(high)
    stream = session.database.typed(args[1], Stream)
    if stream is None:
        return reply.EMPTY_ARRAY
    if count == 0:
        return reply.null_array(session.resp)
    return reply.array(stream.between(first, last, count, newest_first=newest_first))


def _low_end(text: bytes) -> int:
    if text == b"-":
        return 0
    if text == b"+":
        return MAX_ID
    if not text.startswith(b"("):
        return parse_id(text)
    ident = parse_id(text[1:])
    if ident == MAX_ID:
        raise CommandError("ERR invalid start ID for the interval")
    return ident + 1


def _high_end(text: bytes) -> int:
    if text == b"+":
        return MAX_ID
    if text == b"-":
        return 0
    if not text.startswith(b"("):
        return parse_id(text, missing_seq=MAX_PART)
    ident = parse_id(text[1:], missing_seq=MAX_PART)
    if ident == 0:
        raise CommandError("ERR invalid end ID for the interval")
    return ident - 1


@command("xread", -4)
def xread(server: Server, session: Session, args: list[bytes]) -> bytes | None:
    at, count, block_ms = 1, None, None
    while at < len(args):
        option = args[at].upper()
        if option == b"STREAMS":
            break
        if option not in (b"COUNT", b"BLOCK") or at + 1 >= len(args):
            raise CommandError(SYNTAX)
        if option == b"COUNT":
            count = parse_int(args[at + 1])
            count = None if count <= 0 else count
        else:
            block_ms = parse_int(args[at + 1], "ERR timeout is not an integer or out of range")
            if block_ms < 0:
                raise CommandError("ERR timeout is negative")
        at += 2
    names = args[at + 1 :]
    if not names:
        raise CommandError(SYNTAX)
    if len(names) % 2:
        raise CommandError("ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.")
    half = len(names) // 2
    database = session.database
    after = []
    for key, text in zip(names[:half], names[half:], strict=True):
        stream = database.typed(key, Stream)
        if text == b"$":
            after.append((key, stream.last_id if stream is not None else 0))
        elif text == b">":
            raise CommandError(GROUPS_ONLY)
        else:
            after.append((key, parse_id(text)))
    answer = _read(session, database, after, count)
    if answer is not None:
        return answer
    null = reply.null_array(session.resp)
    if block_ms is None or server.in_transaction:
        return null
    keys = [(database.index, key) for key in dict.fromkeys(names[:half])]
    server.block(session, Blocked(keys, lambda: _read(session, database, after, count)), block_ms, null)
    return None


def _read(session: Session, database: Database, after: list[tuple[bytes, int]], count: int | None) -> bytes | None:
    found = []
    for key, ident in after:
        stream = database.find(key)
        if isinstance(stream, Stream) and stream.last_id > ident:
            entries = stream.between(ident + 1, MAX_ID, count)
            if entries:
                found.append((reply.bulk(key), reply.array(entries)))
    if not found:
        return None
    if session.resp == 3:
        return reply.mapping([part for pair in found for part in pair], 3)
    return reply.array([reply.array(pair) for pair in found])


@command("xinfo", -2)
def xinfo(server: Server, session: Session, args: list[bytes]) -> bytes:
    if args[1].upper() != b"STREAM":
        raise unknown_subcommand("xinfo", args[1])
    if len(args) != 3:
        raise wrong_arity("xinfo|stream")
    stream = session.database.typed(args[2], Stream)
    if stream is None:
        raise CommandError("ERR no such key")
    null = reply.null(session.resp)
    first = stream.between(0, MAX_ID, 1)
    last = stream.between(0, MAX_ID, 1, newest_first=True)
    fields = [
        (b"length", reply.integer(len(stream))),
        (b"radix-tree-keys", reply.integer(-(-len(stream) // 100))),
        (b"radix-tree-nodes", reply.integer(-(-len(stream) // 100) + 1)),
        (b"last-generated-id", reply.bulk(id_text(stream.last_id))),
        (b"max-deleted-entry-id", reply.bulk(id_text(stream.max_deleted_id))),
        (b"entries-added", reply.integer(stream.n_added)),
        (b"recorded-first-entry-id", reply.bulk(id_text(stream.first_id()))),
        (b"groups", reply.ZERO),
        (b"first-entry", first[0] if first else null),
        (b"last-entry", last[0] if last else null),
    ]
    return reply.mapping([part for key, value in fields for part in (reply.bulk(key), value)], session.resp)
