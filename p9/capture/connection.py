"""One open socket of a market: what we say on it, at the venue's pace, and what it answers that is no data.

Data never comes here: the listener hands it to the pipeline (or, where it is decoded in Python, ColdConnection to its feed). Here are
subscriptions and their acknowledgements, refusals, heartbeats, notices, and the login of a private socket.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import msgspec
from cext.listener import Door
from picows import WSError, WSMsgType, WSTransport, ws_connect

from p9.budget import Window
from p9.errors import SocketLost
from p9.secret import censored
from p9.trust import context_of
from p9.venue import Control, Market

DEAD_AFTER_PINGS = 3  # that did not come
LOGIN_HINT = "check the key, its rights, the addresses that it may come from, and the clock"
HELD_TOGETHER_S = 1.0  # after a refusal, the other topics of its request get this long to be acknowledged; then each is asked for alone


class FrameRecorder(Protocol):
    def frame(self, recv_ns: int, payload: bytes) -> None: ...


class Dial(Protocol):
    """How a socket is opened: picows.ws_connect, or what stands for a network in a simulation."""

    async def __call__(self, listener_factory: Callable[[], Door], url: str, **options: Any) -> Any: ...


class Named(Protocol):
    """A topic."""

    @property
    def name(self) -> str: ...


class ConnectionSettings(msgspec.Struct, frozen=True):
    """Time-outs of one socket, in seconds."""

    connect_s: float = 10.0
    ack_s: float = 10.0
    tries: int = 3  # of a subscription that nobody answers
    max_frame: int = 16 << 20


class _Pending(msgspec.Struct):
    """A request of ours that is not answered yet."""

    subscribes: bool
    topics: set[str]
    deadline_s: float
    tries: int


class Connection:
    """`topics`: what it shall be subscribed to; `refused`: {topic name: the venue's reason}. `lost` is done, with the reason, when it is gone.

    `listener_of(self)` makes what hears its frames. `login`: the frame that opens a private socket; nothing is subscribed before it is answered.
    """

    def __init__(
        self, market: Market, listener_of: Callable[["Connection"], Door], topics: Iterable[Named], *, settings: ConnectionSettings,
        recorder: FrameRecorder | None = None, login: bytes = b"", dial: Dial = ws_connect, log: Callable[..., None] | None = None,
    ):  # fmt: skip
        self.market, self.settings, self.recorder = market, settings, recorder
        self._dial = dial
        self.topics = {topic.name: topic for topic in topics}
        self.acknowledged: set[str] = set()
        self.refused: dict[str, str] = {}
        self.counts: Counter[str] = Counter()
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.closing_soon = False  # the venue has announced that it will close this socket
        self.standby: list[tuple[int, bytes]] = []  # frames that wait for a hand-over (listener.standby)
        self.listener = listener_of(self)
        self.opened_s = self._loop_s()
        self._log = log or (lambda *_, **__: None)
        self._transport: WSTransport | None = None
        self._outgoing: deque[tuple[bool, tuple[str, ...], int]] = deque()  # (subscribes, topics, tries)
        self._pending: dict[int, _Pending] = {}
        self._window = Window(market.limits.messages.limit, market.limits.messages.span_s)
        self._next_send_s = 0.0
        self._next_id = 1
        self._pinged_s = self._heard_s = self.opened_s
        self._awaits_pong = False
        self._n_heard = 0  # frames, and pings where there is no other sign of life
        self._login = login
        self._logged_in_by_s = 0.0  # 0: nothing is awaited
        self.login_refused = False

    @staticmethod
    def _loop_s() -> float:
        return asyncio.get_running_loop().time()

    async def open(self, url: str, shown: str = "") -> None:
        """Connect. `shown`: what people are told of an address that is not theirs to know. Raises SocketLost."""
        where = f"{self.market.name} {shown or url}"
        try:
            # not wait_for: Python 3.11's forgets a cancellation that falls on the moment of success, and then nothing stops the feed
            async with asyncio.timeout(self.settings.connect_s):
                await self._dial(
                    lambda: self.listener, url, enable_auto_pong=False, max_frame_size=self.settings.max_frame,
                    websocket_handshake_timeout=self.settings.connect_s, logger_name="feed", ssl_context=context_of(url),
                )  # fmt: skip
        except TimeoutError:
            raise SocketLost(f"no connection within {self.settings.connect_s:g} s", where=where) from None
        except (OSError, WSError) as error:
            raise SocketLost(f"{type(error).__name__}: {error}", where=where) from None
        self.opened_s = self._pinged_s = self._heard_s = now_s = self._loop_s()
        if self._login:
            self._logged_in_by_s = now_s + self.settings.ack_s
            self._write(self._login, now_s)

    # What the listener calls.

    def on_connected(self, transport: WSTransport) -> None:
        self._transport = transport

    def on_disconnected(self, transport: WSTransport) -> None:
        shake = transport.close_handshake
        told = shake.recv if shake is not None else None
        self._lose(f"closed by the venue: {int(told.code)} {told.reason or ''}".rstrip() if told is not None else "the connection broke")

    def on_standby(self, recv_ns: int, payload: bytes) -> None:
        control = self.market.venue.read_control(payload)
        if control.kind == "unknown":
            self.standby.append((recv_ns, payload))
        else:
            self._answer(control)

    def on_control(self, payload: bytes) -> None:
        self._answer(self.market.venue.read_control(payload))

    def on_refused(self, outcome: str, payload: bytes) -> None:
        """A frame that the pipeline could not use; counted there too, said once a kind and socket."""
        if not self.counts[outcome]:
            self._log("frame refused", outcome=outcome, frame=payload[:200].decode("utf-8", "replace"))
        self.counts[outcome] += 1

    # What the feed calls.

    def subscribe(self, names: Iterable[str], tries: int = 0) -> None:
        self._say(True, names, tries)

    def renew(self, names: Sequence[str]) -> None:
        """Unsubscribe, then subscribe: the only way to a new image on a live socket."""
        names = [name for name in names if name in self.topics and name not in self.refused]
        self.acknowledged -= set(names)
        self._say(False, names, 0)
        self._say(True, names, 0)

    def align(self, topics: Iterable[Named]) -> None:
        """Be subscribed to `topics` and nothing else; what is on both sides is not touched."""
        wanted = {topic.name: topic for topic in topics}
        extra, missing = self.topics.keys() - wanted, [name for name in wanted if name not in self.topics]
        self.topics = wanted
        self.acknowledged -= extra
        for name in extra:
            self.refused.pop(name, None)
        self._say(False, sorted(extra - self._unsay(extra)), 0)
        self._say(True, missing, 0)

    def _unsay(self, names: set[str]) -> set[str]:
        """Take back those subscriptions of `names` that wait to be said; which ones."""
        waiting = {name for subscribes, pack, _ in self._outgoing if subscribes for name in pack} & names
        packs = ((subscribes, tuple(name for name in pack if not (subscribes and name in waiting)), tries) for subscribes, pack, tries in self._outgoing)
        self._outgoing = deque(pack for pack in packs if pack[1])
        return waiting

    def messages_wait_s(self) -> float:
        """How long until the venue lets us say anything more on this socket."""
        now_s = self._loop_s()
        return max(self._window.wait_s(1, now_s), self._next_send_s - now_s, 0.0)

    @property
    def settled(self) -> bool:
        """Everything was said and answered."""
        return not self._outgoing and not self._pending and not self._logged_in_by_s

    @property
    def n_data(self) -> int:
        """Frames that were data."""
        return self.listener.frames - self.counts["control"]

    def retire(self, reason: str) -> None:
        """Take nothing more from this socket and close it."""
        self.listener.standby = True
        self._drop(reason)

    def take_over(self) -> list[tuple[int, bytes]]:
        """End the standby: the frames held. From here on the listener feeds the pipeline itself."""
        self.listener.standby = False
        held, self.standby = self.standby, []
        return held

    def tick(self) -> None:
        """Every quarter of a second or so: say what is due, ask again for what nobody answered, keep the heartbeat."""
        if self.lost.done() or self._transport is None:
            return
        now_s = self._loop_s()
        self._overdue(now_s)
        self._heartbeat(now_s)
        self._send(now_s)

    def _say(self, subscribes: bool, names: Iterable[str], tries: int) -> None:
        """Queue requests, packed within the venue's limits."""
        limits, pack, chars = self.market.limits, [], 0
        for name in names:
            if pack and (len(pack) == limits.topics_per_request or chars + len(name) > limits.request_chars):
                self._outgoing.append((subscribes, tuple(pack), tries))
                pack, chars = [], 0
            pack.append(name)
            chars += len(name)
        if pack:
            self._outgoing.append((subscribes, tuple(pack), tries))
        if self._transport is not None:
            self._send(self._loop_s())

    def _send(self, now_s: float) -> None:
        if not self._outgoing or self._logged_in_by_s or now_s < self._next_send_s or self._window.wait_s(1, now_s) > 0:
            return
        subscribes, names, tries = self._outgoing.popleft()
        venue = self.market.venue
        request_id = self._next_id
        self._next_id += 1
        self._pending[request_id] = _Pending(subscribes, set(names), now_s + self.settings.ack_s, tries + 1)
        self._write(venue.subscribe(names, request_id) if subscribes else venue.unsubscribe(names, request_id), now_s)
        if self._outgoing:
            delay_s = max(self._next_send_s - now_s, self._window.wait_s(1, now_s))
            asyncio.get_running_loop().call_later(delay_s + 0.001, self._send_later)

    def _send_later(self) -> None:
        if not self.lost.done():
            self._send(self._loop_s())

    def _write(self, text: bytes, now_s: float) -> None:
        self._window.take(1, now_s)
        self._next_send_s = now_s + self.market.limits.spacing_s
        self.counts["sent"] += 1
        self._transport.send(WSMsgType.TEXT, text)

    def _overdue(self, now_s: float) -> None:
        if self._logged_in_by_s and now_s >= self._logged_in_by_s:
            self._drop(f"no answer to our login within {self.settings.ack_s:g} s")
            return
        for request_id, request in list(self._pending.items()):
            if now_s < request.deadline_s:
                continue
            del self._pending[request_id]
            if not request.subscribes:
                continue
            self.counts["unanswered"] += 1
            for name in request.topics:
                if request.tries < self.settings.tries:
                    self._say(True, [name], request.tries)
                else:
                    self._refuse(name, "never acknowledged")

    def _heartbeat(self, now_s: float) -> None:
        ping = self.market.ping
        n_heard = self.listener.frames + (self.listener.pings if not ping.text else 0)
        if n_heard != self._n_heard:
            self._n_heard, self._heard_s, self._awaits_pong = n_heard, now_s, False
        if not ping.text:
            if ping.venue_s and now_s - self._heard_s > DEAD_AFTER_PINGS * ping.venue_s:
                self._drop(f"neither a frame nor a ping for {DEAD_AFTER_PINGS * ping.venue_s:g} s")
            return
        if self._awaits_pong and now_s - self._pinged_s > ping.within_s:
            self._drop(f"no answer to our ping within {ping.within_s:g} s")
            return
        since_s = self._heard_s if ping.only_idle else self._pinged_s
        if now_s - since_s >= ping.every_s and not self._awaits_pong and now_s >= self._next_send_s:
            self._pinged_s, self._awaits_pong = now_s, True
            self._write(ping.text, now_s)

    def _answer(self, control: Control) -> None:
        control = msgspec.structs.replace(control, reason=censored(control.reason)) if control.reason else control  # it may repeat the key that it refuses
        self.counts["control"] += 1
        self.counts[f"control_{control.kind}"] += 1
        if control.kind == "closing":
            self.closing_soon = True
            self._log("the venue will close this socket", reason=control.reason)
        elif control.kind == "login":
            self._logged_in_by_s = 0.0
            self._send(self._loop_s())
        elif control.kind == "refused" and self._logged_in_by_s:
            self.login_refused = True
            self._drop(f"login refused: {control.reason} ({LOGIN_HINT})")
        elif control.kind == "ack":
            self._acknowledge(control)
        elif control.kind == "refused":
            self._refusal(control)
        elif control.kind in ("notice", "unknown") and self.counts[f"control_{control.kind}"] == 1:
            self._log("control frame", kind=control.kind, frame=control.reason)

    def _request_of(self, control: Control) -> int | None:
        """The request that an answer is about: by its id, by its topics, else the oldest."""
        if control.request_id in self._pending:
            return control.request_id
        if control.request_id is not None and not control.topics:
            return None
        for request_id, request in self._pending.items():
            if not control.topics or request.topics.intersection(control.topics):
                return request_id
        return None

    def _acknowledge(self, control: Control) -> None:
        request_id = self._request_of(control)
        if request_id is None:
            return
        request = self._pending[request_id]
        names = request.topics.intersection(control.topics) if control.topics else set(request.topics)
        if request.subscribes:
            self.acknowledged |= names
        request.topics -= names
        if not request.topics:
            del self._pending[request_id]
        elif control.reason:  # one topic was "already subscribed": what became of the others is not said
            request.deadline_s = self._loop_s() + HELD_TOGETHER_S

    def _refusal(self, control: Control) -> None:
        """A refusal that names its topic costs that topic; one that names none costs a request of one topic, else all are asked for alone."""
        request_id = self._request_of(control)
        request = self._pending.get(request_id) if request_id is not None else None
        if request is None:
            self._log("refused", reason=control.reason)
            return
        named = request.topics.intersection(control.topics)
        if not request.subscribes:
            del self._pending[request_id]
        elif named or len(request.topics) == 1:
            for name in named or set(request.topics):
                request.topics.discard(name)
                self._refuse(name, control.reason)
            if request.topics:
                request.deadline_s = self._loop_s() + HELD_TOGETHER_S
            else:
                del self._pending[request_id]
        else:
            del self._pending[request_id]
            for name in sorted(request.topics):
                self._say(True, [name], request.tries - 1)

    def _refuse(self, name: str, reason: str) -> None:
        self.refused[name] = reason
        self._log("topic refused", topic=name, reason=reason)

    def _drop(self, reason: str) -> None:
        self._lose(reason)
        if self._transport is not None:
            self._transport.disconnect(False)

    def _lose(self, reason: str) -> None:
        if not self.lost.done():
            self.lost.set_result(censored(reason))

    def status(self) -> dict[str, Any]:
        return {
            "age_s": round(self._loop_s() - self.opened_s, 1), "frames": self.listener.frames, "bytes": self.listener.bytes,
            "topics": len(self.topics), "acknowledged": len(self.acknowledged), "refused": dict(self.refused), "counts": dict(self.counts),
        }  # fmt: skip
