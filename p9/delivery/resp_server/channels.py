"""Who listens to which channel, pattern or shard channel; delivery of one message."""

import re
from typing import Protocol

from p9.delivery.resp_server import reply
from p9.delivery.resp_server.glob import compile_glob


class Listener(Protocol):
    """What a session is here."""

    resp: int
    channels: dict[bytes, None]
    patterns: dict[bytes, None]
    shard_channels: dict[bytes, None]

    def push(self, message: bytes) -> None: ...


Listeners = dict[Listener, None]  # a dict keeps the order of arrival

MAX_REMEMBERED = 10_000


class Channels:
    def __init__(self) -> None:
        self.exact: dict[bytes, Listeners] = {}
        self.shard: dict[bytes, Listeners] = {}
        self.patterns: dict[bytes, Listeners] = {}
        self._expressions: dict[bytes, re.Pattern[bytes]] = {}
        self._matching: dict[bytes, list[bytes]] = {}  # channel -> patterns, until a pattern comes or goes

    def publish(self, channel: bytes, payload: bytes) -> int:
        """How many received it; a client counts once per subscription that matches, as in Redis."""
        n = 0
        listeners = self.exact.get(channel)
        if listeners:
            n = _send(listeners, (reply.bulk(b"message"), reply.bulk(channel), reply.bulk(payload)))
        if self.patterns:
            for pattern in self._patterns_of(channel):
                items = (reply.bulk(b"pmessage"), reply.bulk(pattern), reply.bulk(channel), reply.bulk(payload))
                n += _send(self.patterns[pattern], items)
        return n

    def publish_shard(self, channel: bytes, payload: bytes) -> int:
        listeners = self.shard.get(channel)
        if not listeners:
            return 0
        return _send(listeners, (reply.bulk(b"smessage"), reply.bulk(channel), reply.bulk(payload)))

    def add(self, kind: dict[bytes, Listeners], name: bytes, listener: Listener) -> None:
        kind.setdefault(name, {})[listener] = None
        if kind is self.patterns:
            self._expressions[name] = compile_glob(name)
            self._matching.clear()

    def remove(self, kind: dict[bytes, Listeners], name: bytes, listener: Listener) -> None:
        listeners = kind[name]
        del listeners[listener]
        if not listeners:
            del kind[name]
            if kind is self.patterns:
                del self._expressions[name]
                self._matching.clear()

    def forget(self, listener: Listener) -> None:
        for kind, own in (
            (self.exact, listener.channels),
            (self.patterns, listener.patterns),
            (self.shard, listener.shard_channels),
        ):
            for name in own:
                self.remove(kind, name, listener)
            own.clear()

    def _patterns_of(self, channel: bytes) -> list[bytes]:
        known = self._matching.get(channel)
        if known is None:
            if len(self._matching) >= MAX_REMEMBERED:
                self._matching.clear()
            known = [p for p, expression in self._expressions.items() if expression.fullmatch(channel)]
            self._matching[channel] = known
        return known


def _send(listeners: Listeners, items: tuple[bytes, ...]) -> int:
    messages = {}
    for listener in listeners:
        message = messages.get(listener.resp)
        if message is None:
            message = messages[listener.resp] = reply.push(items, listener.resp)
        listener.push(message)
    return len(listeners)
