"""Signals, from what was measured to what all venues together say: each base signal is what its figures make, its figures are the simulator's, an aggregate is what its
parts make, and its parts are what was told of them.

What a run is too short for (a divergence of five minutes) must not be told. The figures of spoof-like patterns are held in patterns.py, those of insurance funds in
pools.py, of options in options.py.
"""

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

from p9.config.streams import Signals
from p9.instrument import Instrument
from p9.quicktest import momentum
from p9.quicktest.channels import shared
from p9.quicktest.frames import NS, Frames, frames_of, imbalance
from p9.quicktest.trial import Trial

MS = 1_000_000
DIGITS = 2e-5  # six are told
IMBALANCE_LEVELS, IMBALANCE_HALF_NS, IMBALANCE_SEEN_NS = 5, NS, 25 * NS
FORCED_HALF_NS, SPOOFING_HALF_NS = 15 * NS, 5 * NS
NEAR_NS = 300 * MS  # an aggregate may be told shortly before or after what it is made of
APART_MS = 10_000  # as in figures.py
STRESSES = {"LOW": 0.0, "MEDIUM": -1 / 3, "HIGH": -2 / 3, "CRITICAL": -1.0}
HORIZONS_S = {"imbalance": 5, "flow": 10, "momentum": 60, "walls": 60, "liquidations": 60, "spoofing": 10, "funding": 28_800, "basis": 28_800, "insurance": 3_600, "iv_skew": 86_400}
GROUPS = {
    "imbalance": "book", "walls": "book", "spoofing": "book", "flow": "trades", "cvd_divergence": "trades", "momentum": "price", "liquidations": "forced", "funding": "carry",
    "basis": "carry", "insurance": "stress", "iv_skew": "options",
}  # fmt: skip

Event = dict[str, Any]


class Told(NamedTuple):
    """Of one signal: when it was told, and how strong; 0: it ended."""

    at_ns: list[int]
    strengths: list[float]

    def near(self, at_ns: int) -> list[tuple[float, int]]:
        """What may have been in force then, and since when."""
        last = bisect_right(self.at_ns, at_ns + NEAR_NS)
        first = max(bisect_right(self.at_ns, at_ns - NEAR_NS) - 1, 0)
        found = [(self.strengths[i], self.at_ns[i]) for i in range(first, last)]
        return found if self.at_ns and self.at_ns[0] <= at_ns - NEAR_NS else [(0.0, 0), *found]


async def check(trial: Trial) -> None:
    """While the simulator is frozen."""
    if not trial.enabled("signals"):
        return
    rules = trial.appliance.config.analytics.signals
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    totals: dict[tuple[str, str], Told] = {}
    for row in trial.instruments():
        events = await _events(trial, row.exchange, row.symbol)
        base = [event for event in events if event["kind"] == "base"]
        sums = [event for event in events if event["kind"] == "aggregate"]
        counts.update(event["signal"] for event in base if event["state"] != "ends")
        counts["aggregate"] += len(sums)
        totals[row.exchange, row.symbol] = _told(sums)
        unlike = [text for event in base for text in _made(event, rules)] + await _true(trial, row, base, rules)
        by_name = defaultdict(list)
        for event in base:
            by_name[event["signal"]].append(event)
        unlike += [text for name, some in by_name.items() for text in _in_turn(name, some, rules.enter)] + _in_turn("aggregate", sums, rules.total_enter)
        told = {name: _told(some) for name, some in by_name.items()}
        unlike += [text for event in sums for text in _sum(event, rules) + _parts(event, "signal", told, rules.enter, rules)]
        wrong += [f"{row.market} {row.symbol}: {text}" for text in unlike]
    figure = ", ".join(f"{name} {n}" for name, n in sorted(counts.items()))
    trial.note("signals are what their figures make, and these are true", counts and not wrong, "; ".join(wrong[:3]) or figure)
    await _over_venues(trial, rules, totals)


async def _over_venues(trial: Trial, rules: Signals, totals: dict[tuple[str, str], Told]) -> None:
    n = 0
    wrong: list[str] = []
    for symbol in shared(trial):
        venues = {exchange: told for (exchange, name), told in totals.items() if name == symbol}
        events = await _events(trial, "all", symbol)
        n += len(events)
        unlike = _in_turn("all", events, rules.total_enter)
        for event in events:
            unlike += _mean(event) + _parts(event, "exchange", venues, rules.total_enter, rules)
            who = {part["exchange"] for part in event["parts"]} | set(event["excluded"])
            unlike += [f"of {sorted(who)}, not of {sorted(venues)}"] if who != set(venues) else []
        wrong += [f"signals:all:{symbol}: {text}" for text in unlike]
    trial.note("what all venues say is what each of them says", not wrong and (n or not trial.full), "; ".join(wrong[:3]) or f"{n} events of {len(shared(trial))} symbols")


async def _events(trial: Trial, exchange: str, symbol: str) -> list[Event]:
    return await trial.stream(f"{trial.word('signals')}:{exchange}:{symbol}")


def _told(events: list[Event]) -> Told:
    return Told([event["ts_pub"] for event in events], [event["strength"] for event in events])


def _in_turn(name: str, events: list[Event], enter: float) -> list[str]:
    """It begins over its threshold, changes, ends, in this order, and says since when."""
    wrong: list[str] = []
    since = None
    for event in events:
        begins = event["state"] == "begins"
        if begins != (since is None):
            wrong.append(f"{name} {event['state']} at {event['ts_pub']}, but {'had not begun' if since is None else 'had begun'}")
        since = event["since"] if begins else since
        if event["since"] != since:
            wrong.append(f"{name} since {event['since']}, not {since}")
        if begins and abs(event["strength"]) < enter - DIGITS:
            wrong.append(f"{name} begins at {event['strength']}")
        direction = "none" if event["state"] == "ends" else "up" if event["strength"] > 0 else "down"
        if event["direction"] != direction or (event["state"] == "ends") != (event["strength"] == 0) or (event["duration_ns"] is None) != (event["state"] != "ends"):
            wrong.append(f"{name} {event['state']}: {event['direction']} with {event['strength']} after {event['duration_ns']}")
        if event["state"] == "ends":
            since = None
    return wrong


# ---- what figures make


def _made(event: Event, rules: Signals) -> list[str]:
    """Of its inputs, by the formula."""
    name, inputs = event["signal"], event["inputs"]
    if name not in HORIZONS_S:
        return [f"{name} in so short a run"]
    wrong = [] if event["horizon_seconds"] == HORIZONS_S[name] else [f"{name} speaks of {event['horizon_seconds']} s"]
    if event["state"] == "ends":
        return wrong
    late_ns = event["latency_ns"]
    formulas: dict[str, Callable[[], float]] = {
        "imbalance": lambda: inputs["imbalance_5_mean"], "flow": lambda: math.tanh(inputs["ofi_10s_ticks"] / rules.ofi_ticks), "momentum": lambda: math.tanh(_weaker(inputs) / 3),
        "liquidations": lambda: math.tanh(inputs["net_quote"] * 0.5 ** (late_ns / FORCED_HALF_NS) / rules.cascade),
        "funding": lambda: -math.tanh(float(inputs["annualised"]) / rules.funding_annualised), "basis": lambda: -math.tanh(float(inputs["basis_bps"]) / rules.basis_bps),
        "insurance": lambda: STRESSES[inputs["stress"]], "iv_skew": lambda: math.tanh(inputs["shift"] / rules.skew_shift),
    }  # fmt: skip
    if name == "spoofing":  # either side
        true = math.copysign(inputs["score"] * 0.5 ** (late_ns / SPOOFING_HALF_NS), event["strength"])
    elif name in formulas:
        true = formulas[name]()
    else:
        return wrong
    sure = min(1.0, inputs["changes"] / 100) if name == "flow" else 0.5 if name == "momentum" and inputs["z_1m"] is None else 1.0
    if abs(event["strength"] - true) > DIGITS or abs(event["confidence"] - sure) > DIGITS:
        wrong.append(f"{name} of {event['strength']} with {event['confidence']}, not {true:.6f} with {sure:.2f}, of {inputs}")
    return wrong


def _weaker(inputs: Event) -> float:
    z, longer = inputs["z_10s"], inputs["z_1m"]
    return z if longer is None else 0.0 if z * longer <= 0 else min(z, longer, key=abs)


def _sum(event: Event, rules: Signals) -> list[str]:
    """The strongest of each group, by weight and confidence; their mean by weight. Of what ended the parts are no longer those of its strength."""
    best: dict[str, tuple[float, str]] = {}
    weights: dict[str, float] = {}
    for part in event["parts"]:
        group, value = GROUPS[part["signal"]], part["weight"] * part["confidence"] * part["strength"]
        weights[group] = max(weights.get(group, 0.0), part["weight"])
        if group not in best or abs(value) > abs(best[group][0]):
            best[group] = value, part["signal"]
    true = sum(value for value, _ in best.values()) / sum(weights.values())
    size = sum(abs(value) for value, _ in best.values())
    sure = abs(sum(value for value, _ in best.values())) / size if size else 0.0
    wrong = [f"counts {part['signal']}" for part in event["parts"] if part["counted"] != (best[GROUPS[part["signal"]]][1] == part["signal"])]
    if event["state"] != "ends" and (abs(event["strength"] - true) > DIGITS or abs(event["confidence"] - sure) > 10 * DIGITS):
        wrong.append(f"an aggregate of {event['strength']} with {event['confidence']}, not {true:.6f} with {sure:.6f}")
    if {part["signal"] for part in event["parts"]} ^ set(event["excluded"]) != set(GROUPS):
        wrong.append(f"an aggregate of {[part['signal'] for part in event['parts']]} without {event['excluded']}")
    return wrong


def _mean(event: Event) -> list[str]:
    """By confidence; the confidence is how far they agree."""
    weight = sum(part["confidence"] for part in event["parts"])
    true, size = (sum(by(part["strength"]) * part["confidence"] for part in event["parts"]) / weight if weight else 0.0 for by in (float, abs))
    sure = abs(true) / size if size else 0.0
    if event["state"] == "ends":
        return []
    fits = abs(event["strength"] - true) <= DIGITS and abs(event["confidence"] - sure) <= 10 * DIGITS
    return [] if fits else [f"a strength of {event['strength']} with {event['confidence']}, not {true:.6f} with {sure:.6f}"]


def _parts(event: Event, key: str, told: dict[str, Told], enter: float, rules: Signals) -> list[str]:
    """What is told of a part is told anew when it moved by a step, but for the pause after the last time: so it is no farther off, and what was not told is weak."""
    wrong = []
    for part in event["parts"]:
        some = told[part[key]].near(event["ts_pub"]) if part[key] in told else [(0.0, 0)]
        fits = any(
            event["ts_pub"] - at_ns <= rules.pause * NS + NEAR_NS or abs(part["strength"] - strength) <= (rules.step if strength else enter) + DIGITS for strength, at_ns in some
        )  # fmt: skip
        if not fits:
            wrong.append(f"its part {part[key]} is {part['strength']}, but {some[-1][0]} was told")
    return wrong


# ---- whether the figures are true


async def _true(trial: Trial, row: Instrument, base: list[Event], rules: Signals) -> list[str]:
    frames = await frames_of(trial, row)
    wrong: list[str] = []
    forced = await trial.stream(f"{trial.word('liquidations')}:{row.exchange}:{row.symbol}") if trial.enabled("liquidations") else []
    tens = momentum.path(frames, [], NS) if frames.whole and not any(frames.begins[1:]) else {}
    for event in base:
        name, inputs = event["signal"], event["inputs"]
        if event["state"] == "ends":
            continue
        true: float | None = None
        ours = math.nan
        if name == "imbalance":
            true, ours = _imbalance(frames, event["ts_recv"]), inputs["imbalance_5_mean"]
        elif name == "flow":
            true, ours = _ticks(frames, event["ts_recv"]), inputs["ofi_10s_ticks"]
        elif name == "liquidations":
            ours = inputs["net_quote"]
            true = min(_forced(forced, event["ts_recv"]), key=lambda sum_: abs(sum_ - ours))
        elif name == "momentum":
            sample = tens.get((event["ts_recv"] - 1) // NS)
            true, ours = momentum.measures(sample)[1] if sample else None, inputs["z_10s"]
        elif name in ("funding", "basis"):
            wrong += await _carry(trial, row, event)
        if true is not None and abs(ours - true) > 5 * DIGITS * max(abs(true), 1.0):
            wrong.append(f"{name} of {ours} at {event['ts_recv']}, not {true:.6g}")
    return wrong


def _imbalance(frames: Frames, at_ns: int) -> float | None:
    """The exponential mean over time of that of the best levels, since the book is there; None: some frames are not known."""
    first, end = max(frames.until(at_ns - IMBALANCE_SEEN_NS) - 1, 0), frames.until(at_ns - 1)
    images = [i for i in range(first, frames.until(at_ns)) if frames.begins[i]]
    if images:  # from then on, also if that is this very moment
        first, end = images[-1], max(end, images[-1] + 1)
    if first >= end or not frames.known(first + 1, end):
        return None
    mean: float | None = None
    for i in range(first, end):
        top = frames.tops[i]
        assert top is not None
        now = imbalance(top, IMBALANCE_LEVELS)
        until_ns = frames.at_ns[i + 1] if i + 1 < end else at_ns
        keep = 0.5 ** ((until_ns - frames.at_ns[i]) / IMBALANCE_HALF_NS)
        mean = now if mean is None else keep * mean + (1 - keep) * now
    return mean


def _ticks(frames: Frames, at_ns: int) -> float | None:
    first, end = frames.until((at_ns // NS - 9) * NS - 1), frames.until(at_ns)
    if not frames.known(first, end):
        return None
    true = frames.flow(first, end)
    return true.flow[0] / (2 * true.depth[0]) if true.changes else None


def _forced(events: list[Event], at_ns: int) -> list[float]:
    """Quote coins of forced orders, bought less sold, each fading: as it was after each of those that were heard at that moment, or after the last one before it."""
    sums, last_ns = [0.0], 0
    for event in events:
        if event["ts_recv"] > at_ns:
            break
        total = sums[-1] * 0.5 ** ((event["ts_recv"] - last_ns) / FORCED_HALF_NS) + (1 if event["side"] == "buy" else -1) * float(event["quote_quantity"])
        sums = [*sums, total] if event["ts_recv"] == last_ns else [total]
        last_ns = event["ts_recv"]
    return sums


async def _carry(trial: Trial, row: Instrument, event: Event) -> list[str]:
    """Funding as it stands; a basis that the prices of the seconds before had."""
    assert trial.simulator is not None
    at_ms = event["ts_recv"] // MS
    truth = await trial.simulator.get(f"/oracle/{row.market}/{row.venue_symbol}/figures?at={at_ms}&since={at_ms - APART_MS}")
    if event["signal"] == "funding":
        yearly = float(truth["funding"]["rate"]) * 365 * 86_400_000 / truth["funding"]["interval_ms"]
        return [] if math.isclose(float(event["inputs"]["annualised"]), yearly, rel_tol=1e-6) else [f"funding of {event['inputs']['annualised']}, not {yearly}"]
    marks, indices = ([float(each[place]) for each in truth["path"]] for place in (0, 1))
    least, most = (min(marks) / max(indices) - 1) * 1e4, (max(marks) / min(indices) - 1) * 1e4
    ours, off = float(event["inputs"]["basis_bps"]), float(row.tick) / min(indices) * 1e4
    return [] if least - off <= ours <= most + off else [f"a basis of {ours}, not {least:.2f} to {most:.2f}"]
