"""Block trades: the venues' own, and prints over a threshold that follows the instrument."""

import json
import math
import random

import pytest
from cext.clock import Clock
from cext.outbox import Outbox
from cext.pipeline import Pipeline
from cext.streams.block_trades import BlockTrades
from cext.streams.trades import Trades
from cext.venues.bybit import BybitNormalizer

from tests.cext.streams.desk import MS, START, Desk, S, names
from tests.cext.streams.published import published

CHANNEL = "block_trades:venue:BTC-USDT"
PRINT_FIELDS = ("trade_id", "first_trade_id", "last_trade_id", "first_price", "last_price", "rows", "threshold", "threshold_reason")


def blocks(floor=0.0, share=0.999):
    return lambda called: BlockTrades(called, floor=floor, share=share)


def test_a_venues_own_block_word_by_word():
    desk = Desk(blocks(floor=1e12), Trades)
    data = {"e": "blockTrade", "E": START // MS + 261, "s": "BTCUSDT", "t": 582, "p": "61000.5", "q": "58.38", "T": START // MS, "m": True}
    desk.feed("blockTrade", data, 0.3)
    (event,) = desk.published()
    assert event["channel"] == CHANNEL and event["kind"] == "venue" and event["side"] == "sell"
    assert (event["price"], event["quantity"], event["quote_quantity"]) == ("61000.5", "58.38", "3561209.19")
    assert (event["ts_event"], event["ts_recv"]) == (START, START + 300 * MS)
    assert [event[name] for name in PRINT_FIELDS] == ["582", None, None, None, None, None, None, None]
    assert desk.pipeline.instrument_counters(0)["trades"] == 0, "its ids are none of the tape's"


def test_a_block_that_a_second_socket_tells_again_is_told_once():
    desk = Desk(blocks())
    data = {"e": "blockTrade", "E": START // MS, "s": "BTCUSDT", "t": 582, "p": "61000.5", "q": "58.38", "T": START // MS, "m": True}
    for own in (582, 582, 583):
        desk.feed("blockTrade", data | {"t": own}, 0.3)
    assert [event["trade_id"] for event in desk.published()] == ["582", "583"]
    assert desk.pipeline.instrument_counters(0)["repeated_blocks"] == 1


def test_a_block_in_the_tape_of_all_trades_is_a_block_and_no_print():
    outbox = Outbox(Clock(START), epoch=1)
    pipeline = Pipeline(market="venue_linear", exchange="venue", normalizer=BybitNormalizer(), outbox=outbox, clock=Clock(START), link="step",
                        rest_seeded=False, repeats_are_stale=True, restart_id=1)  # fmt: skip
    pipeline.add(venue_symbol=b"BTCUSDT", symbol="BTC-USDT", px_scale=4, qty_scale=5, tick=100, streams=[BlockTrades(names(), floor=1e9)])
    row = {
        "T": START // MS,
        "s": "BTCUSDT",
        "S": "Buy",
        "v": "500",
        "p": "60000",
        "i": "20f43950-d8dd-5b31-9112-a178eb6023af",
        "BT": True,
        "RPI": False,
    }
    frame = {"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": START // MS, "data": [row]}
    pipeline.feed_bytes(json.dumps(frame).encode(), START)
    pipeline.on_timer(START + S)
    (event,) = published(outbox)
    assert (event["kind"], event["side"], event["quote_quantity"], event["trade_id"]) == ("venue", "buy", "30000000", row["i"])


def test_the_fills_of_one_taker_are_one_print_with_its_mean_price():
    desk = Desk(blocks(floor=1000.0))
    desk.trade(1, "100", "4", own=10)
    desk.trade(1, "101", "5", own=11)
    desk.trade(1, "103", "1", own=12)
    desk.tick(1.05, from_s=1.0)
    (event,) = desk.published()
    assert event["kind"] == "print" and event["side"] == "buy" and event["ts_event"] == START + S
    assert (event["price"], event["quantity"], event["quote_quantity"]) == ("100.8", "10", "1008")
    assert [event[name] for name in PRINT_FIELDS] == [None, 10, 12, "100", "103", 3, 1000.0, "floor"]
    desk.trade(2, "100", "9.99", own=20)
    desk.tick(2.1)
    assert desk.published() == [], "999 are less than 1000"


@pytest.mark.parametrize("contract, value, contracts, quantity, quote", [
    ("linear", "0.1", "20", "2", "200"), ("inverse", "10", "20", "2", "200"),
])  # fmt: skip
def test_contracts(contract, value, contracts, quantity, quote):
    desk = Desk(blocks(floor=200.0), contract=contract, contract_value=value)
    desk.trade(1, "100", "20")
    desk.tick(1.05, from_s=1.0)
    (event,) = desk.published()
    assert (event["contracts"], event["quantity"], event["quote_quantity"]) == (contracts, quantity, quote)
    assert event.get("flags", []) == (["rounded"] if contract == "inverse" else [])


def test_without_a_floor_nothing_is_large_until_the_quantile_is_known():
    desk = Desk(blocks(share=0.99))
    for n in range(1, 101):
        desk.trade(n, "1", str(n))
    desk.tick(101, step_s=1, from_s=100.5)
    assert desk.published() == []
    desk.trade(102, "1", "98")  # of 100 sizes 1..100, the 99 % quantile is 99
    desk.trade(103, "1", "101")
    desk.tick(104, step_s=1)
    (event,) = desk.published()
    assert event["quote_quantity"] == "101" and event["threshold_reason"] == "quantile" and abs(event["threshold"] - 99) <= 99 / 64


def test_the_larger_of_floor_and_quantile_decides_and_is_named():
    for floor, reason in ((50.0, "quantile"), (1000.0, "floor")):
        desk = Desk(blocks(floor=floor, share=0.99))
        for n in range(1, 201):
            desk.trade(n, "1", str(n))
        desk.trade(202, "1", "5000")
        desk.tick(203, step_s=1, from_s=202.1)
        event = desk.published()[-1]
        assert event["quote_quantity"] == "5000" and event["threshold_reason"] == reason
        assert event["threshold"] == pytest.approx(1000 if reason == "floor" else 199, rel=1 / 64)


def test_of_heavy_tailed_sizes_the_quantiles_share_is_flagged():
    """Pareto sizes, threshold learned on the way: 1 - q of the prints are blocks, within three standard deviations."""
    n, share, chance = 40_000, 0.99, random.Random(11)
    desk = Desk(blocks(share=share), px_scale=2, qty_scale=6)
    for own in range(n):
        desk.trade(own * 0.05, "1", f"{chance.paretovariate(1.3):.4f}", own=2 * own)
    desk.tick(n, step_s=n, from_s=n * 0.05)
    flagged = len(desk.published())
    expected = n * (1 - share)
    # the threshold's own error of 1/64 moves the share by 1.3/64 of itself
    assert abs(flagged - expected) <= 3 * math.sqrt(expected) + expected * 1.3 / 64


def test_new_thresholds_forget_nothing():
    desk = Desk(blocks(share=0.99))
    for n in range(1, 201):
        desk.trade(n, "1", str(n))
    desk.tick(201, step_s=1, from_s=200.5)
    desk.published()
    desk.streams[0].configure(floor=0.0, share=0.5)
    desk.trade(202, "1", "150")
    desk.tick(203, step_s=1)
    (event,) = desk.published()
    assert event["threshold_reason"] == "quantile" and event["threshold"] == pytest.approx(100, rel=1 / 64)
    with pytest.raises(ValueError):
        desk.streams[0].configure(floor=-1.0, share=0.5)


def test_an_instrument_that_is_gone_leaves_no_print_behind():
    desk = Desk(blocks(floor=1.0))
    desk.trade(1, "100", "4")
    desk.pipeline.retire(desk.ix, START + S)
    desk.tick(2, from_s=1.0)
    assert desk.published() == []


def test_a_print_survives_a_rescale_on_its_way():
    desk = Desk(blocks(floor=100.0), px_scale=2, qty_scale=2)
    desk.trade(1, "100", "4", own=10)
    desk.trade(1, "100.125", "0.001", own=11)
    desk.tick(1.05, from_s=1.0)
    (event,) = desk.published()
    assert (event["quantity"], event["quote_quantity"], event["rows"], event["last_price"]) == ("4.001", "400.100125", 2, "100.125")
