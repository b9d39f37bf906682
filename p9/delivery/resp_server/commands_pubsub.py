"""PUBLISH, SUBSCRIBE and their kin. Source: https://redis.io/docs/latest/develop/pubsub/"""

from p9.delivery.resp_server import reply
from p9.delivery.resp_server.channels import Listeners
from p9.delivery.resp_server.command import PUBSUB, command, unknown_subcommand
from p9.delivery.resp_server.glob import compile_glob
from p9.delivery.resp_server.server import Server
from p9.delivery.resp_server.session import Session


@command("publish", 3)
def publish(server: Server, session: Session, args: list[bytes]) -> bytes:
    return b":%d\r\n" % server.channels.publish(args[1], args[2])


@command("spublish", 3)
def spublish(server: Server, session: Session, args: list[bytes]) -> bytes:
    return reply.integer(server.channels.publish_shard(args[1], args[2]))


@command("subscribe", -2, PUBSUB)
def subscribe(server: Server, session: Session, args: list[bytes]) -> bytes:
    return _subscribe(server, session, b"subscribe", server.channels.exact, session.channels, args[1:])


@command("psubscribe", -2, PUBSUB)
def psubscribe(server: Server, session: Session, args: list[bytes]) -> bytes:
    return _subscribe(server, session, b"psubscribe", server.channels.patterns, session.patterns, args[1:])


@command("ssubscribe", -2, PUBSUB)
def ssubscribe(server: Server, session: Session, args: list[bytes]) -> bytes:
    return _subscribe(server, session, b"ssubscribe", server.channels.shard, session.shard_channels, args[1:])


@command("unsubscribe", -1, PUBSUB)
def unsubscribe(server: Server, session: Session, args: list[bytes]) -> bytes:
    return _unsubscribe(server, session, b"unsubscribe", server.channels.exact, session.channels, args[1:])


@command("punsubscribe", -1, PUBSUB)
def punsubscribe(server: Server, session: Session, args: list[bytes]) -> bytes:
    return _unsubscribe(server, session, b"punsubscribe", server.channels.patterns, session.patterns, args[1:])


@command("sunsubscribe", -1, PUBSUB)
def sunsubscribe(server: Server, session: Session, args: list[bytes]) -> bytes:
    return _unsubscribe(server, session, b"sunsubscribe", server.channels.shard, session.shard_channels, args[1:])


@command("pubsub", -2)
def pubsub(server: Server, session: Session, args: list[bytes]) -> bytes:
    word, rest = args[1].upper(), args[2:]
    channels = server.channels
    if word in (b"CHANNELS", b"SHARDCHANNELS") and len(rest) <= 1:
        names = list(channels.exact if word == b"CHANNELS" else channels.shard)
        if rest:
            expression = compile_glob(rest[0])
            names = [name for name in names if expression.fullmatch(name)]
        return reply.bulks(names)
    if word in (b"NUMSUB", b"SHARDNUMSUB"):
        kind = channels.exact if word == b"NUMSUB" else channels.shard
        pairs = [part for name in rest for part in (reply.bulk(name), reply.integer(len(kind.get(name, ()))))]
        return reply.array(pairs)
    if word == b"NUMPAT" and not rest:
        return reply.integer(len(channels.patterns))
    raise unknown_subcommand("pubsub", args[1])


def _subscribe(
    server: Server,
    session: Session,
    word: bytes,
    kind: dict[bytes, Listeners],
    own: dict[bytes, None],
    names: list[bytes],
) -> bytes:
    answers = []
    for name in names:
        if name not in own:
            own[name] = None
            server.channels.add(kind, name, session)
        answers.append(_confirm(session, word, own, name))
    return b"".join(answers)


def _unsubscribe(
    server: Server,
    session: Session,
    word: bytes,
    kind: dict[bytes, Listeners],
    own: dict[bytes, None],
    names: list[bytes],
) -> bytes:
    answers = []
    for name in names or list(own):
        if name in own:
            del own[name]
            server.channels.remove(kind, name, session)
        answers.append(_confirm(session, word, own, name))
    return b"".join(answers) or _confirm(session, word, own, None)


def _confirm(session: Session, word: bytes, own: dict[bytes, None], name: bytes | None) -> bytes:
    """Shard subscriptions are counted by themselves, the others together."""
    count = len(own) if own is session.shard_channels else session.n_subscriptions
    said = reply.null(session.resp) if name is None else reply.bulk(name)
    return reply.push((reply.bulk(word), said, reply.integer(count)), session.resp)
