"""MULTI, EXEC, DISCARD, WATCH. Source: https://redis.io/docs/latest/develop/using-commands/transactions/"""

from p9.delivery.resp_server import reply
from p9.delivery.resp_server.command import UNQUEUED, CommandError, command
from p9.delivery.resp_server.server import Server
from p9.delivery.resp_server.session import Session


@command("multi", 1, UNQUEUED)
def multi(server: Server, session: Session, args: list[bytes]) -> bytes:
    if session.queue is not None:
        raise CommandError("ERR MULTI calls can not be nested")
    session.queue = []
    return reply.OK


@command("exec", 1, UNQUEUED)
def exec_(server: Server, session: Session, args: list[bytes]) -> bytes:
    if session.queue is None:
        raise CommandError("ERR EXEC without MULTI")
    queue, broken = session.queue, session.transaction_broken
    stale = session.transaction_stale or _watched_expired(server, session)
    session.forget_transaction()
    if broken:
        raise CommandError("EXECABORT Transaction discarded because of previous errors.")
    if stale:
        return reply.null_array(session.resp)
    server.in_transaction = True  # nothing may block now
    try:
        return reply.array([server.call(session, row, queued) or b"" for row, queued in queue])
    finally:
        server.in_transaction = False


@command("discard", 1, UNQUEUED)
def discard(server: Server, session: Session, args: list[bytes]) -> bytes:
    if session.queue is None:
        raise CommandError("ERR DISCARD without MULTI")
    session.forget_transaction()
    return reply.OK


@command("watch", -2, UNQUEUED)
def watch(server: Server, session: Session, args: list[bytes]) -> bytes:
    if session.queue is not None:
        raise CommandError("ERR WATCH inside MULTI is not allowed")
    for key in args[1:]:
        session.database.find(key)  # one that has expired already is gone, not changed later
        session.database.watched.setdefault(key, set()).add(session)
        session.watched.append((session.database.index, key))
    return reply.OK


@command("unwatch", 1)
def unwatch(server: Server, session: Session, args: list[bytes]) -> bytes:
    session.unwatch()
    return reply.OK


def _watched_expired(server: Server, session: Session) -> bool:
    for index, key in session.watched:
        server.databases[index].find(key)  # drops it if its time has come, which marks us stale
    return session.transaction_stale
