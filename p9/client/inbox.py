"""What comes from Redis, in whatever order and however often, into what the reader gets: each event once, each channel in its order.

No input or output happens here. A subscription hands in what it heard (`hear`) and what it read from streams (`refill`), does what `wants`
asks for, and gives the reader what waits.

A channel whose events may be missing is *held*: what is heard of it waits until its stream has been read up to its end; the stream is the truth
about the order. A full queue drops what has no stream (and says so) and reads the rest from its stream later.
"""

from collections import deque
from collections.abc import Iterable, Mapping

import msgspec

from p9.client.event import Event, EventReader
from p9.client.notice import Missed, NewEpoch, Notice, Overflow, Reconnected, Unreadable
from p9.client.sequence import Sequence

MAX_EPOCHS = 8  # remembered, a channel
MAX_HELD = 10_000  # events of one channel that wait for its stream; beyond that the stream is read again

Position = tuple[int, int, int]  # epoch, seq, and a lower bound of the stream id's milliseconds


class _Channel:
    __slots__ = ("after_ms", "again", "cut", "epoch", "epochs", "has_stream", "held", "joined", "name", "reader")

    def __init__(self, name: str):
        self.name = name
        self.reader = EventReader(name)
        self.epochs: dict[int, Sequence] = {}
        self.epoch = -1  # the newest
        self.joined = False  # the first event of its stream is where we begin, whatever its number
        self.has_stream: bool | None = None  # None: not looked up yet
        self.after_ms = 0  # what was not seen yet has a stream id of at least this time
        self.held: list[Event] | None = None
        self.again = False  # its stream must be read once more
        self.cut = False  # the connection was lost since its last event


class Inbox:
    """`max_waiting`: events in the queue before it is full."""

    def __init__(self, max_waiting: int = 100_000):
        self.max_waiting = max_waiting
        self.waiting: deque[Event | Notice] = deque()
        self.wants: set[str] = set()  # channels whose streams must be read, from `after` on
        self.repeats = 0  # events that came again and were dropped
        self.searching = True  # which streams there are is not known yet
        self._channels: dict[str, _Channel] = {}
        self._deferred: set[str] = set()
        self._dropped = 0
        self._given: dict[str, Position] = {}

    # ---- where to begin

    def start_at(self, name: str, position: Position) -> None:
        """All of the channel's stream up to this event is not for us."""
        channel = self._channel(name)
        channel.epoch, seq, channel.after_ms = self._given[name] = position
        channel.has_stream = True
        sequence = channel.epochs[channel.epoch] = Sequence(1)
        sequence.next = seq + 1

    def positions(self) -> dict[str, Position]:
        """Of the newest event given to the reader, by channel: what a later subscription starts from."""
        return dict(self._given)

    def after(self, name: str) -> int:
        """Milliseconds of the stream id from which its stream must be read."""
        return self._channels[name].after_ms

    # ---- the connection

    def disconnected(self) -> None:
        """Until `connected` and a refill nothing is sure."""
        self.searching = True
        self.wants.clear()
        for channel in self._channels.values():
            channel.cut = True
            if channel.has_stream:
                channel.held = []
                channel.again = False

    def connected(
        self, streams: Iterable[str], lasts: Mapping[str, bytes | str], *, away_s: float | None = None, reason: str = "", joining: bool = False
    ) -> None:
        """The subscription stands. `streams`: the channels that have one: all of them are read now. `lasts`: newest values of other channels.
        `away_s` None: it is the first connection. `joining`: what a stream has lost already was never for us."""
        if away_s is not None:
            self.waiting.append(Reconnected(away_s, reason))
        self.searching = False
        for name in streams:
            channel = self._channel(name)
            channel.has_stream = True
            channel.joined = joining
            self.wants.add(name)
        for name, payload in lasts.items():
            channel = self._channel(name)
            event = self._read(channel, payload)
            if event is not None and name not in self.wants:
                event.refilled = True
                channel.held = sorted([*(channel.held or ()), event], key=lambda event: (event.epoch, event.seq))
        for channel in self._channels.values():
            if channel.has_stream:  # where it is gone the answer will be empty
                self.wants.add(channel.name)
                channel.held = channel.held or []
            elif channel.held is not None:
                self._release(channel)

    def found(self, name: str) -> None:
        """The subscription grew by this channel: what its stream has already is read."""
        channel = self._channel(name)
        if channel.has_stream is None:
            channel.held = channel.held or []
            self.wants.add(name)

    # ---- what came

    def hear(self, name: str, payload: bytes | str) -> None:
        """A message of the subscription."""
        channel = self._channel(name)
        event = self._read(channel, payload)
        if event is None:
            return
        if channel.held is None and self.searching:
            channel.held = []
        if channel.held is not None:
            self._hold(channel, event)
        else:
            self._take(channel, event, final=False)

    def refill(self, name: str, payloads: Iterable[bytes | str], *, complete: bool, last_ms: int = 0) -> None:
        """The next entries of the channel's stream, from `after(name)` on; `complete`: its end was reached. `last_ms`: of the last one's id."""
        channel = self._channels[name]
        for payload in payloads:
            event = self._read(channel, payload)
            if event is None:
                continue
            event.refilled = True
            self._take(channel, event, final=True)
        channel.after_ms = max(channel.after_ms, last_ms)
        if complete:
            self.wants.discard(name)
            if channel.again:
                channel.again = False
                self.wants.add(name)
            else:
                self._release(channel)

    # ---- what the reader gets

    def pop(self) -> Event | Notice:
        """The next one. Raises IndexError when nothing waits."""
        item = self.waiting.popleft()
        if isinstance(item, Event):
            ms = item.ts_pub // 1_000_000 if item.ts_pub is not None else 0
            known = self._given.get(item.channel)
            if known is None or (item.epoch, item.seq) > known[:2]:
                self._given[item.channel] = (item.epoch, item.seq, max(ms, known[2]) if known else ms)
        if (self._deferred or self._dropped) and 2 * len(self.waiting) <= self.max_waiting:
            self.waiting.append(Overflow(self._dropped, tuple(sorted(self._deferred))))
            self.wants |= self._deferred
            for name in self._deferred:
                self._channels[name].held = self._channels[name].held or []
            self._deferred.clear()
            self._dropped = 0
        return item

    @property
    def full(self) -> bool:
        return len(self.waiting) >= self.max_waiting

    # ---- inside

    def _channel(self, name: str) -> _Channel:
        channel = self._channels.get(name)
        if channel is None:
            channel = self._channels[name] = _Channel(name)
        return channel

    def _read(self, channel: _Channel, payload: bytes | str) -> Event | None:
        try:
            return channel.reader.read(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            text = payload if isinstance(payload, bytes) else payload.encode()
            if not self.full:
                self.waiting.append(Unreadable(channel.name, text[:200], str(error)))
            return None

    def _hold(self, channel: _Channel, event: Event) -> None:
        assert channel.held is not None
        if channel.name in self._deferred:
            return
        if len(channel.held) >= MAX_HELD:
            channel.held.clear()  # where there is a stream all of it is in there
            channel.again = channel.has_stream is not False
        channel.held.append(event)

    def _release(self, channel: _Channel) -> None:
        """The stream has been read: what was heard meanwhile and was not in it follows."""
        held, channel.held = channel.held, None
        for n, event in enumerate(held or ()):
            self._take(channel, event, final=True)
            if channel.held is not None:  # the queue is full: the rest is read from the stream later
                channel.held.extend((held or [])[n + 1 :])
                return

    def _take(self, channel: _Channel, event: Event, *, final: bool) -> None:
        """`final`: what is missing before this event will not come any more."""
        sequence = channel.epochs.get(event.epoch)
        if sequence is not None and sequence.seen(event.seq):
            self.repeats += 1
            return
        if self.full and not event.refilled:
            self._overflow(channel, event)
            return
        late = event.epoch < channel.epoch or (sequence is not None and event.seq < sequence.next)
        if sequence is None:
            sequence = self._begin(channel, event)
        # a channel's first event, or an epoch's: what came before it may not have been heard
        turns = event.epoch > channel.epoch and (channel.epoch >= 0 or event.streamed is True)
        if not late and (turns or event.seq > sequence.next) and not final and event.streamed is not False:
            channel.held = [event]
            channel.again = False
            self.wants.add(channel.name)
            return
        self._turn(channel, event)
        channel.epochs[event.epoch] = sequence
        if len(channel.epochs) > MAX_EPOCHS:
            del channel.epochs[min(channel.epochs)]
        gap = sequence.skip_to(event.seq)
        if gap is not None:
            self.waiting.append(Missed(channel.name, event.epoch, *gap, "not_in_stream" if channel.has_stream else "no_stream"))
        sequence.take(event.seq)
        event.late = late
        channel.cut = False
        if event.ts_pub is not None:
            channel.after_ms = max(channel.after_ms, event.ts_pub // 1_000_000)
        self.waiting.append(event)

    def _turn(self, channel: _Channel, event: Event) -> None:
        """An event of a newer epoch: say what may be missing of the one before."""
        previous = channel.epoch
        if event.epoch <= previous:
            return
        channel.epoch = event.epoch
        if previous >= 0:
            if channel.cut and not channel.has_stream:
                self.waiting.append(Missed(channel.name, previous, channel.epochs[previous].next, None, "no_stream"))
            self.waiting.append(NewEpoch(channel.name, event.epoch, previous))

    def _begin(self, channel: _Channel, event: Event) -> Sequence:
        """An epoch's first event here. Where the channel was followed all is expected from 1 on; of an older epoch only what comes."""
        if event.epoch < channel.epoch:
            return Sequence(event.seq)
        if channel.epoch >= 0:
            return Sequence(1)
        return Sequence(1 if (channel.has_stream or event.streamed) and not channel.joined else event.seq)

    def _overflow(self, channel: _Channel, event: Event) -> None:
        if event.streamed or channel.has_stream:
            channel.held = []
            self._deferred.add(channel.name)
        else:
            self._dropped += 1
