"""The past is a function of the seed and the time: the same from wherever it is looked at, and of one piece."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p9.simulate.bar import DAY_MS
from p9.simulate.index import Index
from p9.simulate.past import DAYS, Past
from p9.simulate.path import CELL_MS, Path

START_MS = 1_795_532_005_321


def past(start_ms: int = START_MS, value_of=lambda tick, lots: Decimal(tick) * lots / 1000) -> Past:
    return Past("7 BTC", Path("7", 86_000.0), start_ms, tick=0.1, premium=1e-4, lot=29, id_offset=3_000_009, first_turn_id=10**12, value_of=value_of)


@settings(max_examples=60)
@given(st.integers(-20 * DAY_MS, -1), st.integers(1, 400))
def test_fills_are_the_same_from_wherever_they_are_asked_for(back_ms, limit):
    one = past()
    order = one.order_at(START_MS + back_ms)
    fills = one.fills(one.first_fill(order), limit)
    for before, after in pairwise(fills):
        assert after.id == before.id + 1 and after.at_ns >= before.at_ns and after.turn_id >= before.turn_id
    assert all(START_MS + back_ms <= fill.at_ns // 10**6 < START_MS and fill.lots > 0 and fill.tick > 0 for fill in fills)
    if fills:
        middle = fills[len(fills) // 2]
        assert past().fills(middle.id, 1) == [middle] and one.order_of(middle.id) == middle.turn_id - 10**12 + one.end
        assert past(START_MS + 3 * DAY_MS).fills(middle.id, 1)[0]._replace(turn_id=0) == middle._replace(turn_id=0), "of another start too"


def test_its_end_is_the_start_and_its_beginning_a_whole_day():
    one = past()
    newest = one.newest(5)
    assert newest[-1].id == one.next_trade_id - 1 and newest[-1].at_ns < START_MS * 10**6
    assert one.fills(one.next_trade_id, 10) == [] and one.order_at(START_MS + DAY_MS) == one.end
    oldest = one.fills(0, 3)
    assert oldest[0].id == one.first_fill(one.first_order) and oldest[0].at_ns // 10**6 >= one.first_ms
    assert one.first_ms % DAY_MS == 0 and START_MS - one.first_ms >= DAYS * DAY_MS


@pytest.mark.parametrize("inverse", [False, True])
def test_bars_are_the_sums_of_their_fills(inverse):
    def value_of(tick: int, lots: int) -> Decimal:
        return (Decimal(100 * lots) / tick).quantize(Decimal("1e-8")) if inverse else Decimal(tick) * lots / 1000

    one = past(value_of=value_of)
    open_ms = START_MS // 3_600_000 * 3_600_000 - 3_600_000
    for at, length in ((open_ms, 60_000), (open_ms + 60_000, 1_000), (open_ms, 3_600_000), (open_ms, 7_200_000)):
        fills = [fill for fill in one.newest(1_000) if at <= fill.at_ns // 10**6 < at + length]
        bar = one.bar(at, length)
        if not fills:
            assert bar is None
            continue
        assert (bar.open, bar.close, bar.high, bar.low) == (
            fills[0].tick, fills[-1].tick, max(fill.tick for fill in fills), min(fill.tick for fill in fills),
        )  # fmt: skip
        assert (bar.first_id, bar.last_id, bar.count, bar.lots) == (fills[0].id, fills[-1].id, len(fills), sum(fill.lots for fill in fills))
        assert bar.value == sum(value_of(fill.tick, fill.lots) for fill in fills)
        bought = [fill for fill in fills if not fill.buyer_is_maker]
        assert (bar.buy_lots, bar.buy_value) == (sum(fill.lots for fill in bought), sum((value_of(fill.tick, fill.lots) for fill in bought), Decimal(0)))


def test_the_path_has_no_edges_and_stays_where_it_belongs():
    path = Path("1", 100.0)
    first = START_MS // CELL_MS
    prices = [path.cell(first + i) for i in range(3_000)]
    assert max(abs(after / before - 1) for before, after in pairwise(prices)) < 0.004, "across the blocks too"
    assert min(path.cell(first + i * 5_760) for i in range(300)) > 0 and max(path.cell(first + i * 5_760) for i in range(300)) < 120
    assert path.at(first * CELL_MS + CELL_MS // 2) == pytest.approx((prices[0] + prices[1]) / 2)


def test_an_index_goes_on_where_its_past_ends_and_its_minutes_hold_both():
    index = Index("1", START_MS * 10**6, 100.0)
    now = index.at(START_MS * 10**6)
    assert now == index.path.at(START_MS)
    index.at((START_MS + 120_000) * 10**6)
    minute = START_MS // 60_000 * 60_000
    bars = [index.bar(minute + i * 60_000, 60_000) for i in range(-3, 2)]
    assert all(low <= min(opened, closed) and max(opened, closed) <= high for opened, high, low, closed in bars)
    assert bars[3][0] == index.path.cell(minute // CELL_MS) and bars[3][1] >= now >= bars[3][2]
    whole = index.bar(minute - 180_000, 300_000)
    assert whole == (bars[0][0], max(bar[1] for bar in bars), min(bar[2] for bar in bars), bars[-1][3])
    assert index.bar(minute + 600_000, 60_000) is None
