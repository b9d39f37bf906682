"""Size classes and whale tiers: the share that is flagged, and sums against a reference at every step."""

from fractions import Fraction

import numpy as np
import pytest
from cext.streams.flow import Flow
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cext.streams.desk import START, Desk, S
from tests.reference import sizes as reference

TIERS = ("mid", "large", "whale", "mega")


def desk_of(**settings) -> Desk:
    return Desk(lambda names: Flow(names, **settings), px_scale=0, qty_scale=0, tick=1)


def pareto(n: int, alpha: float = 1.5) -> np.ndarray:
    return np.ceil(1000 * (1 + np.random.default_rng(7).pareto(alpha, n))).astype(int)


def flagged(sizes: np.ndarray, scale: int = 1) -> tuple[list[int], dict]:
    """Prints of these sizes, one a second: how many of each tier there were after each thousand, and the last values."""
    desk = desk_of()
    counts = []
    for n, size in enumerate(sizes.tolist()):
        desk.trade(n, "1", size * scale)
        if n % 1000 == 999:
            counts.append(desk.streams[0].counters())
    return counts, desk.streams[0].values(START + len(sizes) * S)


def test_analytics_4_7_of_pareto_sizes_the_share_beyond_a_quantile_is_flagged():
    """1 - q, within three sigma of the binomial."""
    n, warm = 40_000, 2_000
    counts, row = flagged(pareto(n))
    first, last = counts[warm // 1000 - 1], counts[-1]
    over = {
        "large": sum(last[f"{tier}_prints"] - first[f"{tier}_prints"] for tier in ("large", "whale", "mega")),
        "whale": sum(last[f"{tier}_prints"] - first[f"{tier}_prints"] for tier in ("whale", "mega")),
    }
    for tier, share in {"large": 0.01, "whale": 0.001}.items():
        expected, sigma = share * (n - warm), np.sqrt(share * (1 - share) * (n - warm))
        assert abs(over[tier] - expected) <= 3 * sigma, tier
    exact = {tier: reference.quantile(pareto(n).tolist(), share) for tier, share in zip(TIERS, (0.5, 0.99, 0.999, 0.9999), strict=True)}
    for tier in TIERS:
        assert row["thresholds"][tier] == pytest.approx(exact[tier], rel=0.04), "a sketch of sizes that are a fraction of a percent behind"


def test_analytics_4_7_the_threshold_is_scale_equivariant():
    """Sizes times 1024, or in other units: the same prints are flagged, by a threshold that many times as large."""
    sizes = pareto(3_000)
    (*_, plain), row = flagged(sizes)
    (*_, scaled), times = flagged(sizes, 1024)
    assert plain == scaled and plain["large_prints"] > 0
    assert times["thresholds"]["large"] == pytest.approx(1024 * row["thresholds"]["large"], rel=1e-8)
    (*_, odd), other = flagged(sizes, 1000)
    assert other["thresholds"]["large"] == pytest.approx(1000 * row["thresholds"]["large"], rel=2 / 64)
    assert abs(odd["large_prints"] - plain["large_prints"]) <= 2


def test_analytics_4_7_a_floor_holds_where_the_quantile_is_lower():
    desk = desk_of(floors=(5_000, 6_000, 7_000))
    for n in range(300):
        desk.trade(n, "1", 10 + n % 7)
    row = desk.streams[0].values(START + 300 * S)
    assert row["thresholds"] == {"mid": pytest.approx(13, rel=1 / 64), "large": 5_000, "whale": None, "mega": None}
    assert row["large_prints"] == 0
    for n, size in enumerate((4_999, 5_000, 100_000)):
        desk.trade(300 + n, "1", size)
    desk.tick(303, from_s=302.9)
    row = desk.streams[0].values(START + 303 * S)
    assert row["large_prints"] == 2, "a whale is not told from a large print before a thousand prints"


@st.composite
def tapes(draw):
    at, rows = 0, []
    for _ in range(draw(st.integers(5, 60))):
        at += draw(st.sampled_from([30, 1_000, 7_000, 61_000, 600_000]))
        late = draw(st.sampled_from([0, 0, 0, 0, 20_000, 59_000, 60_000, 61_000, 400_000]))
        rows.append((at, draw(st.integers(1, 40)), draw(st.integers(1, 40)), draw(st.sampled_from([-1, 1])), at + late))
    return sorted(rows, key=lambda row: row[4])


@settings(max_examples=25)
@given(tapes())
def test_analytics_4_7_flow_by_class_is_the_sum_of_its_prints_at_every_step(tape):
    shares = (0.3, 0.6, 0.8, 0.9)
    desk = desk_of(shares=shares)
    thresholds: list[list[float]] = []
    money: list[Fraction] = []
    for i, (at, price, qty, sign, recv) in enumerate(tape, 1):
        desk.tick(recv / 1000, 1_000_000, from_s=recv / 1000 - 0.001)
        desk.trade(at / 1000, price, qty, buyer_is_maker=sign < 0, recv_s=recv / 1000)
        now_ms = recv + 25  # the print is finished
        desk.tick(now_ms / 1000, 0.025, from_s=recv / 1000)
        row = desk.streams[0].values(START + now_ms * 1_000_000)
        thresholds.append([np.nan if row["thresholds"][tier] is None else row["thresholds"][tier] for tier in TIERS])
        for tier, share in zip(TIERS, shares, strict=True):
            exact = reference.quantile([float(size) for size in money], share)
            assert row["thresholds"][tier] == (None if exact is None else pytest.approx(exact, rel=1 / 64)), "of the prints before this one"
        money.append(Fraction(price * qty))
        at_ns = np.array([START + row[0] * 1_000_000 for row in tape[:i]])
        signs = np.array([row[3] for row in tape[:i]], dtype=object)
        cls = reference.classes(np.array(money), np.array(thresholds))
        for name, step_s in {"1m": 1, "1h": 60}.items():
            expected = reference.window(at_ns, np.array(money, dtype=object), signs, cls, step_s, START + now_ms * 1_000_000)
            got = {each: (Fraction(told["net"]), Fraction(told["volume"]), told["prints"]) for each, told in row["classes"][name].items()}
            assert got == expected, name


def test_a_print_is_as_large_as_its_fills_together():
    desk = Desk(lambda names: Flow(names), px_scale=0, qty_scale=0, tick=1, numbered=True)
    for n in range(150):
        desk.trade(n, "1", 10, own=n + 1)
    for n in range(20):
        desk.trade(200, "1", 9, own=151 + n)
    desk.tick(201, from_s=200)
    row = desk.streams[0].values(START + 201 * S)
    assert (row["prints"], row["large_prints"]) == (151, 1)
    assert row["last_large"] == {
        "tier": "large", "side": "buy", "time": START + 200 * S, "price": "1", "quote_quantity": "180", "rows": 20, "first_id": 151, "last_id": 170,
        "threshold": pytest.approx(10, rel=1 / 64), "backfill": False,
    }  # fmt: skip


def test_a_rescale_changes_no_sum():
    desk = Desk(lambda names: Flow(names), px_scale=1, qty_scale=0, tick=1)
    desk.trade(1, "10.5", 3)
    desk.trade(2, "10.125", 2, buyer_is_maker=True)
    desk.tick(3, from_s=2)
    row = desk.streams[0].values(START + 3 * S)["classes"]["1m"]["retail"]
    assert desk.pipeline.instrument_counters(desk.ix)["rescales"] == 1
    assert (row["net"], row["volume"], row["prints"]) == ("11.25", "51.75", 2)


def test_inverse_contracts_are_summed_in_quote_coins():
    desk = Desk(lambda names: Flow(names), px_scale=2, qty_scale=0, contract="inverse", contract_value="100")
    desk.trade(1, "50000", 3)
    desk.tick(2, from_s=1)
    assert desk.streams[0].values(START + 2 * S)["classes"]["1h"]["retail"]["net"] == "300"
