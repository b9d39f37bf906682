"""Momentum, while the market stands still: mean return and z of each horizon, made anew of what really stood best at each frame (cext/measures/trend.pxd has the formula).

Jumps need 269 returns, longer horizons a hundred samples: what a run is too short for has to be null.
"""

import asyncio
import math
from typing import Any, NamedTuple

import ujson

from p9.instrument import Instrument
from p9.quicktest.episodes import episodes, states, told_of
from p9.quicktest.frames import NS, TENTH_NS, Frames, frames_of, mid
from p9.quicktest.trial import Trial

SETTLED_S = 20.0
HORIZONS_S = {"1s": 1, "10s": 10, "1m": 60, "5m": 300}
SAMPLES = 10  # a horizon
LEAST = 100  # returns
LEAST_JUMPS = 269
MEMORY = 60  # horizons, of the volatility
LIMITS = {"1s": 6.715, "1m": 5.777}  # Lee, Mykland: 1 % of days, of returns of a second and of a minute
DIGITS = 2e-5  # six are told


class Sample(NamedTuple):
    n: int  # returns so far
    drift: float
    square: float


Event = dict[str, Any]


async def check(trial: Trial) -> None:
    """While the simulator is frozen."""
    if not trial.enabled("momentum"):
        return
    n = n_unknown = 0

    async def look() -> list[str]:
        nonlocal n, n_unknown
        n = n_unknown = 0
        wrong: list[str] = []
        for row in trial.instruments():
            told, unknown, unlike = await asyncio.to_thread(_compare, trial, row, await frames_of(trial, row), await _losses(trial, row))
            n, n_unknown = n + told, n_unknown + unknown
            wrong += [f"{row.market} {row.symbol}: {text}" for text in unlike]
        return wrong

    wrong = await trial.settled(look, SETTLED_S)
    trial.note("momentum is that of the true prices", n and not wrong, "; ".join(wrong[:3]) or f"{n:,} events of {len(HORIZONS_S)} horizons ({n_unknown} not comparable)")


async def _losses(trial: Trial, row: Instrument) -> list[int]:
    """When its book was lost."""
    return [lost["ts_recv"] for lost, _ in episodes(states(await told_of(trial, row.exchange, row.symbol)))]


def _compare(trial: Trial, row: Instrument, frames: Frames, losses: list[int]) -> tuple[int, int, list[str]]:
    assert trial.watcher is not None
    told = unknown = 0
    wrong: list[str] = []
    texts = list(trial.watcher.measured[f"{trial.word('momentum')}:{row.exchange}:{row.symbol}"])
    if not frames.whole:
        return 0, len(texts), []
    paths = {name: path(frames, losses, length_s * NS // SAMPLES) for name, length_s in HORIZONS_S.items()}
    for text in texts:
        event = ujson.loads(text)
        if event["horizons"] is None:
            unknown += 1
            continue
        told += 1
        moments = range(event["ts_recv"] // TENTH_NS, event["ts_pub"] // TENTH_NS + 1)
        wrong += min((_unlike(event, paths, moment * TENTH_NS) for moment in reversed(moments)), key=len)[:1]
    return told, unknown, wrong


def path(frames: Frames, losses: list[int], step_ns: int) -> dict[int, Sample]:
    """{number of a sample, in steps since 1970: what the sums were after it}."""
    keep, keep_square = math.exp(-1 / SAMPLES), math.exp(-1 / (SAMPLES * MEMORY))
    found: dict[int, Sample] = {}
    n, drift, square = 0, 0.0, 0.0
    before: float | None = None
    at_ns = _moments(frames)
    for i, top in enumerate(frames.tops):
        assert top is not None
        if frames.begins[i] or (i and at_ns[i] < at_ns[i - 1]):
            before = None
        # it is in force at the samples from its own moment on, until the next frame comes or the book is lost
        price = math.log(mid(top))
        end_ns = at_ns[i + 1] if i + 1 < len(at_ns) else at_ns[i] + 60 * NS
        end_ns = min([end_ns, *(at for at in losses if at_ns[i] <= at < end_ns)])
        for number in range(-(-at_ns[i] // step_ns), -(-end_ns // step_ns)):
            if before is not None:
                n, move = n + 1, price - before
                drift = keep * drift + (1 - keep) * move
                square = keep_square * square + (1 - keep_square) * move * move
            before = price
            found[number] = Sample(n, drift, square)
    return found


def _moments(frames: Frames) -> list[int]:
    """When each came into force: what had waited for the image of its book comes with it, unless it is so old that the appliance takes it for a clock that was set."""
    found: list[int] = []
    for at_ns in frames.at_ns:
        found.append(max(at_ns, found[-1]) if found and at_ns >= found[-1] - TENTH_NS else at_ns)
    return found


def _unlike(event: Event, paths: dict[str, dict[int, Sample]], moment_ns: int) -> list[str]:
    wrong: list[str] = []
    for name, length_s in HORIZONS_S.items():
        ours, samples = event["horizons"][name], paths[name]
        sample = samples.get(moment_ns // (length_s * NS // SAMPLES), Sample(0, 0.0, 0.0))
        if abs(sample.n - LEAST) <= 2:  # about to be known
            continue
        return_bps, z = measures(sample)
        for key, true in (("return_bps", return_bps), ("z", z)):
            size = abs(true) if true is not None else 0.0
            if (ours[key] is None) != (true is None) or (true is not None and abs(ours[key] - true) > DIGITS * max(size, 1.0)):
                wrong.append(f"{key} of {name} is {ours[key]}, not {true}")
        if ours["trend"] != (None if ours["z"] is None else (ours["z"] > 3) - (ours["z"] < -3)):
            wrong.append(f"a trend of {ours['trend']} in {name} at a z of {ours['z']}")
    for name, jumps in event["jumps"].items():
        if abs(jumps["limit"] - LIMITS[name]) > 5e-4:
            wrong.append(f"a limit of {jumps['limit']} for {name}")
        if paths[name] and max(sample.n for sample in paths[name].values()) < LEAST_JUMPS * SAMPLES and (jumps["l"] is not None or jumps["count"]):
            wrong.append(f"{jumps['count']} jumps of {name}, of fewer than {LEAST_JUMPS} returns")
    return wrong


def measures(sample: Sample) -> tuple[float | None, float | None]:
    """(mean return of a horizon in bps, z); None: not known."""
    if sample.n < LEAST:
        return None, None
    a = 1 - math.exp(-1 / SAMPLES)
    mean = SAMPLES * sample.drift / (1 - math.exp(-sample.n / SAMPLES))
    if sample.square <= 0:
        return 1e4 * mean, None
    variance = sample.square / (1 - math.exp(-sample.n / (SAMPLES * MEMORY)))
    return 1e4 * mean, sample.drift / math.sqrt(variance * a / (2 - a) * (1 - math.exp(-2 * sample.n / SAMPLES)))
