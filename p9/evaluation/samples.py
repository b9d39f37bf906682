"""What is seen of each instrument while a recording goes by: the mid, the strength of every signal at a fixed step, and each time one was in force."""

import math
from array import array
from typing import Any

import msgspec
from cext.streams.signals import KINDS, Signals
from cext.tap import Tap

AGGREGATE = "aggregate"
SIGNALS = (*KINDS, AGGREGATE)
NAN = math.nan
TAP_BYTES = 1 << 20


class Episode(msgspec.Struct):
    """One time that a signal was in force: since it began, in the direction that it began with (1 up, -1 down)."""

    signal: str
    since_ns: int
    direction: int
    strength: float
    life_ns: int | None = None  # None: it had not ended when the recording did


class Track(msgspec.Struct):
    """One instrument. `at` counts steps since 1970, rising, with holes where nothing was seen; all arrays have one value for each."""

    name: str
    at: array = msgspec.field(default_factory=lambda: array("q"))
    mid: array = msgspec.field(default_factory=lambda: array("d"))  # NAN: not known
    strengths: dict[str, array] = msgspec.field(default_factory=lambda: {name: array("d") for name in SIGNALS})
    episodes: list[Episode] = msgspec.field(default_factory=list)


class _Told(msgspec.Struct):
    """What of a published event is read."""

    kind: str
    state: str
    strength: float
    since: int
    signal: str = AGGREGATE
    duration_ns: int | None = None


class Sampler:
    """`meet` each instrument when it is added, `look` at every tick; `tracks` is what was seen."""

    def __init__(self, outbox: Any, step_ns: int):
        self.outbox, self.step_ns = outbox, step_ns
        self.tracks: list[Track] = []
        self.missed = 0  # events that a tap had no room for
        self._met: list[tuple[Track, Signals, Tap, dict[str, Episode]]] = []
        self._decode = msgspec.json.Decoder(_Told).decode

    def meet(self, name: str, streams: list[Any]) -> None:
        for stream in streams:
            if isinstance(stream, Signals):
                tap, track = Tap(TAP_BYTES), Track(name)
                self.outbox.look(stream.channel, tap)
                self._met.append((track, stream, tap, {}))
                self.tracks.append(track)

    def look(self, now_ns: int) -> None:
        whole = now_ns % self.step_ns == 0
        for track, stream, tap, open_now in self._met:
            for payload in tap.take():
                self._hear(track, open_now, self._decode(payload))
            if whole:
                self._sample(track, stream, now_ns // self.step_ns)
        if whole:
            self.missed = sum(tap.n_missed for _, _, tap, _ in self._met)

    @staticmethod
    def _hear(track: Track, open_now: dict[str, Episode], told: _Told) -> None:
        if told.state == "begins":
            episode = Episode(told.signal, told.since, 1 if told.strength > 0 else -1, told.strength)
            open_now[told.signal] = episode
            track.episodes.append(episode)
        elif told.state == "ends" and told.signal in open_now:
            open_now.pop(told.signal).life_ns = told.duration_ns

    @staticmethod
    def _sample(track: Track, stream: Signals, at: int) -> None:
        mid, values = stream.mid(), stream.values()
        track.at.append(at)
        track.mid.append(NAN if mid is None else mid)
        for name in KINDS:
            known = values["signals"].get(name)
            track.strengths[name].append(NAN if known is None else known[0])
        track.strengths[AGGREGATE].append(NAN if values["total"] is None else values["total"][0])
