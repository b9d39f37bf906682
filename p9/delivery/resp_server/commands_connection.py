"""Who a client is and how it wants to be spoken to: HELLO, AUTH, CLIENT, SELECT, PING, RESET, QUIT."""

import hmac

from p9.delivery.resp_server import reply
from p9.delivery.resp_server.command import (
    NO_AUTH,
    PUBSUB,
    SYNTAX,
    UNQUEUED,
    CommandError,
    command,
    parse_int,
    unknown_subcommand,
    wrong_arity,
)
from p9.delivery.resp_server.server import Server
from p9.delivery.resp_server.session import Session

REDIS_VERSION = "7.0.0"  # whose behaviour is promised
WRONG_PASSWORD = "WRONGPASS invalid username-password pair or user is disabled."
HELLO_WITHOUT_AUTH = (
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> "
    "option can be used to authenticate the client and select the RESP protocol version at the same time"
)


@command("ping", -1, PUBSUB)
def ping(server: Server, session: Session, args: list[bytes]) -> bytes:
    if len(args) > 2:
        raise wrong_arity("ping")
    if session.resp == 2 and session.is_subscriber:
        return reply.bulks([b"pong", args[1] if len(args) == 2 else b""])
    return reply.bulk(args[1]) if len(args) == 2 else b"+PONG\r\n"


@command("echo", 2)
def echo(server: Server, session: Session, args: list[bytes]) -> bytes:
    return reply.bulk(args[1])


@command("select", 2)
def select(server: Server, session: Session, args: list[bytes]) -> bytes:
    index = parse_int(args[1])
    if not 0 <= index < len(server.databases):
        raise CommandError("ERR DB index is out of range")
    session.database = server.databases[index]
    return reply.OK


@command("quit", -1, NO_AUTH | PUBSUB | UNQUEUED)
def quit_(server: Server, session: Session, args: list[bytes]) -> bytes:
    session.closing = True
    return reply.OK


@command("reset", 1, NO_AUTH | PUBSUB | UNQUEUED)
def reset(server: Server, session: Session, args: list[bytes]) -> bytes:
    session.forget_transaction()
    server.channels.forget(session)
    session.reset()
    session.name = b""
    return b"+RESET\r\n"


@command("auth", -2, NO_AUTH)
def auth(server: Server, session: Session, args: list[bytes]) -> bytes:
    if len(args) > 3:
        raise CommandError(SYNTAX)
    if len(args) == 2 and not server.password:
        raise CommandError(
            "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?"
        )
    _authenticate(server, session, args[1] if len(args) == 3 else b"default", args[-1])
    return reply.OK


def _authenticate(server: Server, session: Session, user: bytes, password: bytes) -> None:
    name_fits = user == server.username.encode()
    password_fits = not server.password or hmac.compare_digest(password, server.password.encode())
    if not (name_fits and password_fits):
        raise CommandError(WRONG_PASSWORD)
    session.user = server.username
    session.allow(True)


@command("hello", -1, NO_AUTH)
def hello(server: Server, session: Session, args: list[bytes]) -> bytes:
    version, at, name = session.resp, 2, None
    if len(args) > 1:
        version = parse_int(args[1], "ERR Protocol version is not an integer or out of range")
        if version not in (2, 3):
            raise CommandError("NOPROTO unsupported protocol version")
    credentials = None
    while at < len(args):
        option = args[at].upper()
        if option == b"AUTH" and at + 2 < len(args):
            credentials = args[at + 1], args[at + 2]
            at += 3
        elif option == b"SETNAME" and at + 1 < len(args):
            name = _checked_name(args[at + 1], "Client names")
            at += 2
        else:
            raise CommandError(f"ERR Syntax error in HELLO option '{args[at].decode('utf-8', 'replace')}'")
    if credentials:
        _authenticate(server, session, *credentials)
    if not session.authenticated:
        raise CommandError(HELLO_WITHOUT_AUTH)
    if name is not None:
        session.name = name
    session.resp = version
    fields = [
        (b"server", reply.bulk(b"redis")),
        (b"version", reply.bulk(REDIS_VERSION.encode())),
        (b"proto", reply.integer(version)),
        (b"id", reply.integer(session.id)),
        (b"mode", reply.bulk(b"standalone")),
        (b"role", reply.bulk(b"master")),
        (b"modules", reply.EMPTY_ARRAY),
    ]
    return reply.mapping([part for key, value in fields for part in (reply.bulk(key), value)], version)


@command("client", -2)
def client(server: Server, session: Session, args: list[bytes]) -> bytes:
    word, n = args[1].upper(), len(args)
    if word == b"ID" and n == 2:
        return reply.integer(session.id)
    if word == b"GETNAME" and n == 2:
        return reply.bulk(session.name) if session.name else reply.null(session.resp)
    if word == b"SETNAME" and n == 3:
        session.name = _checked_name(args[2], "Client names")
        return reply.OK
    if word == b"SETINFO" and n == 4:
        return _set_info(session, args[2].upper(), args[3])
    if word == b"INFO" and n == 2:
        return reply.bulk(_line(server, session))
    if word == b"LIST":
        return reply.bulk(b"".join(_line(server, s) for s in server.sessions.values()))
    if word == b"KILL" and n >= 3:
        return _kill(server, session, args[2:])
    if word in (b"NO-EVICT", b"NO-TOUCH") and n == 3:
        if args[2].upper() not in (b"ON", b"OFF"):
            raise CommandError(SYNTAX)
        return reply.OK  # nothing is ever evicted here
    raise unknown_subcommand("client", args[1])


def _checked_name(name: bytes, what: str) -> bytes:
    if any(not 33 <= byte <= 126 for byte in name):
        raise CommandError(f"ERR {what} cannot contain spaces, newlines or special characters.")
    return name


def _set_info(session: Session, what: bytes, value: bytes) -> bytes:
    if what == b"LIB-NAME":
        session.lib_name = _checked_name(value, "lib-name")
    elif what == b"LIB-VER":
        session.lib_ver = _checked_name(value, "lib-ver")
    else:
        raise CommandError(f"ERR Unrecognized option '{what.decode('utf-8', 'replace')}'")
    return reply.OK


def _kind(session: Session) -> bytes:
    return b"pubsub" if session.is_subscriber else b"normal"


def _line(server: Server, session: Session) -> bytes:
    """One client as CLIENT LIST shows it."""
    flags = "P" if session.is_subscriber else "b" if session.blocked else "x" if session.queue is not None else "N"
    fields = {
        "id": session.id,
        "addr": session.address,
        "laddr": session.local_address,
        "fd": -1,
        "name": session.name.decode(),
        "age": (server.now_ms() - session.since_ms) // 1000,
        "flags": flags,
        "db": session.database.index,
        "sub": len(session.channels),
        "psub": len(session.patterns),
        "ssub": len(session.shard_channels),
        "multi": -1 if session.queue is None else len(session.queue),
        "omem": session.output_bytes(),
        "cmd": session.last_command,
        "user": session.user,
        "resp": session.resp,
        "lib-name": session.lib_name.decode(),
        "lib-ver": session.lib_ver.decode(),
    }
    return " ".join(f"{key}={value}" for key, value in fields.items()).encode() + b"\n"


def _kill(server: Server, session: Session, filters: list[bytes]) -> bytes:
    """CLIENT KILL address, or CLIENT KILL ID|ADDR|LADDR|TYPE|SKIPME value …"""
    old_form = len(filters) == 1
    if old_form:
        filters = [b"ADDR", filters[0], b"SKIPME", b"no"]
    if len(filters) % 2:
        raise CommandError(SYNTAX)
    chosen, skip_me = list(server.sessions.values()), True
    for word, value in zip(filters[::2], filters[1::2], strict=True):
        match word.upper():
            case b"ID":
                ident = parse_int(value, "ERR client-id should be greater than 0")
                chosen = [s for s in chosen if s.id == ident]
            case b"ADDR":
                chosen = [s for s in chosen if s.address.encode() == value]
            case b"LADDR":
                chosen = [s for s in chosen if s.local_address.encode() == value]
            case b"TYPE":
                if value.lower() not in (b"normal", b"pubsub", b"master", b"replica", b"slave"):
                    raise CommandError(f"ERR Unknown client type '{value.decode('utf-8', 'replace')}'")
                chosen = [s for s in chosen if _kind(s) == value.lower()]
            case b"SKIPME":
                if value.lower() not in (b"yes", b"no"):
                    raise CommandError(SYNTAX)
                skip_me = value.lower() == b"yes"
            case _:
                raise CommandError(SYNTAX)
    if skip_me:
        chosen = [s for s in chosen if s is not session]
    for other in chosen:
        if other is session:
            session.closing = True  # after its answer
        else:
            other.cut()
    if not old_form:
        return reply.integer(len(chosen))
    if not chosen:
        raise CommandError("ERR No such client")
    return reply.OK
