"""Candles are what the tape says, added up another way."""

import itertools
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction

from p9.simulate.binance_streams import PERIODS
from p9.simulate.catalogue import listings
from p9.simulate.index import Index
from p9.simulate.instrument import Instrument

START_MS = 1_795_532_005_000


def played(market: str, symbol: str, seconds: int) -> Instrument:
    listing = next(row for row in listings(market, 4, START_MS) if row.symbol == symbol)
    index = Index("1", START_MS * 1_000_000, float(listing.price))
    one = Instrument(listing, index, "1", START_MS * 1_000_000, 60.0, (1,), 1)
    for second in range(seconds + 1):
        one.step((START_MS + second * 1000) * 1_000_000)
    return one


def test_minutes_hold_exactly_their_trades():
    one = played("binance_usdm", "BTCUSDT", 150)
    minutes = defaultdict(list)
    for fill in one.fills_from(one.past.first_fill(one.past.order_at(START_MS // 60_000 * 60_000)), 100_000):
        minutes[fill.at_ns // 60_000_000_000 * 60_000].append(fill)
    bars = one.candles.between(PERIODS["1m"], START_MS, START_MS + 150_000)
    assert [bar.open_ms for bar in bars] == sorted(minutes) and len(bars) >= 3
    for bar in bars:
        fills = minutes[bar.open_ms]
        ticks = [fill.tick for fill in fills]
        assert (bar.open, bar.high, bar.low, bar.close) == (ticks[0], max(ticks), min(ticks), ticks[-1])
        assert (bar.first_id, bar.last_id, bar.count) == (fills[0].id, fills[-1].id, len(fills))
        assert bar.lots == sum(fill.lots for fill in fills)
        assert bar.buy_lots == sum(fill.lots for fill in fills if not fill.buyer_is_maker)
        # 0.10 dollars a tick, 0.001 coins a lot
        assert Fraction(bar.value) == sum(Fraction(fill.tick, 10) * Fraction(fill.lots, 1000) for fill in fills)


def test_longer_bars_are_the_sum_of_shorter_ones_and_quiet_ones_repeat_the_close():
    one = played("binance_spot", "BTCUSDT", 130)
    end = START_MS + 600_000
    minutes = one.candles.between(PERIODS["1m"], START_MS, end)
    quiet = [bar for bar in minutes if not bar.count]
    assert quiet and all(bar.open == bar.close == minutes[2].close and bar.first_id == -1 for bar in quiet)
    hour = one.candles.between(PERIODS["1h"], START_MS, end)
    minutes = one.candles.between(PERIODS["1m"], hour[0].open_ms, end)
    assert sum(bar.lots for bar in hour) == sum(bar.lots for bar in minutes)
    assert hour[-1].close == minutes[-1].close and sum(bar.count for bar in hour) == sum(bar.count for bar in minutes)


def test_an_inverse_contract_counts_coins():
    one = played("binance_coinm", "BTCUSD_PERP", 30)
    bars = one.candles.between(PERIODS["1m"], START_MS - 3_600_000, START_MS + 30_000)
    fills = one.fills_from(bars[0].first_id, 100_000)
    coins = sum((Decimal(100 * fill.lots) / (Decimal(fill.tick) / 10)).quantize(Decimal("1e-8")) for fill in fills)
    assert sum(bar.value for bar in bars) == coins and len(bars) == 61


def test_the_past_joins_the_present():
    one = played("binance_spot", "ETHUSDT", 5)
    bars = one.candles.between(PERIODS["1m"], START_MS - 10 * 60_000, START_MS + 5_000)
    assert len(bars) == 11
    for before, after in itertools.pairwise(bars):
        assert after.open_ms == before.open_ms + 60_000
        assert after.first_id == before.last_id + 1
    assert bars[-1].first_id < one.model.first_trade_id < bars[-1].last_id, "the start lies within a minute"
    seconds = one.candles.between(PERIODS["1s"], bars[-1].open_ms, START_MS + 5_000)
    assert sum(bar.count for bar in seconds) == bars[-1].count and seconds[-1].close == bars[-1].close


def test_weeks_open_on_monday_and_months_on_the_first():
    monday = 1_795_392_000_000  # 2026-11-23
    assert PERIODS["1w"].opens(START_MS) == monday
    november, december = 1_793_491_200_000, 1_796_083_200_000
    assert PERIODS["1M"].opens(START_MS) == november and PERIODS["1M"].closes(november) == december
    assert PERIODS["1M"].closes(1_798_761_600_000) == 1_801_440_000_000  # January 2027 to February
