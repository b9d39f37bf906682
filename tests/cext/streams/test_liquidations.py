"""Liquidations as published: of each venue by hand, every kind of contract against exact fractions, repeats, and books that notice nothing."""

import json
from decimal import Decimal
from fractions import Fraction

import pytest
from cext.clock import Clock
from cext.outbox import Outbox
from cext.pipeline import Pipeline
from cext.streams.liquidations import Liquidations
from cext.venues.binance.normalizer import BinanceNormalizer
from cext.venues.bybit import BybitNormalizer
from cext.venues.okx import OkxNormalizer
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cext.streams.desk import MS, START, names
from tests.cext.streams.published import published

AT_MS = START // MS


class Desk:
    """One instrument, BTCUSDT, of one venue."""

    def __init__(self, venue: str, *, px_scale=3, qty_scale=5, contract="base", contract_value="1"):
        normalizer = {"binance": BinanceNormalizer, "bybit": BybitNormalizer, "okx": OkxNormalizer}[venue]()
        self.outbox = Outbox(Clock(START), epoch=1)
        self.pipeline = Pipeline(market="venue_line", exchange="venue", normalizer=normalizer, outbox=self.outbox, clock=Clock(START), link="next",
                                 rest_seeded=True, repeats_are_stale=True)  # fmt: skip
        self.stream = Liquidations(names())
        self.pipeline.add(venue_symbol=b"BTCUSDT", symbol="BTC-USDT", px_scale=px_scale, qty_scale=qty_scale, tick=100, contract=contract,
                          contract_value=contract_value, aliases=[b"btcusdt"], streams=[self.stream])  # fmt: skip

    def feed(self, frame, at_ns: int = START) -> str:
        return self.pipeline.feed_bytes(json.dumps(frame, separators=(",", ":")).encode(), at_ns)

    def told(self) -> list[dict]:
        return published(self.outbox)

    @property
    def counters(self) -> dict[str, int]:
        return self.pipeline.instrument_counters(0)


def binance(side="SELL", price="64500.55", order="64000.1", qty="4.5", at_ms=AT_MS - 1000):
    order = {"s": "BTCUSDT", "S": side, "o": "LIMIT", "f": "IOC", "q": "5", "p": order, "ap": price, "X": "FILLED", "l": "1", "z": qty, "T": at_ms}
    return {"stream": "btcusdt@forceOrder", "data": {"e": "forceOrder", "E": AT_MS, "o": order}}


def bybit(*rows):
    rows = [{"T": AT_MS - at, "s": "BTCUSDT", "S": side, "v": qty, "p": price} for side, price, qty, at in rows]
    return {"topic": "allLiquidation.BTCUSDT", "type": "snapshot", "ts": AT_MS, "data": rows}


def okx(*details):
    details = [
        {"bkLoss": "0", "bkPx": px, "ccy": "", "posSide": position, "side": side, "sz": sz, "ts": str(AT_MS - 9)}
        for side, position, px, sz in details
    ]
    row = {"details": details, "instFamily": "BTC-USDT", "instId": "BTCUSDT", "instType": "SWAP", "uly": "BTC-USDT"}
    return {"arg": {"channel": "liquidation-orders", "instType": "SWAP"}, "data": [row]}


def some(event: dict, *fields: str) -> tuple:
    return tuple(event[field] for field in fields)


def test_a_sampled_order_with_its_average_price():
    desk = Desk("binance")
    assert desk.feed(binance(), START + 7 * MS) == "events"
    (event,) = desk.told()
    assert event["channel"] == "liquidations:venue:BTC-USDT" and event["type"] == "liquidations" and event["flags"] == ["sampled"]
    assert some(event, "ts_event", "ts_recv") == (START - 1000 * MS, START + 7 * MS)
    assert some(event, "side", "position", "venue_side") == ("sell", "long", "SELL")
    assert some(event, "price", "price_type", "order_price", "bankruptcy_price") == ("64500.55", "average", "64000.1", None)
    assert some(event, "quantity", "quote_quantity") == ("4.5", "290252.475")
    assert "contracts" not in event
    desk.feed(binance(side="BUY"))
    assert some(desk.told()[0], "side", "position") == ("buy", "short")


def test_an_order_whose_fills_have_no_average_has_the_price_that_it_asked_for():
    desk = Desk("binance")
    desk.feed(binance(price="0"))
    (event,) = desk.told()
    assert some(event, "price", "price_type", "order_price", "bankruptcy_price") == ("64000.1", "ordered", "64000.1", None)


def test_where_the_venue_tells_the_side_of_the_position_ours_is_still_the_order_s():
    desk = Desk("bybit")
    desk.feed(bybit(("Buy", "64000.5", "0.25", 300), ("Sell", "65000", "1", 200)))
    first, second = desk.told()
    assert some(first, "side", "position", "venue_side") == ("sell", "long", "Buy")
    assert some(second, "side", "position", "venue_side") == ("buy", "short", "Sell")
    assert some(first, "price", "price_type", "bankruptcy_price", "order_price") == ("64000.5", "bankruptcy", "64000.5", None)
    assert some(first, "quantity", "quote_quantity") == ("0.25", "16000.125") and "flags" not in first, "all of them are told here"
    assert (first["seq"], second["seq"]) == (1, 2)


def test_contracts_of_a_linear_one_by_hand():
    desk = Desk("okx", contract="linear", contract_value="0.01")
    desk.feed(okx(("sell", "long", "82655.7", "8.55")))
    (event,) = desk.told()
    assert some(event, "side", "position", "contracts", "quantity", "quote_quantity") == ("sell", "long", "8.55", "0.0855", "7067.06235")
    assert some(event, "contract_value", "contract_unit", "flags") == ("0.01", "base", ["sampled"])


def test_contracts_of_an_inverse_one_by_hand():
    desk = Desk("okx", contract="inverse", contract_value="100")
    desk.feed(okx(("buy", "short", "82655.7", "8")))
    (event,) = desk.told()
    # 800 / 82655.7 = 0.00967870...
    assert some(event, "contracts", "quantity", "quote_quantity") == ("8", "0.0096787", "800")
    assert sorted(event["flags"]) == ["rounded", "sampled"]


@settings(max_examples=150)
@given(
    st.integers(1, 10**12), st.integers(0, 12), st.integers(1, 10**9), st.integers(0, 9), st.sampled_from(["base", "linear", "inverse"]),
    st.sampled_from(["1", "0.01", "100"]),
)  # fmt: skip
def test_numbers_are_exact_however_fine_and_the_instrument_is_never_rescaled(px, px_places, qty, qty_places, contract, value):
    value = "1" if contract == "base" else value
    price, amount = Decimal(px).scaleb(-px_places), Decimal(qty).scaleb(-qty_places)
    desk = Desk("bybit", contract=contract, contract_value=value)
    assert desk.feed(bybit(("Buy", f"{price:f}", f"{amount:f}", 1))) == "events"
    (event,) = desk.told()
    assert desk.counters["rescales"] == 0
    assert Fraction(event["price"]) == Fraction(price) and Fraction(event.get("contracts", event["quantity"])) == Fraction(amount)
    quote = Fraction(amount) * Fraction(value) * (1 if contract == "inverse" else Fraction(price))
    assert event["quote_quantity"] is None or Fraction(event["quote_quantity"]) == quote
    if contract == "inverse":
        coins = Fraction(round(Fraction(amount) * Fraction(value) / Fraction(price) * 10**8), 10**8)
        assert event["quantity"] is None or Fraction(event["quantity"]) == coins
    else:
        assert Fraction(event["quantity"]) == Fraction(amount) * Fraction(value)
        assert event["quote_quantity"] is not None


def test_what_a_second_socket_tells_again_is_told_once_and_two_alike_in_one_frame_are_two():
    desk = Desk("bybit")
    frame = bybit(("Buy", "64000.5", "0.25", 300), ("Buy", "64000.5", "0.25", 300), ("Sell", "64000.5", "0.25", 300))
    for _ in range(3):
        desk.feed(frame, START + 5 * MS)
    assert len(desk.told()) == 3
    assert (desk.counters["liquidations"], desk.counters["repeated_liquidations"]) == (3, 6)
    desk.feed(bybit(("Buy", "64000.5", "0.25", 299)))
    assert len(desk.told()) == 1, "another millisecond is another one"


def test_a_minute_later_the_same_is_not_a_repeat():
    desk = Desk("okx")
    desk.feed(okx(("sell", "long", "82655.7", "8.55")), START)
    desk.feed(okx(("sell", "long", "82655.7", "8.55")), START + 59 * 1000 * MS)
    desk.feed(okx(("sell", "long", "82655.7", "8.55")), START + 122 * 1000 * MS)
    assert len(desk.told()) == 2


def test_more_in_a_burst_than_are_remembered_are_all_told():
    desk = Desk("bybit")
    desk.feed(bybit(*(("Buy", f"{n}.5", "1", 1) for n in range(1, 3001))))
    assert len(desk.told()) == 3000


@pytest.mark.parametrize("frame", [
    {"topic": "allLiquidation.BTCUSDT", "type": "snapshot", "ts": 1, "data": [{"T": 1, "s": "BTCUSDT", "S": "Buy", "v": "x", "p": "1"}]},
    {"topic": "allLiquidation.BTCUSDT", "type": "snapshot", "ts": 1, "data": None},
    {"topic": "allLiquidation.BTCUSDT", "type": "snapshot", "ts": 1},
])  # fmt: skip
def test_a_frame_that_cannot_be_read_is_counted_and_costs_the_book_nothing(frame):
    desk = Desk("bybit")
    book = {"s": "BTCUSDT", "b": [["100", "1"]], "a": [["101", "1"]], "u": 1, "seq": 5}
    pipeline = Pipeline(market="venue_line", exchange="venue", normalizer=BybitNormalizer(), outbox=desk.outbox, clock=Clock(START), link="step",
                        rest_seeded=False, repeats_are_stale=True, restart_id=1)  # fmt: skip
    pipeline.add(venue_symbol=b"BTCUSDT", symbol="X", px_scale=2, qty_scale=2)
    topic = {"topic": "orderbook.50.BTCUSDT", "type": "snapshot", "ts": AT_MS, "data": book, "cts": AT_MS}
    assert pipeline.feed_bytes(json.dumps(topic).encode(), START) == "events"
    assert pipeline.feed_bytes(json.dumps(frame).encode(), START) == "malformed"
    assert pipeline.states() == ["synced"] and pipeline.counters()["malformed"] == 1
    assert pipeline.instrument_counters(0)["lost_frames"] == 0
    assert pipeline.take_delays() == {}, "nothing is concluded from how long a liquidation took"


def test_a_liquidation_says_nothing_about_the_road():
    desk = Desk("binance")
    desk.feed(binance(at_ms=AT_MS - 5000))
    assert desk.pipeline.take_delays() == {}
