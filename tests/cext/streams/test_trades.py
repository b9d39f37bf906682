"""Trades as published, and quantities of every kind of contract against exact fractions."""

import json
from decimal import Decimal
from fractions import Fraction

import pytest
from cext.clock import Clock
from cext.outbox import Outbox
from cext.pipeline import Pipeline
from cext.streams.candles import Candles
from cext.streams.trades import Trades
from cext.venues.bybit import BybitNormalizer
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cext.streams.desk import MS, START, Desk, S, names
from tests.cext.streams.published import published

CHANNEL = "trades:venue:BTC-USDT"


def test_a_spot_trade_word_by_word():
    desk = Desk(Trades)
    desk.trade(1.5, "61837.63", "0.02", buyer_is_maker=True, own=3735683259, recv_s=1.52)
    (event,) = desk.published()
    assert event["channel"] == CHANNEL and event["seq"] == 1 and event["conflated"] == 1
    assert (event["ts_event"], event["ts_recv"]) == (START + 1500 * MS, START + 1520 * MS)
    assert {name: event[name] for name in ("price", "quantity", "side", "buyer_is_maker", "trade_id", "first_trade_id", "last_trade_id")} == {
        "price": "61837.63", "quantity": "0.02", "side": "sell", "buyer_is_maker": True, "trade_id": "3735683259",
        "first_trade_id": 3735683259, "last_trade_id": 3735683259}  # fmt: skip
    assert event["off_book"] is False and event["block"] is False
    assert "contracts" not in event and "flags" not in event


def test_an_aggregate_names_its_fills():
    desk = Desk(Trades)
    desk.trade(1, "61837.63", "0.02", own=26129, first=27781, last=27790)
    (event,) = desk.published()
    assert (event["trade_id"], event["first_trade_id"], event["last_trade_id"]) == ("26129", 27781, 27790)
    assert (event["side"], event["buyer_is_maker"]) == ("buy", False)


def test_linear_contracts_by_hand():
    desk = Desk(Trades, px_scale=4, qty_scale=4, contract="linear", contract_value="0.1")
    desk.trade(1, "120.6", "391.07")
    (event,) = desk.published()
    assert (event["contracts"], event["quantity"], event["quote_quantity"]) == ("391.07", "39.107", "4716.3042")
    assert (event["contract_value"], event["contract_unit"]) == ("0.1", "base")
    assert "flags" not in event


def test_inverse_contracts_by_hand():
    desk = Desk(Trades, px_scale=3, qty_scale=2, contract="inverse", contract_value="100")
    desk.trade(1, "61837.6", "1")
    (event,) = desk.published()
    # 100 / 61837.6 = 0.00161713908...
    assert (event["contracts"], event["quantity"], event["quote_quantity"]) == ("1", "0.00161714", "100")
    assert (event["contract_value"], event["contract_unit"], event["flags"]) == ("100", "quote", ["rounded"])


def test_a_rounding_tie_goes_to_even():
    desk = Desk(Trades, px_scale=2, qty_scale=2, contract="inverse", contract_value="1")
    desk.trade(1, "80000000", "1")  # 1.25e-8
    desk.trade(1, "8000000", "3")  # 37.5e-8
    desk.trade(1, "8000000", "1")  # 12.5e-8
    assert [event["quantity"] for event in desk.published()] == ["0.00000001", "0.00000038", "0.00000012"]


@settings(max_examples=200)
@given(
    px=st.integers(1, 10**10), qty=st.integers(1, 10**10), value=st.sampled_from(["0.0001", "0.001", "0.01", "1", "10", "100", "10000000"]),
    px_scale=st.integers(0, 8), qty_scale=st.integers(0, 8), contract=st.sampled_from(["base", "linear", "inverse"]),
)  # fmt: skip
def test_quantities_are_exact_or_rounded_once(px, qty, value, px_scale, qty_scale, contract):
    if contract == "base":
        value = "1"
    price, amount = Decimal(px).scaleb(-px_scale), Decimal(qty).scaleb(-qty_scale)
    desk = Desk(Trades, px_scale=px_scale, qty_scale=qty_scale, tick=1, contract=contract, contract_value=value)
    desk.trade(1, f"{price:f}", f"{amount:f}")
    (event,) = desk.published()
    coins = Fraction(amount) * Fraction(value) / (Fraction(price) if contract == "inverse" else 1)
    if contract == "inverse":
        coins = Fraction(round(coins * 10**8), 10**8)  # Python rounds half to even
        if coins * 10**8 >= 2**63:
            assert event["quantity"] is None, "92 thousand million coins: unknown, not wrong"
            return
        assert Fraction(event["quote_quantity"]) == Fraction(amount) * Fraction(value)
    elif contract == "linear":
        assert Fraction(event["quote_quantity"]) == coins * Fraction(price)
    assert Fraction(event["price"]) == Fraction(price)
    assert event["quantity"] is not None and Fraction(event["quantity"]) == coins
    assert Fraction(event.get("contracts", event["quantity"])) == Fraction(amount)


@pytest.mark.parametrize("block, rpi", [(True, False), (False, True), (False, False)])
def test_block_trades_are_in_the_tape_and_not_in_the_candles(block, rpi):
    clock = Clock(START)
    outbox = Outbox(clock, epoch=1)
    pipeline = Pipeline(market="venue_linear", exchange="venue", normalizer=BybitNormalizer(), outbox=outbox, clock=clock, link="step",
                        rest_seeded=False, repeats_are_stale=True, restart_id=1)  # fmt: skip
    streams = [Trades(names()), Candles(names(), ["1s"], forming=False)]
    pipeline.add(venue_symbol=b"BTCUSDT", symbol="BTC-USDT", px_scale=4, qty_scale=5, tick=100, streams=streams)
    rows = [
        {"S": "Buy", "v": "0.5", "p": "100", "i": "20f43950-d8dd-5b31-9112-a178eb6023af", "BT": False, "RPI": False},
        {"S": "Sell", "v": "70", "p": "90", "i": "30f43950-d8dd-5b31-9112-a178eb6023af", "BT": block, "RPI": rpi},
    ]
    rows = [{"T": START // MS, "s": "BTCUSDT", **row} for row in rows]
    frame = json.dumps({"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": START // MS, "data": rows}).encode()
    assert pipeline.feed_bytes(frame, START) == "events"
    clock.set(START + 2 * S)
    pipeline.on_timer(START + 2 * S)
    first, second, candle = published(outbox)
    assert first["trade_id"] == "20f43950-d8dd-5b31-9112-a178eb6023af" and first["first_trade_id"] is None and first["off_book"] is False
    assert (second["off_book"], second["block"]) == (block or rpi, block)
    assert (candle["trades"], candle["low"], candle["volume"]) == ((1, "100", "0.5") if block else (2, "90", "70.5"))


def test_a_trade_finer_than_the_scale_is_published_exactly():
    desk = Desk(Trades, px_scale=2, qty_scale=2)
    desk.trade(1, "0.12345678", "0.0000001")
    (event,) = desk.published()
    assert (event["price"], event["quantity"]) == ("0.12345678", "0.0000001")


def test_the_channels_first_word_can_be_renamed():
    desk = Desk(lambda called: Trades(called, word="tape"))
    desk.trade(1, "1", "1")
    (event,) = desk.published()
    assert event["channel"] == "tape:venue:BTC-USDT"
