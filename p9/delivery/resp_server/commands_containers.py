"""Hashes, lists, sets and sorted sets."""

from itertools import islice

from p9.delivery.resp_server import reply
from p9.delivery.resp_server.command import (
    DENY_OOM,
    SYNTAX,
    WRITE,
    CommandError,
    command,
    parse_float,
    parse_int,
    wrong_arity,
)
from p9.delivery.resp_server.database import Hash, List, Set
from p9.delivery.resp_server.server import Server
from p9.delivery.resp_server.session import Session
from p9.delivery.resp_server.sorted_set import SortedSet

BAD_RANGE = "ERR min or max is not a float"


def _slice(size: int, start: bytes, stop: bytes) -> tuple[int, int]:
    """Redis' inclusive, from-the-end-when-negative range as Python's first:last."""
    first, last = parse_int(start), parse_int(stop)
    first = max(0, first + size if first < 0 else first)
    last = last + size if last < 0 else last
    return first, max(first, min(last + 1, size))


# --- hashes


@command("hset", -4, WRITE | DENY_OOM)
def hset(server: Server, session: Session, args: list[bytes]) -> bytes:
    if len(args) % 2:
        raise wrong_arity("hset")
    value = session.database.open(args[1], Hash)
    n = sum([value.set(field, text) for field, text in zip(args[2::2], args[3::2], strict=True)])
    session.database.commit(args[1], value)
    return reply.integer(n)


@command("hget", 3)
def hget(server: Server, session: Session, args: list[bytes]) -> bytes:
    value = session.database.open(args[1], Hash).fields.get(args[2])
    return reply.null(session.resp) if value is None else reply.bulk(value)


@command("hmget", -3)
def hmget(server: Server, session: Session, args: list[bytes]) -> bytes:
    fields, null = session.database.open(args[1], Hash).fields, reply.null(session.resp)
    return reply.array([reply.bulk(fields[f]) if f in fields else null for f in args[2:]])


@command("hgetall", 2)
def hgetall(server: Server, session: Session, args: list[bytes]) -> bytes:
    fields = session.database.open(args[1], Hash).fields
    return reply.mapping([reply.bulk(part) for pair in fields.items() for part in pair], session.resp)


@command("hdel", -3, WRITE)
def hdel(server: Server, session: Session, args: list[bytes]) -> bytes:
    value = session.database.open(args[1], Hash)
    n = sum([value.remove(field) for field in args[2:]])
    if n:
        session.database.commit(args[1], value)
    return reply.integer(n)


@command("hlen", 2)
def hlen(server: Server, session: Session, args: list[bytes]) -> bytes:
    return reply.integer(len(session.database.open(args[1], Hash)))


# --- lists


def _push(session: Session, args: list[bytes], left: bool) -> bytes:
    value = session.database.open(args[1], List)
    for item in args[2:]:
        value.push(item, left=left)
    session.database.commit(args[1], value)
    return reply.integer(len(value))


@command("lpush", -3, WRITE | DENY_OOM)
def lpush(server: Server, session: Session, args: list[bytes]) -> bytes:
    return _push(session, args, left=True)


@command("rpush", -3, WRITE | DENY_OOM)
def rpush(server: Server, session: Session, args: list[bytes]) -> bytes:
    return _push(session, args, left=False)


@command("llen", 2)
def llen(server: Server, session: Session, args: list[bytes]) -> bytes:
    return reply.integer(len(session.database.open(args[1], List)))


@command("lrange", 4)
def lrange(server: Server, session: Session, args: list[bytes]) -> bytes:
    parse_int(args[2]), parse_int(args[3])  # Redis looks at the numbers before the key
    items = session.database.open(args[1], List).items
    return reply.bulks(list(islice(items, *_slice(len(items), args[2], args[3]))))


@command("ltrim", 4, WRITE)
def ltrim(server: Server, session: Session, args: list[bytes]) -> bytes:
    parse_int(args[2]), parse_int(args[3])
    value = session.database.open(args[1], List)
    first, last = _slice(len(value), args[2], args[3])
    for _ in range(len(value) - last):
        value.pop(left=False)
    for _ in range(min(first, len(value))):
        value.pop(left=True)
    session.database.commit(args[1], value)
    return reply.OK


# --- sets


@command("sadd", -3, WRITE | DENY_OOM)
def sadd(server: Server, session: Session, args: list[bytes]) -> bytes:
    value = session.database.open(args[1], Set)
    n = sum([value.add(member) for member in args[2:]])
    session.database.commit(args[1], value)
    return reply.integer(n)


@command("srem", -3, WRITE)
def srem(server: Server, session: Session, args: list[bytes]) -> bytes:
    value = session.database.open(args[1], Set)
    n = sum([value.remove(member) for member in args[2:]])
    if n:
        session.database.commit(args[1], value)
    return reply.integer(n)


@command("smembers", 2)
def smembers(server: Server, session: Session, args: list[bytes]) -> bytes:
    return reply.members([reply.bulk(m) for m in session.database.open(args[1], Set).members], session.resp)


@command("scard", 2)
def scard(server: Server, session: Session, args: list[bytes]) -> bytes:
    return reply.integer(len(session.database.open(args[1], Set)))


@command("sismember", 3)
def sismember(server: Server, session: Session, args: list[bytes]) -> bytes:
    return reply.integer(args[2] in session.database.open(args[1], Set).members)


# --- sorted sets


@command("zadd", -4, WRITE | DENY_OOM)
def zadd(server: Server, session: Session, args: list[bytes]) -> bytes:
    options, at = set(), 2
    while at < len(args) and args[at].upper() in (b"NX", b"XX", b"GT", b"LT", b"CH"):
        options.add(args[at].upper())
        at += 1
    pairs = args[at:]
    if not pairs or len(pairs) % 2:
        raise CommandError(SYNTAX)
    if options >= {b"NX", b"XX"}:
        raise CommandError("ERR XX and NX options at the same time are not compatible")
    if (b"NX" in options and options & {b"GT", b"LT"}) or options >= {b"GT", b"LT"}:
        raise CommandError("ERR GT, LT, and/or NX options at the same time are not compatible")
    scored = [(parse_float(score), member) for score, member in zip(pairs[::2], pairs[1::2], strict=True)]
    value = session.database.open(args[1], SortedSet)
    n_added = n_changed = 0
    for score, member in scored:
        old = value.scores.get(member)
        if old is None:
            if b"XX" in options:
                continue
            n_added += 1
        elif b"NX" in options or score == old or (b"GT" in options and score < old) or (b"LT" in options and score > old):
            continue
        else:
            n_changed += 1
        value.put(member, score)
    if n_added or n_changed:
        session.database.commit(args[1], value)
    return reply.integer(n_added + n_changed if b"CH" in options else n_added)


@command("zrem", -3, WRITE)
def zrem(server: Server, session: Session, args: list[bytes]) -> bytes:
    value = session.database.open(args[1], SortedSet)
    n = sum([value.remove(member) for member in args[2:]])
    if n:
        session.database.commit(args[1], value)
    return reply.integer(n)


@command("zcard", 2)
def zcard(server: Server, session: Session, args: list[bytes]) -> bytes:
    return reply.integer(len(session.database.open(args[1], SortedSet)))


@command("zscore", 3)
def zscore(server: Server, session: Session, args: list[bytes]) -> bytes:
    score = session.database.open(args[1], SortedSet).scores.get(args[2])
    return reply.null(session.resp) if score is None else reply.double(score, session.resp)


@command("zrange", -4)
def zrange(server: Server, session: Session, args: list[bytes]) -> bytes:
    by_score, reverse, with_scores, limit = _range_options(args, (b"BYSCORE", b"REV", b"WITHSCORES", b"LIMIT"))
    if by_score:
        bounds = _bounds(args[3], args[2]) if reverse else _bounds(args[2], args[3])
        entries = session.database.open(args[1], SortedSet).between(*bounds)
        return _range_reply(session, entries, reverse, with_scores, limit)
    if limit:
        raise CommandError("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX")
    parse_int(args[2]), parse_int(args[3])  # Redis looks at the numbers before the key
    value = session.database.open(args[1], SortedSet)
    entries = value.order[::-1] if reverse else value.order
    first, last = _slice(len(entries), args[2], args[3])
    return _range_reply(session, entries[first:last], False, with_scores, None)


@command("zrangebyscore", -4)
def zrangebyscore(server: Server, session: Session, args: list[bytes]) -> bytes:
    _, _, with_scores, limit = _range_options(args, (b"WITHSCORES", b"LIMIT"))
    bounds = _bounds(args[2], args[3])
    entries = session.database.open(args[1], SortedSet).between(*bounds)
    return _range_reply(session, entries, False, with_scores, limit)


def _range_options(args: list[bytes], allowed: tuple[bytes, ...]) -> tuple[bool, bool, bool, tuple[int, int] | None]:
    """What follows `key low high`: BYSCORE, REV, WITHSCORES, LIMIT offset count."""
    seen, limit, at = set(), None, 4
    while at < len(args):
        option = args[at].upper()
        if option not in allowed or (option == b"LIMIT" and at + 2 >= len(args)):
            raise CommandError(SYNTAX)
        if option == b"LIMIT":
            limit = parse_int(args[at + 1]), parse_int(args[at + 2])
            at += 2
        seen.add(option)
        at += 1
    return b"BYSCORE" in seen, b"REV" in seen, b"WITHSCORES" in seen, limit


def _bounds(low: bytes, high: bytes) -> tuple[float, bool, float, bool]:
    """Each end and whether it is open. Raises CommandError."""
    low_open, high_open = low.startswith(b"("), high.startswith(b"(")
    return parse_float(low[low_open:], BAD_RANGE), low_open, parse_float(high[high_open:], BAD_RANGE), high_open


def _range_reply(
    session: Session,
    entries: list[tuple[float, bytes]],
    reverse: bool,
    with_scores: bool,
    limit: tuple[int, int] | None,
) -> bytes:
    if reverse:
        entries = entries[::-1]
    if limit:
        offset, count = limit
        entries = [] if offset < 0 else entries[offset:] if count < 0 else entries[offset : offset + count]
    if not with_scores:
        return reply.bulks([member for _, member in entries])
    pairs = [(reply.bulk(member), reply.double(score, session.resp)) for score, member in entries]
    if session.resp == 3:
        return reply.array([reply.array(pair) for pair in pairs])
    return reply.array([part for pair in pairs for part in pair])
