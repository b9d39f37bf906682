"""Strings, and what holds for keys of every type: SET, GET, INCR, DEL, EXPIRE, TTL, SCAN …"""

from p9.delivery.resp_server import reply
from p9.delivery.resp_server.command import (
    DENY_OOM,
    NOT_AN_INTEGER,
    SYNTAX,
    WRITE,
    CommandError,
    command,
    parse_int,
    wrong_arity,
)
from p9.delivery.resp_server.glob import compile_glob
from p9.delivery.resp_server.server import Server
from p9.delivery.resp_server.session import Session

MAX_STRING_BYTES = 512 << 20
_EXPIRY = {b"EX": (1000, False), b"PX": (1, False), b"EXAT": (1000, True), b"PXAT": (1, True)}


def _expiry_ms(server: Server, name: str, text: bytes, unit_ms: int, absolute: bool) -> int:
    """When, in ms since 1970. Raises CommandError on what 64 bits cannot hold."""
    value = parse_int(text) * unit_ms + (0 if absolute else server.now_ms())
    if not -(1 << 63) <= value < 1 << 63:
        raise CommandError(f"ERR invalid expire time in '{name}' command")
    return value


@command("set", -3, WRITE | DENY_OOM)
def set_(server: Server, session: Session, args: list[bytes]) -> bytes:
    key, value, at, database = args[1], args[2], 3, session.database
    condition, expires_ms, keep, give_old = b"", None, False, False
    while at < len(args):
        option = args[at].upper()
        if option in (b"NX", b"XX") and condition in (b"", option):
            condition = option
        elif option == b"GET":
            give_old = True
        elif option == b"KEEPTTL" and expires_ms is None:
            keep = True
        elif option in _EXPIRY and expires_ms is None and not keep and at + 1 < len(args):
            at += 1
            if parse_int(args[at]) <= 0:
                raise CommandError("ERR invalid expire time in 'set' command")
            expires_ms = _expiry_ms(server, "set", args[at], *_EXPIRY[option])
        else:
            raise CommandError(SYNTAX)
        at += 1
    answer = reply.OK
    old = None
    if give_old:
        old = database.string(key)
        answer = reply.null(session.resp) if old is None else reply.bulk(old)
    if condition and (database.find(key) is not None) != (condition == b"XX"):
        return answer if give_old else reply.null(session.resp)
    database.put(key, value, keep_expiry=keep)
    if expires_ms is not None:
        database.expire(key, expires_ms)
    return answer


@command("get", 2)
def get(server: Server, session: Session, args: list[bytes]) -> bytes:
    value = session.database.string(args[1])
    return reply.null(session.resp) if value is None else reply.bulk(value)


@command("mset", -3, WRITE | DENY_OOM)
def mset(server: Server, session: Session, args: list[bytes]) -> bytes:
    if len(args) % 2 == 0:
        raise wrong_arity("mset")
    for key, value in zip(args[1::2], args[2::2], strict=True):
        session.database.put(key, value)
    return reply.OK


@command("mget", -2)
def mget(server: Server, session: Session, args: list[bytes]) -> bytes:
    values = [session.database.find(key) for key in args[1:]]
    null = reply.null(session.resp)
    return reply.array([reply.bulk(v) if isinstance(v, bytes) else null for v in values])


@command("incr", 2, WRITE | DENY_OOM)
def incr(server: Server, session: Session, args: list[bytes]) -> bytes:
    return _add(session, args[1], 1)


@command("decr", 2, WRITE | DENY_OOM)
def decr(server: Server, session: Session, args: list[bytes]) -> bytes:
    return _add(session, args[1], -1)


@command("incrby", 3, WRITE | DENY_OOM)
def incrby(server: Server, session: Session, args: list[bytes]) -> bytes:
    return _add(session, args[1], parse_int(args[2]))


@command("decrby", 3, WRITE | DENY_OOM)
def decrby(server: Server, session: Session, args: list[bytes]) -> bytes:
    return _add(session, args[1], -parse_int(args[2]))


def _add(session: Session, key: bytes, change: int) -> bytes:
    old = session.database.string(key)
    value = (0 if old is None else parse_int(old, NOT_AN_INTEGER)) + change
    if not -(1 << 63) <= value < 1 << 63:
        raise CommandError("ERR increment or decrement would overflow")
    session.database.put(key, b"%d" % value, keep_expiry=True)
    return reply.integer(value)


# --- keys of every type


@command("del", -2, WRITE)
def del_(server: Server, session: Session, args: list[bytes]) -> bytes:
    database, n = session.database, 0
    for key in args[1:]:
        if database.find(key) is not None:
            database.drop(key)
            n += 1
    return reply.integer(n)


command("unlink", -2, WRITE)(del_)


@command("exists", -2)
def exists(server: Server, session: Session, args: list[bytes]) -> bytes:
    return reply.integer(sum(session.database.find(key) is not None for key in args[1:]))


@command("type", 2)
def type_(server: Server, session: Session, args: list[bytes]) -> bytes:
    value = session.database.find(args[1])
    return reply.simple("none" if value is None else "string" if isinstance(value, bytes) else value.kind)


def _expire(server: Server, session: Session, args: list[bytes], name: str, unit_ms: int, absolute: bool) -> bytes:
    key, database = args[1], session.database
    at_ms = _expiry_ms(server, name, args[2], unit_ms, absolute)
    options = {arg.upper() for arg in args[3:]}
    if unknown := options - {b"NX", b"XX", b"GT", b"LT"}:
        raise CommandError(f"ERR Unsupported option {unknown.pop().decode('utf-8', 'replace')}")
    if b"NX" in options and len(options) > 1:
        raise CommandError("ERR NX and XX, GT or LT options at the same time are not compatible")
    if options >= {b"GT", b"LT"}:
        raise CommandError("ERR GT and LT options at the same time are not compatible")
    if database.find(key) is None:
        return reply.ZERO
    old_ms = database.expires_at(key)  # None: never, which is later than any time
    refused = (
        (b"NX" in options and old_ms is not None)
        or (b"XX" in options and old_ms is None)
        or (b"GT" in options and (old_ms is None or at_ms <= old_ms))
        or (b"LT" in options and old_ms is not None and at_ms >= old_ms)
    )
    if refused:
        return reply.ZERO
    if at_ms <= server.now_ms():
        database.drop(key)
    else:
        database.expire(key, at_ms)
    return reply.ONE


@command("expire", -3, WRITE)
def expire(server: Server, session: Session, args: list[bytes]) -> bytes:
    return _expire(server, session, args, "expire", 1000, False)


@command("pexpire", -3, WRITE)
def pexpire(server: Server, session: Session, args: list[bytes]) -> bytes:
    return _expire(server, session, args, "pexpire", 1, False)


@command("expireat", -3, WRITE)
def expireat(server: Server, session: Session, args: list[bytes]) -> bytes:
    return _expire(server, session, args, "expireat", 1000, True)


@command("pexpireat", -3, WRITE)
def pexpireat(server: Server, session: Session, args: list[bytes]) -> bytes:
    return _expire(server, session, args, "pexpireat", 1, True)


@command("persist", 2, WRITE)
def persist(server: Server, session: Session, args: list[bytes]) -> bytes:
    database = session.database
    if database.find(args[1]) is None or not database.persist(args[1]):
        return reply.ZERO
    database.touch(args[1])
    return reply.ONE


def _left_ms(server: Server, session: Session, key: bytes) -> int:
    """-2 no such key, -1 no expiry."""
    if session.database.find(key) is None:
        return -2
    at_ms = session.database.expires_at(key)
    return -1 if at_ms is None else max(0, at_ms - server.now_ms())


@command("ttl", 2)
def ttl(server: Server, session: Session, args: list[bytes]) -> bytes:
    left_ms = _left_ms(server, session, args[1])
    return reply.integer(left_ms if left_ms < 0 else (left_ms + 500) // 1000)


@command("pttl", 2)
def pttl(server: Server, session: Session, args: list[bytes]) -> bytes:
    return reply.integer(_left_ms(server, session, args[1]))


@command("keys", 2)
def keys(server: Server, session: Session, args: list[bytes]) -> bytes:
    expression = compile_glob(args[1])
    return reply.bulks([key for key in session.database.live_keys() if expression.fullmatch(key)])


@command("scan", -2)
def scan(server: Server, session: Session, args: list[bytes]) -> bytes:
    """One pass whatever COUNT says: a whole answer keeps SCAN's promise without a cursor that survives changes."""
    parse_int(args[1], "ERR invalid cursor")
    expression, kind, at = None, None, 2
    while at < len(args):
        option = args[at].upper()
        if at + 1 >= len(args):
            raise CommandError(SYNTAX)
        if option == b"MATCH":
            expression = compile_glob(args[at + 1])
        elif option == b"COUNT":
            if parse_int(args[at + 1]) < 1:
                raise CommandError(SYNTAX)
        elif option == b"TYPE":
            kind = args[at + 1].lower().decode("utf-8", "replace")
        else:
            raise CommandError(SYNTAX)
        at += 2
    found = session.database.live_keys()
    if expression:
        found = [key for key in found if expression.fullmatch(key)]
    if kind is not None:
        values = session.database.values
        found = [k for k in found if kind == ("string" if isinstance(values[k], bytes) else values[k].kind)]
    return reply.array([reply.bulk(b"0"), reply.bulks(found)])
