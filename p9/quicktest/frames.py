"""The frames of one book as they were heard, each with what really stood best after it: from them flows, imbalances and returns are made anew, by their formulas.

When a frame was heard comes from the bus, what stood in the book from the simulator; nothing of what is checked comes from the appliance's book.
"""

import asyncio
import math
from array import array
from bisect import bisect_right
from operator import add
from typing import Any, NamedTuple

from p9.instrument import Instrument
from p9.quicktest.bus_watcher import Frame
from p9.quicktest.episodes import states, told_of
from p9.quicktest.trial import Trial

LEVELS = 10
NS = 1_000_000_000
TENTH_NS = NS // 10

Top = array  # of doubles: price and quantity, in the venue's unit, of the best bids, best first, then of the best asks
ASKS = 2 * LEVELS  # where these begin


class Flow(NamedTuple):
    """Over some time, by level: changes there were, the flow's sum (Cont, Kukanov, Stoikov 2014), the mean depth; and what was added up, of either sign."""

    changes: int
    flow: list[float]
    depth: list[float]
    size: float


class Frames:
    """`at_ns[i]`: when a frame was heard; `tops[i]`: what stood best since, None where nobody knows; `linked[i]`: it is the next one after the one before it;
    `begins[i]`: it is the image that a lost book began anew with."""

    def __init__(self, at_ns: list[int], tops: list[Top | None], linked: list[bool], begins: list[bool], unit: float):
        self.at_ns, self.tops, self.begins = at_ns, tops, begins
        self._changes, self._sizes = [0], [0.0]
        self._flows, self._depths = [array("d", bytes(8 * LEVELS))], [array("d", bytes(8 * LEVELS))]
        for before, now, follows in zip([None, *tops], tops, linked, strict=False):
            flow, depth = _nothing, _nothing
            if follows and before is not None and now is not None and before != now:
                flow = array("d", [unit * _flow(before, now, 2 * place) for place in range(LEVELS)])
                depth = array("d", [unit * (now[2 * place + 1] + now[ASKS + 2 * place + 1]) / 2 for place in range(LEVELS)])
            self._changes.append(self._changes[-1] + (flow is not _nothing))
            self._sizes.append(self._sizes[-1] + sum(map(abs, flow)))
            self._flows.append(array("d", map(add, self._flows[-1], flow)))
            self._depths.append(array("d", map(add, self._depths[-1], depth)))
        gaps = [i for i, top in enumerate(tops) if top is None or (i > 0 and not linked[i])]
        self.whole = all(top is not None for top in tops) and all(begins[i] for i in gaps)  # nothing is missing but what a lost book never had
        self._since = [gaps[place - 1] if (place := bisect_right(gaps, i)) else 0 for i in range(len(tops))]

    def until(self, at_ns: int) -> int:
        """How many frames had been heard then."""
        return bisect_right(self.at_ns, at_ns)

    def known(self, first: int, end: int) -> bool:
        """Whether frames first to end - 1, and the one before them, are known, and follow one another."""
        base = max(first - 1, 0)
        return end > base and self.tops[base] is not None and self._since[end - 1] <= base

    def image(self, at_ns: int) -> int:
        """The place of the whole book that was told then; that of the first frame where nobody heard it. What follows may have waited for it, and be older."""
        return next((i for i, at in enumerate(self.at_ns) if at == at_ns and self.begins[i]), 0)

    def flow(self, first: int, end: int) -> Flow:
        """Of the frames from `first` to `end` - 1."""
        n = self._changes[end] - self._changes[first]
        flows, depths = ([after - before for before, after in zip(sums[first], sums[end], strict=True)] for sums in (self._flows, self._depths))
        return Flow(n, flows, [depth / n if n else 0.0 for depth in depths], self._sizes[end] - self._sizes[first])


_nothing = array("d", bytes(8 * LEVELS))


def _flow(before: Top, now: Top, bid: int) -> float:
    """What was added to the bid at that place, less what was added to the ask."""
    ask = ASKS + bid
    bought = (now[bid + 1] if now[bid] >= before[bid] else 0.0) - (before[bid + 1] if now[bid] <= before[bid] else 0.0)
    sold = (now[ask + 1] if now[ask] <= before[ask] else 0.0) - (before[ask + 1] if now[ask] >= before[ask] else 0.0)
    return bought - sold


def mid(top: Top) -> float:
    return (top[0] + top[ASKS]) / 2


def imbalance(top: Top, levels: int) -> float:
    """Of the quantities of so many levels a side, in [-1, 1]."""
    bids, asks = (sum(top[start + 1 : start + 2 * levels : 2]) for start in (0, ASKS))
    return (bids - asks) / (bids + asks)


async def frames_of(trial: Trial, row: Instrument) -> Frames:
    """While the simulator is frozen: made once, as no more will come."""
    if row not in trial.frames:
        trial.frames[row] = await _make(trial, row)
    return trial.frames[row]


async def _make(trial: Trial, row: Instrument) -> Frames:
    assert trial.simulator is not None and trial.watcher is not None
    heard = list(trial.watcher.frames[f"{trial.word('depth')}:{row.exchange}:{row.symbol}"])
    told: dict[str, dict[int, Any]] = {}
    for stream, number, _, bids, asks in await trial.simulator.get(f"/oracle/{row.market}/{row.venue_symbol}/tops"):
        told.setdefault(stream, {})[number] = (bids, asks)
    images = told.pop("", {})
    # of several streams the one that was listened to; where numbers are the book's own, an image by REST has one too
    best = max(told.values(), key=lambda some: sum(frame.last_id in some for frame in heard), default={})
    known, place = images | best, {number: n for n, number in enumerate(best)}
    synced = {event["ts_recv"] for event in states(await told_of(trial, row.exchange, row.symbol)) if event["state"] == "synced"}

    def follows(before: Frame | None, frame: Frame) -> bool:
        if before is None or frame.whole or frame.last_id not in place:
            return False
        return before.last_id not in place or place[frame.last_id] == place[before.last_id] + 1

    def made() -> Frames:  # the appliance goes on meanwhile
        return Frames(
            [frame.ts_recv for frame in heard], [_top(known.get(frame.last_id)) for frame in heard], [follows(*pair) for pair in zip([None, *heard], heard, strict=False)],
            [frame.whole and frame.ts_recv in synced for frame in heard], float(row.contract_value),
        )  # fmt: skip

    return await asyncio.to_thread(made)


def _top(told: Any) -> Top | None:
    return None if told is None else array("d", [float(text) for side in told for level in side for text in level])


def close(told: float | None, true: float, size: float = 0.0) -> bool:
    """To the nine digits that are told, of a sum of so much in all."""
    return told is not None and math.isclose(told, true, rel_tol=1e-7, abs_tol=1e-9 * size + 1e-12)
