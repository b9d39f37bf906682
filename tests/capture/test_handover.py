"""What slow feeds tell to streams of the hot path: open interest to who infers stops, negotiated trades to who publishes them."""

import pytest
from cext.streams.block_trades import BlockTrades
from cext.streams.trades import Trades

from p9.capture.handover import hand_over
from p9.fact import Block, Funding, OpenInterest
from tests.cext.streams.desk import START, Desk, S
from tests.cext.streams.test_stop_triggers import UP, Market


def block(**said):
    return Block(**{"venue_symbol": "BTCUSDT", "at_ns": START - 900 * S, "id": "633971452580106242", "price": "61000.5", "quantity": "58.38", "side": "sell"} | said)


def told(*facts):
    desk = Desk(lambda names: BlockTrades(names, floor=1e12), Trades)
    desk.refused = hand_over(desk.pipeline, facts, START)
    return desk, desk.published()


def test_a_negotiated_trade_is_published_word_by_word_and_is_none_of_the_tape():
    desk, (event,) = told(block())
    assert event["channel"] == "block_trades:venue:BTC-USDT" and (event["kind"], event["trade_id"], event["side"]) == ("venue", "633971452580106242", "sell")
    assert (event["price"], event["quantity"], event["quote_quantity"]) == ("61000.5", "58.38", "3561209.19")
    assert (event["ts_event"], event["ts_recv"]) == (START - 900 * S, START)
    assert desk.pipeline.instrument_counters(0)["trades"] == 0


def test_one_that_a_new_subscription_tells_again_is_told_once_and_others_of_the_same_id_are_others():
    desk, events = told(block(), block(), block(id="a-1"), block(id="a-1"), block(id="7", side="buy", at_ns=None))
    assert [(event["trade_id"], event["side"], event["ts_event"]) for event in events] == [
        ("633971452580106242", "sell", START - 900 * S), ("a-1", "sell", START - 900 * S), ("7", "buy", None),
    ]  # fmt: skip
    assert desk.pipeline.instrument_counters(0)["repeated_blocks"] == 2


@pytest.mark.parametrize(
    "said",
    [
        {"venue_symbol": "ETHUSDT"}, {"price": "0"}, {"price": "-1"}, {"price": "1e400"}, {"price": "61000.00001"}, {"quantity": "0"}, {"quantity": "many"},
        {"quantity": "9" * 30}, {"id": ""}, {"id": "ü"}, {"id": 'x"y'}, {"id": "x" * 100}, {"at_ns": 2**70},
    ],
)  # fmt: skip
def test_what_does_not_fit_the_instrument_is_not_told(said):
    desk, events = told(block(**said))
    assert events == [] and desk.refused == (0 if "venue_symbol" in said else 1)


def test_open_interest_that_falls_makes_a_run_of_stops_surer():
    confident = {}
    for name, figures in {"nobody said": (), "fell": ((11, "1000"), (13, "992")), "rose": ((11, "1000"), (13, "1012"))}.items():
        market = Market(confidence=0.0)
        for at_s, contracts in figures:
            hand_over(market.pipeline, [Funding(venue_symbol="BTCUSDT", rate="1"), OpenInterest(venue_symbol="BTCUSDT", at_ns=START + at_s * S, contracts=contracts)], START)
        hand_over(market.pipeline, [OpenInterest(venue_symbol="BTCUSDT", contracts=None), OpenInterest(venue_symbol="ELSE", contracts="1")], START + 20 * S)
        market.run("buy", UP)
        (event,) = market.told()
        confident[name] = event["confidence"], event["open_interest_change"]
    assert confident["nobody said"][1] is None and confident["fell"][1] == -8 and confident["rose"][1] == 12
    assert confident["rose"][0] < confident["nobody said"][0] < confident["fell"][0]
