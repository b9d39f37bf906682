"""Order-flow imbalance against its formula: by vectors, by the authors' stylised book, on random books and on real ones."""

import numpy as np
import pytest
from cext.streams.flow import Flow
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cext.streams.desk import START, Desk, S
from tests.reference import ofi as reference

WINDOWS = {"1s": 1, "10s": 10, "1m": 60}


def desk_of(**settings) -> Desk:
    return Desk(lambda names: Flow(names, every_ns=10_000_000, **settings))


def ofi(desk: Desk, at_s: float) -> dict:
    return desk.streams[0].values(START + round(at_s * S))["ofi"]


def test_analytics_4_2_vector():
    """100x10 / 101x10 -> bid 14 (+4) -> ask 7 (+3) -> ask lifts to 102x5 (+7) -> bid 101x6 (+6) -> bid back to 100x14 (-6): 14."""
    desk = desk_of()
    desk.synced([["100", "10"]], [["101", "10"]])
    sums = []
    for n, (bids, asks) in enumerate(
        [([["100", "14"]], []), ([], [["101", "7"]]), ([], [["101", "0"], ["102", "5"]]), ([["101", "6"]], []), ([["101", "0"]], [])]
    ):
        desk.depth(101 + n, 101 + n, bids, asks, at_s=0.1 * (n + 1))
        sums.append(ofi(desk, 0.1 * (n + 1))["1s"]["ofi"])
    assert sums == [4, 7, 14, 20, 14]
    row = ofi(desk, 0.5)["1s"]
    depth = np.mean([(14 + 10) / 2, (14 + 7) / 2, (14 + 5) / 2, (6 + 5) / 2, (14 + 5) / 2])
    assert (row["changes"], row["depth"]) == (5, pytest.approx(depth, rel=1e-8))
    assert row["normalised"] == row["levels"][0] == pytest.approx(14 / (2 * depth), rel=1e-8)


CAP = 100


def stylised(runs: int, events: int, seed: int) -> np.ndarray:
    """The authors' book, `runs` times: at most CAP at the touch, CAP at every deeper level, prices move by a tick. [what, event, run], where what is
    bid price, bid size, ask price, ask size."""
    draw = np.random.default_rng(seed)
    px, qty = np.array([[1000] * runs, [1003] * runs]), draw.integers(1, CAP + 1, (2, runs))
    told = [np.stack([px[0], qty[0], px[1], qty[1]])]
    for _ in range(events):
        side, size, adds = draw.integers(0, 2, runs), draw.integers(1, 61, runs), draw.random(runs) < 0.5
        for n, inward in ((0, 1), (1, -1)):
            ours, full = side == n, qty[n] == CAP
            steps_in = ours & adds & full & (px[1] - px[0] > 1)
            steps_out = ours & ~adds & (qty[n] <= size)
            qty[n] = np.select(
                [steps_in, ours & adds, steps_out, ours & ~adds], [size, np.where(full, CAP, np.minimum(qty[n] + size, CAP)), CAP, qty[n] - size], qty[n]
            )
            px[n] += inward * (steps_in.astype(int) - steps_out.astype(int))
        told.append(np.stack([px[0], qty[0], px[1], qty[1]]))
    return np.stack(told, axis=1)


def test_analytics_4_2_the_identity_of_the_stylised_book_holds_in_2000_runs_of_300_events():
    """OFI = D(dPb + dPa) + dqb - dqa without a violation, so that the mid moves by OFI / 2D to a tick at most."""
    bid_px, bid, ask_px, ask = stylised(2000, 300, seed=1).astype(float)
    total = reference.contributions(bid_px, bid, ask_px, ask).cumsum(axis=0)
    moved = (bid_px + ask_px)[1:] - (bid_px + ask_px)[0]
    np.testing.assert_array_equal(total, CAP * moved + (bid - ask)[1:] - (bid - ask)[0])
    assert 0.5 < np.abs(moved / 2 - total / (2 * CAP)).max() <= 1
    assert np.ptp(moved) > 10, "prices moved"


@pytest.mark.parametrize("seed", range(5))
def test_analytics_4_2_the_identity_of_the_stylised_book_holds_in_the_stream(seed):
    bid_px, bid, ask_px, ask = stylised(1, 300, seed)[:, :, 0].tolist()
    desk = desk_of()
    desk.synced(
        [[str(bid_px[0] - n), str(CAP if n else bid[0])] for n in range(200)], [[str(ask_px[0] + n), str(CAP if n else ask[0])] for n in range(200)]
    )
    for n in range(1, 301):
        bids, asks = [[str(bid_px[n]), str(bid[n])]], [[str(ask_px[n]), str(ask[n])]]
        bids += [[str(bid_px[n - 1]), "0"]] if bid_px[n] < bid_px[n - 1] else []
        asks += [[str(ask_px[n - 1]), "0"]] if ask_px[n] > ask_px[n - 1] else []
        desk.depth(100 + n, 100 + n, bids, asks, at_s=0.1 * n)
    assert ofi(desk, 30)["1m"]["ofi"] == CAP * (bid_px[-1] + ask_px[-1] - bid_px[0] - ask_px[0]) + bid[-1] - bid[0] - ask[-1] + ask[0]


@st.composite
def changes(draw):
    """Books that change: (ms of the change, bids, asks) with a crossed one never; the whole sides each time, as maps."""
    middle = 100
    at, rows = 0, []
    for _ in range(draw(st.integers(2, 25))):
        at += draw(st.sampled_from([0, 10, 40, 130, 900, 2_500, 11_000]))
        middle += draw(st.sampled_from([0, 0, 0, 1, -1]))
        sides = [
            {middle + sign * distance: draw(st.integers(1, 50)) for distance in draw(st.lists(st.integers(1, 6), max_size=4, unique=True))} for sign in (-1, 1)
        ]
        rows.append((at, *sides))
    return rows


def ladder(side: dict[int, int], bids: bool, levels: int):
    return reference.padded(sorted(side.items(), reverse=bids), levels, -np.inf if bids else np.inf)


def check(desk: Desk, at_ns: list[int], books: list[tuple], now_ns: int, levels: int) -> None:
    """Every window of the stream against the formula."""
    arrays = tuple(np.array([book[part] for book in books]) for part in range(4))
    row = desk.streams[0].values(now_ns)["ofi"]
    for name, window_s in WINDOWS.items():
        n, flow, depth = reference.window(np.array(at_ns), arrays, window_s, now_ns)
        assert row[name]["changes"] == n
        assert row[name]["ofi"] == pytest.approx(flow[0], rel=1e-8, abs=1e-9)
        assert row[name]["depth"] == (pytest.approx(depth[0], rel=1e-8) if n else None)
        expected = [0.0 if n == 0 else (e / (2 * d) if d > 0 else None) for e, d in zip(flow, depth, strict=True)]
        assert row[name]["levels"] == [None if value is None else pytest.approx(value, rel=1e-8, abs=1e-9) for value in expected[:levels]]


@settings(max_examples=30)
@given(changes(), st.sampled_from([1, 3, 10]))
def test_analytics_4_2_the_stream_is_the_formula_at_every_step_at_every_level(rows, levels):
    desk = desk_of(ofi_levels_n=levels)
    at, bids, asks = rows[0]
    desk.synced([[str(px), str(qty)] for px, qty in bids.items()], [[str(px), str(qty)] for px, qty in asks.items()])
    before = [bids, asks]
    books = [(*ladder(bids, True, levels), *ladder(asks, False, levels))]
    times = [START]
    for n, (at, *sides) in enumerate(rows[1:]):
        sent = [
            [[str(px), str(now.get(px, 0))] for px in {**was, **now} if was.get(px) != now.get(px)] for was, now in zip(before, sides, strict=True)
        ]
        desk.depth(101 + n, 101 + n, *sent, at_s=at / 1000)
        before = sides
        books.append((*ladder(sides[0], True, levels), *ladder(sides[1], False, levels)))
        times.append(START + at * 1_000_000)
        check(desk, times, books, START + at * 1_000_000, levels)
        check(desk, times, books, START + (at + 850) * 1_000_000, levels)


def test_a_lost_book_takes_its_flow_along():
    desk = desk_of()
    desk.synced([["100", "10"]], [["101", "10"]])
    desk.depth(101, 101, [["100", "14"]], at_s=1)
    desk.tick(1.5)
    assert desk.published()[-1]["ofi"]["10s"]["ofi"] == 4
    desk.depth(150, 150, [["100", "20"]], at_s=2)
    desk.tick(2.1)
    event = desk.published()[-1]
    assert (event["ofi"], event["ofi_since"]) == (None, None)
    desk.synced([["100", "50"]], [["101", "1"]], last_id=200, at_s=3)
    desk.tick(3.1)
    event = desk.published()[-1]
    assert (event["ofi"]["1m"]["changes"], event["ofi"]["1m"]["normalised"], event["ofi_since"]) == (0, 0, START + 3 * S), "nobody saw what lies between"


def test_a_rescale_is_no_flow():
    desk = Desk(lambda names: Flow(names), px_scale=2, qty_scale=2, tick=1)
    desk.synced([["100", "10"]], [["101", "10"]])
    desk.depth(101, 101, [["100", "12"]], at_s=0.1)
    desk.depth(102, 102, [["100", "12.1234"]], [["101.0025", "3"]], at_s=0.2)
    assert desk.pipeline.instrument_counters(desk.ix)["rescales"] == 1
    assert ofi(desk, 0.3)["1s"]["ofi"] == pytest.approx(2.1234)


def test_contracts_are_counted_in_coins():
    desk = Desk(lambda names: Flow(names), contract="linear", contract_value="0.01")
    desk.synced([["100", "10"]], [["101", "10"]])
    desk.depth(101, 101, [["100", "14"]], at_s=0.1)
    assert ofi(desk, 0.2)["1s"]["ofi"] == pytest.approx(0.04)
