"""The rolling day against the same figures added up anew from the candles."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from p9.simulate.bar import DAY_MS
from p9.simulate.binance_streams import PERIODS
from p9.simulate.candles import MINUTE_MS, Candles
from p9.simulate.day import Day, Figures
from p9.simulate.market import Fill
from p9.simulate.past import Past
from p9.simulate.path import Path

START_MS = 1_795_532_005_000


def begun() -> Candles:
    def value_of(tick: int, lots: int) -> Decimal:
        return Decimal(tick) * lots / 10

    past = Past("1", Path("1", 100.0), START_MS, tick=0.1, premium=0.0, lot=5, id_offset=0, first_turn_id=0, value_of=value_of)
    return Candles(past, value_of)


def added_up(candles: Candles, now_ms: int) -> Figures:
    first_ms = (now_ms - DAY_MS) // MINUTE_MS * MINUTE_MS + MINUTE_MS
    bars = candles.between(PERIODS["1m"], first_ms, now_ms)
    traded = [bar for bar in bars if bar.count]
    return Figures(
        bars[0].open, max(bar.high for bar in bars), min(bar.low for bar in bars), bars[-1].close, sum(bar.lots for bar in bars),
        sum((bar.value for bar in bars), Decimal(0)), sum(bar.count for bar in bars),
        traded[0].first_id if traded else -1, traded[-1].last_id if traded else -1, first_ms,
    )  # fmt: skip


@settings(max_examples=10)
@given(st.lists(st.tuples(st.sampled_from([3, 40, 61, 900, 40_000, 100_000]), st.integers(-40, 40), st.integers(1, 9)), min_size=1, max_size=25))
def test_a_window_that_rolls_is_the_window_added_up(steps):
    """Trades some seconds to more than a day apart; asked after each, and once in a quiet minute."""
    candles = begun()
    day, now_ms, tick = Day(candles), START_MS, 1_000
    assert day.at(now_ms) == added_up(candles, now_ms)
    for number, (pause_s, move, lots) in enumerate(steps):
        now_ms, tick = now_ms + pause_s * 1_000, max(1, tick + move)
        candles.add(Fill(500_000 + number, tick, lots, bool(move & 1), now_ms * 1_000_000, number))
        assert day.at(now_ms) == added_up(candles, now_ms)
        if pause_s > 60:
            now_ms += 90_000
            assert day.at(now_ms) == added_up(candles, now_ms)


def test_a_price_of_the_past_is_the_open_of_its_minute():
    candles = begun()
    for second, tick in ((10, 1_001), (70, 1_005), (400, 1_009)):
        candles.add(Fill(500_000 + second, tick, 1, False, (START_MS + second * 1_000) * 1_000_000, second))
    bars = {bar.open_ms: bar for bar in candles.between(PERIODS["1m"], START_MS - DAY_MS, START_MS + 500_000)}
    assert len(bars) > 1_440
    for open_ms, bar in bars.items():
        assert candles.price_at(open_ms + 59_999) == bar.open, open_ms
