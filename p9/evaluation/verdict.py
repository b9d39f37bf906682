"""What may be said of each signal: its figures by horizon, and one verdict at the horizon that it speaks of."""

from typing import Any

import msgspec
import numpy as np
from cext.streams.signals import HORIZONS

from p9.evaluation.null import Null, holm, rotation
from p9.evaluation.panel import Panel
from p9.evaluation.samples import AGGREGATE, SIGNALS
from p9.evaluation.score import Hits, Interval, Turnover, bootstrap, correlation, hits, paired_ranks, turnover

HORIZONS_S = (1, 5, 10, 60, 300)
AGGREGATE_HORIZON_S = 10  # it names none: the middle one
LEAST_HORIZONS = 20  # a figure needs so many of its horizons, one after the other
LEAST_SYMBOL_HOURS = 10.0
ALPHA = 0.05
POOLED = "all instruments"

UNKNOWN, TOO_SHORT, CONSTANT, INSUFFICIENT, NONE, EVIDENCE, CONTRARY = (
    "not in the recording", "too short for its horizon", "never varied with the price", "insufficient", "no evidence", "evidence", "evidence of the contrary",
)  # fmt: skip


class Coefficient(msgspec.Struct, frozen=True):
    """The information coefficient at one horizon: Spearman's correlation of strength and return. None: there is no such figure, and `why`."""

    horizon_s: int
    pairs: int
    ic: float | None = None
    interval: Interval | None = None
    null: Null | None = None
    why: str = ""


class Score(msgspec.Struct):
    """One signal in one scope (an instrument, or all pooled)."""

    signal: str
    horizon_s: int
    known_s: float
    coefficients: list[Coefficient]
    hits: Hits
    turnover: Turnover
    p_adjusted: float | None = None
    verdict: str = NONE

    def at(self, horizon_s: int) -> Coefficient:
        return next(row for row in self.coefficients if row.horizon_s == horizon_s)

    @property
    def own(self) -> Coefficient:
        return self.at(self.horizon_s)


class Scope(msgspec.Struct):
    name: str
    symbol_hours: float
    sufficient: bool
    scores: list[Score]


def horizon_of(signal: str) -> int:
    return AGGREGATE_HORIZON_S if signal == AGGREGATE else HORIZONS[signal]


def judge(panel: Panel, name: str, seed: int = 1) -> Scope:
    """Everything of one scope. The same panel and seed give the same figures."""
    scope = Scope(name, panel.symbol_hours, panel.symbol_hours >= LEAST_SYMBOL_HOURS, [])
    returns = {horizon: panel.returns(horizon) for horizon in {*HORIZONS_S, *(horizon_of(signal) for signal in SIGNALS)}}
    for place, signal in enumerate(SIGNALS):
        scope.scores.append(_score(panel, signal, returns, np.random.default_rng([seed, place])))
    judged = [score for score in scope.scores if score.own.null is not None]
    for score, p in zip(judged, holm([score.own.null.p for score in judged]), strict=True):
        score.p_adjusted = p
    for score in scope.scores:
        score.verdict = _verdict(score, scope.sufficient)
    return scope


def _score(panel: Panel, signal: str, returns: dict[int, np.ndarray], rng: np.random.Generator) -> Score:
    strength, own_s = panel.strength[signal], horizon_of(signal)
    known_s = float(np.isfinite(strength).sum()) * panel.step_s
    coefficients = [_coefficient(panel, strength, returns[horizon], horizon, rng) for horizon in sorted({*HORIZONS_S, own_s})]
    begins = [
        (row, column, episode.direction)
        for row, episodes in enumerate(panel.episodes) for episode in episodes
        if episode.signal == signal and (column := panel.column(episode.since_ns)) is not None
    ]  # fmt: skip
    until_ns = round((int(panel.at[-1]) + 1) * panel.step_s * 1e9) if len(panel.at) else 0
    told = [episode for episodes in panel.episodes for episode in episodes if episode.signal == signal]
    return Score(signal, own_s, known_s, coefficients, hits(begins, returns[own_s], panel.steps(own_s)), turnover(told, known_s, until_ns))


def _coefficient(panel: Panel, strength: np.ndarray, returns: np.ndarray, horizon_s: int, rng: np.random.Generator) -> Coefficient:
    if not np.isfinite(strength).any():
        return Coefficient(horizon_s, 0, why=UNKNOWN)
    both = np.isfinite(strength) & np.isfinite(returns)
    pairs, steps = int(both.sum()), panel.steps(horizon_s)
    if int(both.any(axis=0).sum()) < (LEAST_HORIZONS - 1) * steps:  # the last horizon has no return yet
        return Coefficient(horizon_s, pairs, why=TOO_SHORT)
    a, b = paired_ranks(strength, returns)
    ic = correlation(a, b)
    if ic is None:
        return Coefficient(horizon_s, pairs, why=CONSTANT)
    return Coefficient(horizon_s, pairs, ic, bootstrap(a, b, steps, rng), rotation(a, b))


def _verdict(score: Score, sufficient: bool) -> str:
    own = score.own
    if own.why == UNKNOWN:
        return UNKNOWN
    if not sufficient:
        return INSUFFICIENT
    if own.why:
        return own.why
    if score.p_adjusted is None or score.p_adjusted > ALPHA or own.interval is None or own.interval.holds(0.0):
        return NONE
    return EVIDENCE if own.ic > 0 else CONTRARY


def figures(scopes: list[Scope]) -> list[dict[str, Any]]:
    """Plain data for a line of JSON, to six digits."""
    rows = msgspec.to_builtins(scopes)
    for scope in rows:
        for score in scope["scores"]:
            score["turnover"].pop("lives_s")
    return _rounded(rows)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    return [_rounded(part) for part in value] if isinstance(value, list) else value
