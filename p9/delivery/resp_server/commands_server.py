"""What the server says about itself and lets be changed: INFO, CONFIG, COMMAND, DBSIZE, FLUSHALL, MEMORY, TIME …"""

import os
import platform
import re
import sys

from p9.delivery.resp_server import reply
from p9.delivery.resp_server.command import (
    DENY_OOM,
    SYNTAX,
    TABLE,
    WRITE,
    Command,
    CommandError,
    command,
    parse_int,
    unknown_subcommand,
    wrong_arity,
)
from p9.delivery.resp_server.commands_connection import REDIS_VERSION
from p9.delivery.resp_server.database import KEY_COST, value_bytes
from p9.delivery.resp_server.glob import compile_glob
from p9.delivery.resp_server.server import Server
from p9.delivery.resp_server.session import Session

SERVER_NAME = "p9-builtin"
_UNITS = {b"": 1, b"b": 1, b"k": 1000, b"kb": 1 << 10, b"m": 10**6, b"mb": 1 << 20, b"g": 10**9, b"gb": 1 << 30}


@command("info", -1)
def info(server: Server, session: Session, args: list[bytes]) -> bytes:
    sections = _sections(server)
    wanted = [arg.decode("utf-8", "replace").lower() for arg in args[1:]]
    if not wanted or {"all", "default", "everything"} & set(wanted):
        wanted = list(sections)
    text = "\r\n".join(
        f"# {name.capitalize()}\r\n" + "".join(f"{key}:{value}\r\n" for key, value in fields.items())
        for name, fields in sections.items()
        if name in wanted
    )
    if session.resp == 3:
        return b"=%d\r\ntxt:%b\r\n" % (len(text) + 4, text.encode())
    return reply.bulk(text.encode())


def _sections(server: Server) -> dict[str, dict[str, object]]:
    up_s = max(0, server.now_ms() - server.started_ms) // 1000
    memory, channels, sessions = server.memory, server.channels, server.sessions.values()
    memory.full()  # brings the peak up to date
    return {
        "server": {
            "redis_version": REDIS_VERSION,
            "server_name": SERVER_NAME,
            "redis_mode": "standalone",
            "os": f"{platform.system()} {platform.machine()}",
            "arch_bits": 64 if sys.maxsize > 1 << 32 else 32,
            "process_id": os.getpid(),
            "run_id": server.run_id,
            "tcp_port": server.port,
            "uptime_in_seconds": up_s,
            "uptime_in_days": up_s // 86400,
        },
        "clients": {
            "connected_clients": len(sessions),
            "blocked_clients": sum(s.blocked is not None for s in sessions),
            "pubsub_clients": sum(s.is_subscriber for s in sessions),
        },
        "memory": {
            "used_memory": memory.used_bytes,
            "used_memory_peak": memory.peak_bytes,
            "maxmemory": memory.limit_bytes,
            "maxmemory_policy": "noeviction",
        },
        "persistence": {"loading": 0, "rdb_changes_since_last_save": 0, "aof_enabled": 0},
        "stats": {
            "total_connections_received": server.n_connections,
            "total_commands_processed": server.n_commands,
            "total_error_replies": server.n_error_replies,
            "expired_keys": sum(d.n_expired for d in server.databases),
            "evicted_keys": 0,
            "pubsub_channels": len(channels.exact),
            "pubsub_patterns": len(channels.patterns),
            "pubsubshard_channels": len(channels.shard),
            "client_output_buffer_limit_disconnections": server.n_cut,
            "protocol_errors": server.n_protocol_errors,
        },
        "replication": {"role": "master", "connected_slaves": 0, "master_repl_offset": 0},
        "cluster": {"cluster_enabled": 0},
        "keyspace": {f"db{d.index}": f"keys={len(d.values)},expires={d.n_expiring()},avg_ttl=0" for d in server.databases if d.values},
    }


@command("config", -2)
def config(server: Server, session: Session, args: list[bytes]) -> bytes:
    word = args[1].upper()
    if word == b"GET" and len(args) >= 3:
        values = _settings(server)
        patterns = [compile_glob(arg.lower()) for arg in args[2:]]
        names = [n for n in values if any(p.fullmatch(n.encode()) for p in patterns)]
        parts = [reply.bulk(text.encode()) for name in names for text in (name, values[name])]
        return reply.mapping(parts, session.resp)
    if word == b"SET" and len(args) >= 4 and len(args) % 2 == 0:
        for name, value in zip(args[2::2], args[3::2], strict=True):
            _set(server, name.lower(), value)
        return reply.OK
    if word == b"RESETSTAT" and len(args) == 2:
        server.n_commands = server.n_connections = server.n_error_replies = server.n_protocol_errors = server.n_cut = 0
        return reply.OK
    if word == b"REWRITE" and len(args) == 2:
        raise CommandError("ERR The server is running without a config file")
    if word in (b"GET", b"SET", b"RESETSTAT", b"REWRITE"):
        raise wrong_arity(f"config|{word.decode().lower()}")
    raise unknown_subcommand("config", args[1])


def _settings(server: Server) -> dict[str, str]:
    limit = server.output_limit
    pubsub = f"{limit.hard_bytes} {limit.soft_bytes} {limit.soft_s}"
    return {
        "maxmemory": str(server.memory.limit_bytes),
        "maxmemory-policy": "noeviction",
        "client-output-buffer-limit": f"normal 0 0 0 slave 0 0 0 pubsub {pubsub}",
        "requirepass": server.password,
        "port": str(server.port),
        "databases": str(len(server.databases)),
        "save": "",
        "appendonly": "no",
        "timeout": "0",
        "proto-max-bulk-len": str(512 << 20),
        "stream-node-max-entries": "100",
    }


def _set(server: Server, name: bytes, value: bytes) -> None:
    """Raises CommandError for what is unknown, fixed, or ill said."""
    shown = name.decode("utf-8", "replace")
    if name == b"maxmemory":
        server.memory.limit_bytes = _bytes(value, shown)
    elif name == b"requirepass":
        server.password = value.decode("utf-8", "surrogateescape")
    elif name == b"client-output-buffer-limit":
        words = value.lower().split()
        if not words or len(words) % 4:
            raise _bad_value(shown, "Wrong number of arguments in buffer limit configuration.")
        for kind, hard, soft, soft_s in zip(*(iter(words),) * 4, strict=True):
            limits = _bytes(hard, shown), _bytes(soft, shown), parse_int(soft_s, "ERR CONFIG SET failed: bad seconds")
            if kind == b"pubsub":
                limit = server.output_limit
                limit.hard_bytes, limit.soft_bytes, limit.soft_s = limits
            elif kind not in (b"normal", b"slave", b"replica"):
                raise _bad_value(shown, "Invalid client class specified in buffer limit configuration.")
    elif shown not in _settings(server):
        raise CommandError(f"ERR Unknown option or number of arguments for CONFIG SET - '{shown}'")
    elif _settings(server)[shown].encode() != value:
        raise _bad_value(shown, "it is fixed in the built-in server")


def _bytes(text: bytes, name: str) -> int:
    parts = re.fullmatch(rb"(\d{1,18})([a-z]{0,2})", text.lower())
    if not parts or parts[2] not in _UNITS:
        raise _bad_value(name, "argument must be a memory value")
    return int(parts[1]) * _UNITS[parts[2]]


def _bad_value(name: str, why: str) -> CommandError:
    return CommandError(f"ERR CONFIG SET failed (possibly related to argument '{name}') - {why}")


@command("command", -1)
def command_(server: Server, session: Session, args: list[bytes]) -> bytes:
    rows = {row.name: row for row in TABLE.values()}
    word = args[1].upper() if len(args) > 1 else b""
    if word == b"COUNT" and len(args) == 2:
        return reply.integer(len(rows))
    if word == b"DOCS":
        return reply.mapping([], session.resp)  # redis-cli asks for its hints and lives without
    if word == b"LIST" and len(args) == 2:
        return reply.bulks([name.encode() for name in rows])
    if word in (b"", b"INFO"):
        names = [arg.decode("utf-8", "replace").lower() for arg in args[2:]] or list(rows)
        return reply.array([_describe(rows[n]) if n in rows else reply.null_array(session.resp) for n in names])
    raise unknown_subcommand("command", args[1])


def _describe(row: Command) -> bytes:
    """name, arity, flags; no key positions: clients of a single server do not need them."""
    flags = [reply.simple("write" if row.flags & WRITE else "readonly")]
    if row.flags & DENY_OOM:
        flags.append(reply.simple("denyoom"))
    zeros = [reply.ZERO] * 3
    empty = [reply.EMPTY_ARRAY] * 4
    return reply.array([reply.bulk(row.name.encode()), reply.integer(row.arity), reply.array(flags), *zeros, *empty])


@command("dbsize", 1)
def dbsize(server: Server, session: Session, args: list[bytes]) -> bytes:
    return reply.integer(len(session.database.live_keys()))


@command("flushall", -1, WRITE)
def flushall(server: Server, session: Session, args: list[bytes]) -> bytes:
    _check_flush_mode(args)
    for database in server.databases:
        database.clear()
    return reply.OK


@command("flushdb", -1, WRITE)
def flushdb(server: Server, session: Session, args: list[bytes]) -> bytes:
    _check_flush_mode(args)
    session.database.clear()
    return reply.OK


def _check_flush_mode(args: list[bytes]) -> None:
    if len(args) > 2 or (len(args) == 2 and args[1].upper() not in (b"SYNC", b"ASYNC")):
        raise CommandError(SYNTAX)


@command("memory", -2)
def memory(server: Server, session: Session, args: list[bytes]) -> bytes:
    if args[1].upper() != b"USAGE" or len(args) < 3:
        raise unknown_subcommand("memory", args[1])
    value = session.database.find(args[2])
    if value is None:
        return reply.null(session.resp)
    return reply.integer(KEY_COST + len(args[2]) + value_bytes(value))


@command("time", 1)
def time(server: Server, session: Session, args: list[bytes]) -> bytes:
    now_ms = server.now_ms()
    return reply.bulks([b"%d" % (now_ms // 1000), b"%d" % (now_ms % 1000 * 1000)])


@command("shutdown", -1)
def shutdown(server: Server, session: Session, args: list[bytes]) -> None:
    server.stopped.set()
    session.closing = True
