"""Order flow, while the market stands still: what was traded, by size, against the simulator's tape; and what flowed into the book and out of it, against what really
stood there at each frame.

What needs an hour of trading, or ten minutes (VPIN, Kyle's lambda, Amihud's ratio), is not known in so short a run, and has to say so.
"""

import asyncio
import itertools
import math
from decimal import Decimal
from typing import Any, NamedTuple

import ujson

from p9.instrument import Instrument
from p9.quicktest.frames import LEVELS, NS, TENTH_NS, Frames, close, frames_of
from p9.quicktest.tape import waits
from p9.quicktest.trial import Trial

MS = 1_000_000
SETTLED_S = 20.0
TAPE = 20_000
WINDOWS_S = {"1s": 1, "10s": 10, "1m": 60}
SIZES_S = {"1m": (60, 1), "1h": (3600, 60)}  # length, and the steps in which it goes on
CLASSES = ("retail", "mid", "large", "whale")
SHARES = {"mid": 0.5, "large": 0.99, "whale": 0.999, "mega": 0.9999}
OFF = 1 / 32  # a quantile is told within a sixty-fourth, and that of a moment ago
OFF_RANK = {"mid": 0.02, "large": 0.005, "whale": 0.001, "mega": 0.0002}

Event = dict[str, Any]


class Print(NamedTuple):
    """What one taker did at once. `ids`: of its fills, or of the rows that the venue made of them."""

    side: str
    at_ms: int
    quote: Decimal
    ids: tuple[str, ...]


async def check(trial: Trial) -> None:
    """While the simulator is frozen."""
    if not trial.enabled("flow"):
        return
    n_flows = n_prints = n_unknown = 0

    async def look() -> list[str]:
        nonlocal n_flows, n_prints, n_unknown
        n_flows = n_prints = n_unknown = 0
        wrong: list[str] = []
        for row in trial.instruments():
            told, unknown, unlike = await asyncio.to_thread(_books, trial, row, await frames_of(trial, row))
            n_flows, n_unknown = n_flows + told, n_unknown + unknown
            event = await trial.last(f"{trial.word('flow')}:{row.exchange}:{row.symbol}")
            if not await waits(trial, row):
                prints = await prints_of(trial, row)
                n_prints += len(prints)
                unlike += ["nobody told it"] if event is None else _traded(event, row, prints)
            wrong += [f"{row.market} {row.symbol}: {text}" for text in unlike]
        return wrong

    wrong = await trial.settled(look, SETTLED_S)
    figure = f"{n_flows:,} flows of {len(WINDOWS_S)} windows and {LEVELS} levels ({n_unknown} not comparable), {n_prints:,} prints"
    trial.note("order flow is what was traded, and what stood", n_flows and n_prints and not wrong, "; ".join(wrong[:3]) or figure)


# ---- what stood in the book


def _books(trial: Trial, row: Instrument, frames: Frames) -> tuple[int, int, list[str]]:
    """Of the newest events: how many were compared, how many could not be, and what is not as it was."""
    assert trial.watcher is not None
    told = unknown = 0
    wrong: list[str] = []
    for text in list(trial.watcher.measured[f"{trial.word('flow')}:{row.exchange}:{row.symbol}"]):
        event = ujson.loads(text)
        if event["ofi"] is None or event["ofi_since"] is None:
            unknown += 1
            continue
        # when it was looked at, between what came last and its publication, nobody says: the frames of these moments may be in it or not
        tenths = range(event["ts_recv"] // TENTH_NS, event["ts_pub"] // TENTH_NS + 1)
        ends = range(frames.until(event["ts_recv"]), frames.until(event["ts_pub"]) + 1)
        found = [_unlike(event, frames, tenth, end) for tenth in reversed(tenths) for end in ends]
        if any(each is None for each in found):
            unknown += 1
            continue
        told += 1
        wrong += min(found, key=lambda each: len(each or ()))[:1] or ()
    return told, unknown, wrong


def _unlike(event: Event, frames: Frames, tenth: int, end: int) -> list[str] | None:
    """None: a frame of its time is not known."""
    second = tenth // 10
    wrong: list[str] = []
    for name, length_s in WINDOWS_S.items():
        since_ns = (tenth - 9) * TENTH_NS if length_s == 1 else (second - length_s + 1) * NS
        first = min(frames.until(since_ns - 1) if since_ns > event["ofi_since"] else frames.image(event["ofi_since"]) + 1, end)
        if not frames.known(first, end):
            return None
        true, ours = frames.flow(first, end), event["ofi"][name]
        if ours["changes"] != true.changes:
            wrong.append(f"{ours['changes']} changes in {name}, not {true.changes}")
        if not close(ours["ofi"], true.flow[0], true.size) or not (close(ours["depth"], true.depth[0]) if true.changes else ours["depth"] is None):
            wrong.append(f"a flow of {ours['ofi']} in {name} at a depth of {ours['depth']}, not {true.flow[0]:.9g} at {true.depth[0]:.9g}")
        for place, (value, flow, depth) in enumerate(zip(ours["levels"], true.flow, true.depth, strict=True)):
            if not close(value, flow / (2 * depth) if depth else 0.0, true.size / (2 * depth) if depth else 0.0):
                wrong.append(f"{value} ticks at level {place} in {name}, not {flow / (2 * depth) if depth else 0:.9g}")
        if ours["normalised"] != ours["levels"][0]:
            wrong.append(f"{ours['normalised']} and {ours['levels'][0]} ticks in {name}")
    return wrong


# ---- what was traded


async def prints_of(trial: Trial, row: Instrument) -> list[Print]:
    """Since the first trade that was told. Fills belong together that a taker made one after the other in the same millisecond."""
    assert trial.simulator is not None
    first = await trial.oldest(f"{trial.word('trades')}:{row.exchange}:{row.symbol}")
    if first is None or first["seq"] != 1:
        return []
    place = f"/oracle/{row.market}/{row.venue_symbol}"
    if trial.appliance.captures[row.market].folds_ms:
        rows = [(str(each["id"]), each["price"], each["quantity"], each["side"], each["at_ms"]) for each in await trial.simulator.get(f"{place}/folded")]
        start = str(first["trade_id"])
    else:
        rows = [(*fill[:4], fill[4] // MS) for fill in await trial.simulator.get(f"{place}/trades?limit={TAPE}")]
        start = str(first["first_trade_id"] or first["trade_id"])
    begins = next((n for n, each in enumerate(rows) if each[0] == start), len(rows))
    worth = Decimal(row.contract_value)
    found = []
    for (side, at_ms), fills in itertools.groupby(rows[begins:], lambda each: each[3:]):
        its = list(fills)
        quote = sum((Decimal(qty) * worth * (1 if row.contract == "inverse" else Decimal(px)) for _, px, qty, *_ in its), Decimal(0))
        found.append(Print(side, at_ms, quote, tuple(each[0] for each in its)))
    return found


def _traded(event: Event, row: Instrument, prints: list[Print]) -> list[str]:
    if not prints:
        return ["its first trade is not on the tape"]
    wrong = [text for name in SIZES_S for text in _classes(event, name, prints)]
    hour = event["classes"]["1h"]
    for ours, true in (
        ("prints", sum(hour[name]["prints"] for name in CLASSES)), ("large_prints", hour["large"]["prints"]), ("whale_prints", hour["whale"]["prints"] - event["mega_prints"]),
    ):  # fmt: skip
        if event[ours] != true:
            wrong.append(f"{event[ours]} {ours}, but {true} in their classes")
    wrong += _tiers(event, prints) + _last(event, prints)
    unknown = ("vpin", "vpin_bucket_volume", "kyle_lambda", "kyle_t", "kyle_r2", "amihud")
    wrong += [f"{name} is {event[name]}, of so short a time" for name in unknown if event[name] is not None]
    minutes = event["ts_pub"] // (60 * NS) - prints[0].at_ms // 60_000 - 1
    if event["impact_minutes"] not in (max(minutes, 0), max(minutes - 1, 0)):
        wrong.append(f"{event['impact_minutes']} minutes, not {minutes}")
    return wrong


def _classes(event: Event, window: str, prints: list[Print]) -> list[str]:
    """All classes together, to the last digit: of the window as it was when it was told, or a step before."""
    length_s, step_s = SIZES_S[window]
    classes = event["classes"][window]
    ours = tuple(sum(Decimal(classes[name][field]) for name in CLASSES) for field in ("net", "volume"))
    step = event["ts_pub"] // NS // step_s
    true = []
    for late in (0, 1):
        its = [each for each in prints if each.at_ms // 1000 // step_s > step - late - length_s // step_s]
        true.append((sum((each.quote if each.side == "buy" else -each.quote for each in its), Decimal(0)), sum((each.quote for each in its), Decimal(0))))
    return [] if ours in true else [f"{ours[1]} were traded in {window}, {ours[0]} net, not {true[0][1]} and {true[0][0]}"]


def _tiers(event: Event, prints: list[Print]) -> list[str]:
    """Where each size begins, by its rank among all prints; floors are nought."""
    sizes = sorted(float(each.quote) for each in prints)
    wrong = []
    for name, share in SHARES.items():
        told = event["thresholds"][name]
        if told is None:
            if len(sizes) * (1 - share) > 2:
                wrong.append(f"no {name} after {len(sizes)} prints")
            continue
        below, up_to = (sum(size < told * by for size in sizes) / len(sizes) for by in (1 - OFF, 1 + OFF))
        few = 2 / len(sizes)
        if not below - OFF_RANK[name] - few <= share <= up_to + OFF_RANK[name] + few:
            wrong.append(f"{name} begins at {told}, which {below:.2%} to {up_to:.2%} of all prints do not reach")
    return wrong


def _last(event: Event, prints: list[Print]) -> list[str]:
    """The newest large print is on the tape as it is told."""
    last = event["last_large"]
    if last is None:
        return [f"no large print, but {event['large_prints']}"] if event["large_prints"] or event["whale_prints"] or event["mega_prints"] else []
    at_ms = last["time"] // MS
    true = {(each.side, each.at_ms, each.quote) for each in prints}
    whole = (last["side"], at_ms, Decimal(last["quote_quantity"]))
    parts = sum((each.quote for each in prints if (each.side, each.at_ms) == whole[:2]), Decimal(0))
    wrong = [] if whole in true or whole[2] < parts else [f"a large print of {whole[2]} at {at_ms} was never made"]
    if last["threshold"] is None or float(whole[2]) < last["threshold"]:
        wrong.append(f"a large print of {whole[2]} is under its threshold of {last['threshold']}")
    whole_ones = event["prints"] <= len(prints)  # else some came in pieces: on a machine that is busy their fills are heard too far apart
    newer = [each for each in prints if whole_ones and each.at_ms > at_ms and float(each.quote) > (event["thresholds"]["large"] or math.inf) * (1 + OFF)]
    return wrong + [f"one of {each.quote} at {each.at_ms} came later" for each in newer[:1]]
