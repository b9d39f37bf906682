"""Whether what is planted is found, and what is not there is not."""

import numpy as np
import pytest

from p9.evaluation import verdict
from p9.evaluation.null import rotation
from p9.evaluation.panel import Panel
from p9.evaluation.samples import SIGNALS, Episode
from p9.evaluation.score import correlation, paired_ranks
from p9.evaluation.verdict import CONTRARY, EVIDENCE, INSUFFICIENT, NONE, TOO_SHORT, UNKNOWN, judge
from tests.evaluation.planted import START_S, persistent, track, walk

HOURS = 11
N = HOURS * 3600


def knowing(rng: np.random.Generator, mid: np.ndarray, ahead: int, share: float) -> np.ndarray:
    """A strength of which so much is what the price does over the next `ahead` steps, and the rest noise."""
    future = np.zeros(len(mid))
    future[:-ahead] = np.log(mid[ahead:] / mid[:-ahead])
    return np.tanh(share * future / future.std() + (1 - share) * rng.normal(0, 1, len(mid)))


def of(scope, signal: str):
    return next(score for score in scope.scores if score.signal == signal)


@pytest.fixture(scope="module")
def judged():
    rng = np.random.default_rng(11)
    mid = walk(rng, N)
    return judge(Panel([track(
        mid, imbalance=knowing(rng, mid, 5, 0.15), flow=-knowing(rng, mid, 10, 0.15), momentum=persistent(rng, N, 0.97), aggregate=persistent(rng, N, 0.5),
        walls=np.zeros(N), cvd_divergence=np.where(np.arange(N) < 600, 0.5, np.nan),
    )], 1.0), "market A")  # fmt: skip


def test_a_planted_signal_is_found_and_its_mirror_is_said_to_tell_the_contrary(judged):
    assert (of(judged, "imbalance").verdict, of(judged, "flow").verdict) == (EVIDENCE, CONTRARY)
    assert of(judged, "imbalance").own.interval.low > of(judged, "imbalance").own.null.band.high


def test_what_knows_nothing_is_said_to_have_no_evidence(judged):
    assert (of(judged, "momentum").verdict, of(judged, "aggregate").verdict) == (NONE, NONE)


def test_what_cannot_be_judged_is_said_to_be_so(judged):
    assert of(judged, "funding").verdict == UNKNOWN
    assert of(judged, "walls").verdict == verdict.CONSTANT
    assert of(judged, "cvd_divergence").verdict == TOO_SHORT
    assert {score.signal for score in judged.scores} == set(SIGNALS)


@pytest.mark.parametrize("horizon, keep", [(1, 0.0), (5, 0.9), (20, 0.98)])
def test_the_null_is_rejected_as_rarely_as_it_says(horizon, keep):
    """Two hundred signals that know nothing, persistent, on overlapping returns: p <= 0.05 in about a twentieth (within 99.9 %: at most 20)."""
    rejected = 0
    for seed in range(200):
        rng = np.random.default_rng([horizon, seed])
        mid = walk(rng, 1500)
        panel = Panel([track(mid, flow=persistent(rng, 1500, keep))], 1.0)
        rejected += rotation(*paired_ranks(panel.strength["flow"], panel.returns(horizon))).p <= 0.05
    assert rejected <= 20


def test_a_report_of_nothing_but_noise_hardly_ever_says_evidence(monkeypatch):
    """All twelve signals know nothing: one wrong word in a report in at most a twentieth of all reports (within 99.9 % of thirty: at most 5)."""
    monkeypatch.setattr(verdict, "LEAST_SYMBOL_HOURS", 0.0)
    monkeypatch.setattr(verdict, "HORIZONS_S", (5,))
    monkeypatch.setattr(verdict, "horizon_of", lambda signal: 5)
    wrong = 0
    for seed in range(30):
        rng = np.random.default_rng([77, seed])
        noise = {name: persistent(rng, 600, 0.8) for name in SIGNALS}
        scope = judge(Panel([track(walk(rng, 600), **noise)], 1.0), "noise")
        wrong += any(score.verdict in (EVIDENCE, CONTRARY) for score in scope.scores)
    assert wrong <= 5


def test_ten_symbol_hours_are_needed_however_good_it_looks():
    rng = np.random.default_rng(2)
    for n, enough in ((10 * 3600 - 1, False), (10 * 3600, True)):
        mid = walk(rng, n)
        scope = judge(Panel([track(mid, imbalance=knowing(rng, mid, 5, 0.6))], 1.0), "market A")
        assert scope.sufficient is enough
        assert of(scope, "imbalance").verdict == (EVIDENCE if enough else INSUFFICIENT)
        assert of(scope, "imbalance").own.ic > 0.2, "shown all the same"


def test_a_horizon_is_not_judged_on_fewer_than_twenty_of_it():
    rng = np.random.default_rng(2)
    panel = Panel([track(walk(rng, 200), flow=persistent(rng, 200, 0.5))], 1.0)
    by_horizon = {row.horizon_s: row for row in of(judge(panel, "short"), "flow").coefficients}
    assert by_horizon[10].ic is not None
    assert (by_horizon[60].ic, by_horizon[60].why) == (None, TOO_SHORT)


def test_instruments_are_pooled_each_ranked_by_itself():
    rng = np.random.default_rng(4)
    tracks = [track(walk(rng, 3000), name=name, flow=persistent(rng, 3000, 0.5) + offset) for name, offset in (("a", 0.0), ("b", 5.0))]
    panel = Panel(tracks, 1.0)
    each = [correlation(*paired_ranks(panel.only(row).strength["flow"], panel.only(row).returns(5))) for row in (0, 1)]
    assert of(judge(panel, "both"), "flow").at(5).ic == pytest.approx(sum(each) / 2, abs=1e-6)
    assert panel.symbol_hours == pytest.approx(6000 / 3600)


def test_no_return_reaches_over_a_cut():
    mid = np.linspace(100, 101, 30)
    panel = Panel([track(mid), track(mid * 2, name="later", first=START_S + 10_000)], 1.0)
    assert len(panel.at) == 60 and panel.column((START_S + 5000) * 10**9) is None
    returns = panel.returns(5)
    assert np.isfinite(returns[0]).sum() == np.isfinite(returns[1]).sum() == 25
    assert returns[0][3] == pytest.approx(np.log(mid[8] / mid[3]))
    assert panel.column((START_S + 10_000) * 10**9) == 30 and panel.column((START_S + 3) * 10**9 - 1) == 3


def test_begins_are_scored_from_the_first_sample_after_them():
    mid = np.full(400, 100.0)
    mid[200:] = 101.0
    begins = [Episode("flow", (START_S + 195) * 10**9 - 1, 1, 0.8, 10**9), Episode("flow", (START_S + 300) * 10**9, 1, 0.8)]
    score = of(judge(Panel([track(mid, flow=np.full(400, 0.1), episodes=begins)], 1.0), "market A"), "flow")
    assert (score.hits.n, score.hits.hits, score.hits.unchanged) == (1, 1, 1)
    assert (score.turnover.begins, score.turnover.begins_an_hour, score.turnover.mean_life_s) == (2, 18.0, 1.0)
    assert score.turnover.share_in_force == pytest.approx((1 + 100) / 400)


def test_the_same_panel_and_seed_give_the_same_figures():
    rng = np.random.default_rng(6)
    panel = Panel([track(walk(rng, 1000), flow=persistent(rng, 1000, 0.9))], 1.0)
    assert verdict.figures([judge(panel, "x", 3)]) == verdict.figures([judge(panel, "x", 3)]) != verdict.figures([judge(panel, "x", 4)])
