"""Cumulative volume delta against its definition, against candles, and against the candles of the simulated venues."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from cext.grid import SECONDS
from cext.streams.candles import Candles
from cext.streams.cvd import Cvd
from hypothesis import given, settings
from hypothesis import strategies as st

from p9.simulate.binance_streams import PERIODS
from p9.simulate.catalogue import listings
from p9.simulate.index import Index
from p9.simulate.instrument import Instrument
from tests.cext.streams.desk import START, START_S, Desk, S
from tests.reference import cvd as reference

CHANNEL = "cvd:venue:BTC-USDT"
QUOTE = {"delta": "quote_delta", "previous_delta": "previous_quote_delta", "rolling": "quote_rolling", "session": "quote_session"}
FAST = 10_000_000  # ns: at every tick of these tests


def fine(names):
    return Cvd(names, every_ns=FAST)


def told(text: str | None) -> Fraction | None:
    return None if text is None else Fraction(text)


def rounded(exact: Fraction | None, contract: str) -> Fraction | None:
    """Base coins as published: of inverse contracts half-even to 8 decimals."""
    return Fraction(round(exact * 10**8), 10**8) if contract == "inverse" and exact is not None else exact


@st.composite
def tapes(draw):
    """Trades with the delay of each: (at ms, price, quantity, sign, received ms), in the order of arrival."""
    n = draw(st.integers(1, 30))
    scale = draw(st.sampled_from([1, 1, 40]))
    times = [draw(st.integers(0, 5_000)) * scale for _ in range(n)]
    delays = [draw(st.sampled_from([0, 0, 0, 80, 700, 2_500, 30_000])) for _ in range(n)]
    rows = [
        (at, Fraction(draw(st.integers(6_183_000, 6_184_000)), 100), Fraction(draw(st.integers(1, 10**7)), 10**5), draw(st.sampled_from([1, -1])), at + delay)
        for at, delay in zip(times, delays, strict=True)
    ]
    return sorted(rows, key=lambda row: row[4])


@settings(max_examples=40)
@given(tapes(), st.sampled_from([("base", "1"), ("linear", "0.01"), ("inverse", "100")]))
def test_analytics_4_4_every_span_is_the_sum_of_its_trades_at_every_step_whatever_the_order_of_arrival(tape, kind):
    contract, value = kind
    desk = Desk(fine, contract=contract, contract_value=value)
    at_s, prices, quantities, signs = [], [], [], []
    newest = -1
    for at, price, qty, sign, recv in tape:
        desk.tick(recv / 1000, 0.5)
        desk.trade(at / 1000, float(price), f"{float(qty):.5f}", buyer_is_maker=sign < 0, recv_s=recv / 1000)
        at_s.append(at // 1000)
        prices.append(price)
        quantities.append(qty)
        signs.append(sign)
        desk.tick(recv / 1000 + 0.02, 0.02)
        newest = max(newest, at // 1000, (recv + 20) // 1000 - 2)
        since = max(at_s[0], tape[0][4] // 1000 - 10)
        base, quote = reference.amounts(prices, quantities, contract=contract, value=Fraction(value))
        for name, row in desk.streams[0].values().items():
            expected = reference.spans(at_s, signs, base, SECONDS[name], newest)
            money = reference.spans(at_s, signs, quote, SECONDS[name], newest)
            opened = newest // SECONDS[name] * SECONDS[name]
            assert row["open_time"] == START + opened * S
            if opened <= since:
                assert (row["previous_delta"], row["previous_quote_delta"]) == (None, None), "not seen"
                expected["previous_delta"] = money["previous_delta"] = None
            assert {field: told(row[field]) for field in expected} == {field: rounded(amount, contract) for field, amount in expected.items()}, name
            assert {field: told(row[QUOTE[field]]) for field in money} == money, name
            if contract != "base":
                native = reference.spans(at_s, signs, np.array(quantities, dtype=object), SECONDS[name], newest)
                assert (told(row["contracts_delta"]), told(row["contracts_rolling"]), told(row["contracts_session"])) == (
                    native["delta"], native["rolling"], native["session"])  # fmt: skip


def delta(row: dict) -> Decimal:
    return 2 * Decimal(row["buy_volume"]) - Decimal(row["volume"])


def test_analytics_4_4_the_delta_of_an_interval_is_twice_what_was_bought_less_all_to_the_last_digit():
    """As the venue's own candles tell it: delta = 2 * takerBuyBase - volume."""
    desk = Desk(Cvd, Candles)
    events = []
    for i in range(400):
        at = i * 0.317
        desk.tick(at)
        events += desk.published()
        desk.trade(at, Decimal(6_183_000 + i * 37 % 500) / 100, Decimal(i * i % 977 + 1) / 10**5, buyer_is_maker=i * 7 % 3 == 0)
    desk.tick(130.0)
    events += desk.published()
    candles = {(row["channel"].split(":")[-1], row["open_time"]): row for row in events if row["channel"].startswith("candles:")}
    compared = 0
    for row in events:
        frame = row["channel"].split(":")[-1]
        candle = candles.get((frame, row["open_time"] - SECONDS[frame] * S)) if row["channel"].startswith("cvd:") else None
        if candle is not None and row["previous_delta"] is not None:
            assert Decimal(row["previous_delta"]) == delta(candle)
            assert Decimal(row["previous_quote_delta"]) == 2 * Decimal(candle["buy_quote_volume"]) - Decimal(candle["quote_volume"])
            compared += 1
    assert compared > 300


@pytest.mark.parametrize("market, symbol", [("binance_spot", "BTCUSDT"), ("binance_usdm", "BTCUSDT")])
def test_analytics_4_4_the_delta_is_that_of_the_simulated_venues_klines(market, symbol):
    """Columns 9 (bought) and 5 (all) of a kline, added up by the venue and not by us."""
    listing = next(row for row in listings(market, 2, START_S * 1000) if row.symbol == symbol)
    one = Instrument(listing, Index("1", START, float(listing.price)), "1", START, 30.0, (1,), 1)
    for at in range(1, 201):
        one.step(START + at * S)
    desk = Desk(Cvd)
    for fill in one.tape:
        desk.trade((fill.at_ns // 1_000_000 - START_S * 1000) / 1000, one.px.trim(fill.tick), one.qty.trim(fill.lots), buyer_is_maker=fill.buyer_is_maker)
    desk.tick(200.0)
    values = desk.streams[0].values()
    for name in ("1m", "3m", "5m", "1h", "1d"):
        bars = {bar.open_ms: bar for bar in one.candles.between(PERIODS[name], START_S * 1000, START_S * 1000 + 200_000)}
        row = values[name]
        bar = bars[row["open_time"] // 1_000_000]
        assert Decimal(row["delta"]) == one.qty.value(2 * bar.buy_lots - bar.lots) != 0
        assert Decimal(row["quote_delta"]) == 2 * bar.buy_value - bar.value
        before = bars.get(row["open_time"] // 1_000_000 - SECONDS[name] * 1000)
        if before is not None:
            assert Decimal(row["previous_delta"]) == one.qty.value(2 * before.buy_lots - before.lots)
        assert row["session"] == values["1d"]["delta"]


def test_word_by_word():
    desk = Desk(lambda names: Cvd(names, ["1s", "1m"]))
    desk.tick(0.4)
    assert desk.published() == [] and desk.streams[0].values() == {}, "nothing before the first trade"
    desk.trade(0.5, "61837.63", "0.5")
    desk.trade(1.1, "61837.60", "0.2", buyer_is_maker=True)
    assert desk.published() == [], "nothing is written per trade"
    desk.tick(1.25)
    first, minute = desk.published()
    assert first["channel"] == f"{CHANNEL}:1s" and minute["channel"] == f"{CHANNEL}:1m"
    fields = list(first)[list(first).index("ts_pub") + 1 :]
    assert {name: first[name] for name in fields} == {
        "open_time": START + S, "close_time": START + 2 * S, "delta": "-0.2", "quote_delta": "-12367.52", "previous_delta": "0.5",
        "previous_quote_delta": "30918.815", "rolling": "-0.2", "quote_rolling": "-12367.52", "rolling_since": START + S, "session": "0.3",
        "quote_session": "18551.295", "since": START, "complete": True, "previous_complete": False, "rolling_complete": True, "session_complete": False,
    }  # fmt: skip
    assert (first["ts_event"], first["ts_recv"]) == (START + round(1.1 * S), START + round(1.1 * S))
    assert (minute["delta"], minute["previous_delta"], minute["rolling"]) == ("0.3", None, "0.3")


def test_it_is_written_four_times_a_second_at_most_and_only_when_it_changed():
    desk = Desk(lambda names: Cvd(names, ["1h"]))
    for i in range(100):
        desk.tick(i * 0.01)
        desk.trade(i * 0.01, "100", "1")
    desk.tick(1.3)
    (event,) = desk.published()
    assert event["conflated"] == 5 and event["delta"] == "100"
    desk.tick(50)
    assert desk.published() == [], "nothing traded, and nothing left the span"
    desk.tick(3605)
    (event,) = desk.published()
    assert (event["delta"], event["previous_delta"], event["rolling"]) == ("0", "100", "0")


def test_a_late_trade_amends_every_span_that_holds_it():
    desk = Desk(lambda names: Cvd(names, ["5s", "1m"]))
    desk.trade(1.0, "100", "1")
    desk.tick(7)
    desk.trade(7.0, "100", "2")
    desk.tick(7.5)
    desk.published()
    desk.trade(4.9, "90", "4", buyer_is_maker=True, recv_s=7.5)
    desk.tick(7.75)
    five, minute = desk.published()
    assert (five["delta"], five["previous_delta"], five["previous_quote_delta"], five["rolling"]) == ("2", "-3", "-260", "-2")
    assert five["previous_complete"] is False, "its beginning was not seen"
    assert (minute["delta"], minute["rolling"], minute["session"], minute["quote_session"]) == ("-1", "-1", "-1", "-60")
    desk.tick(13)
    five = desk.published(f"{CHANNEL}:5s")[-1]
    assert (five["open_time"], five["delta"], five["previous_delta"]) == (START + 10 * S, "0", "2")


def test_pain_22_a_gap_makes_its_spans_incomplete_until_the_trades_were_fetched():
    desk = Desk(lambda names: Cvd(names, ["5s"]), numbered=True)
    desk.trade(0.1, "100", "1", own=1)
    desk.tick(6.2)
    desk.trade(6.2, "100", "1", own=2)
    desk.tick(6.5)
    assert desk.published()[-1]["complete"] is True
    desk.pipeline.interrupted([desk.ix], START + round(6.5 * S))
    desk.tick(7)
    assert desk.published()[-1]["complete"] is False, "nobody knows"
    desk.trade(8.5, "100", "1", own=5)
    desk.tick(9)
    event = desk.published()[-1]
    assert (event["complete"], event["rolling_complete"], event["delta"]) == (False, False, "2"), "two are known to be missing"
    rows = [(str(n), "103", "2", "sell", START + round(at * S), n, n, False, False, False, None) for n, at in ((3, 6.9), (4, 7.2))]
    assert desk.pipeline.backfill(desk.ix, rows, START + 9 * S) == (2, 0)
    desk.tick(9.5)
    event = desk.published()[-1]
    assert (event["complete"], event["rolling_complete"], event["delta"]) == (True, True, "-2")


def test_what_may_have_been_torn_behind_the_first_trade_is_in_doubt_from_the_beginning():
    desk = Desk(lambda names: Cvd(names, ["1s"]))
    desk.pipeline.feed_bytes(b"{", START)
    desk.trade(0.9, "100", "1", own=3)
    desk.trade(2.1, "100", "1", own=4)
    desk.tick(3)
    assert desk.published()[-1]["complete"] is False
    assert desk.pipeline.close_hole(desk.ix, 1, True, START + 3 * S)
    desk.tick(3.5)
    assert desk.published()[-1]["complete"] is True


def test_what_is_lost_for_good_leaves_its_spans_incomplete_until_they_are_over():
    desk = Desk(lambda names: Cvd(names, ["5s"]), numbered=True)
    desk.trade(0.1, "100", "1", own=1)
    desk.tick(6)
    desk.trade(6, "100", "1", own=3)
    assert desk.pipeline.close_hole(desk.ix, 1, False, START + 6 * S)
    desk.tick(6.5)
    assert desk.published()[-1]["complete"] is False
    desk.trade(10.5, "100", "1", own=4)
    desk.tick(11)
    event = desk.published()[-1]
    assert (event["complete"], event["previous_complete"], event["rolling_complete"], event["session_complete"]) == (True, False, False, False)
    desk.trade(15.5, "100", "1", own=5)
    desk.tick(16)
    event = desk.published()[-1]
    assert (event["complete"], event["previous_complete"], event["rolling_complete"], event["session_complete"]) == (True, True, True, False)


def test_the_session_begins_anew_at_midnight():
    desk = Desk(lambda names: Cvd(names, ["1m", "1d"]))
    desk.trade(86_390, "100", "3")
    desk.tick(86_399, from_s=86_389)
    assert desk.streams[0].values()["1m"]["session"] == "3"
    desk.trade(86_401, "100", "1", buyer_is_maker=True)
    desk.trade(86_399.9, "100", "5", recv_s=86_401)
    desk.tick(86_402)
    values = desk.streams[0].values()
    assert (values["1m"]["session"], values["1d"]["delta"], values["1d"]["previous_delta"], values["1d"]["rolling"]) == ("-1", "-1", "8", "7")
    assert values["1m"]["session_complete"] is True


def test_block_trades_are_left_out_as_the_venues_leave_them_out_of_their_candles():
    desk = Desk(Cvd)
    desk.trade(0.5, "100", "1")
    rows = [("9", "100", "50", "buy", START, None, None, False, True, True, None), ("10", "100", "2", "buy", START, None, None, False, True, False, None)]
    assert desk.pipeline.backfill(desk.ix, rows, START + S) == (2, 0)
    assert desk.streams[0].values()["1d"]["delta"] == "3"


def test_a_time_that_cannot_be_is_not_believed():
    desk = Desk(Cvd)
    desk.trade(0.1, "100", "1")
    desk.trade(7200, "101", "1", recv_s=0.2)
    assert desk.streams[0].values()["1s"]["delta"] == "2" and desk.streams[0].n_suspect_times == 1


def test_a_first_trade_stamped_long_ago_does_not_claim_the_day():
    desk = Desk(Cvd)
    desk.trade(-86_400 * 2, "100", "1", recv_s=100)
    desk.trade(100, "100", "1", recv_s=100)
    values = desk.streams[0].values()
    assert values["1d"]["complete"] is False and values["1d"]["since"] == START + 90 * S


def test_a_clock_that_was_set_back_begins_the_sums_anew_rather_than_fill_the_wrong_interval():
    desk = Desk(Cvd)
    desk.trade(0.1, "100", "1")
    desk.tick(3600, step_s=1800)
    desk.tick(2.0, from_s=1.5)
    desk.trade(2.0, "100", "5")
    desk.tick(2.5)
    row = desk.streams[0].values()["1m"]
    assert (row["delta"], row["open_time"], row["complete"], desk.streams[0].n_restarts) == ("5", START, False, 1)


def test_a_rescale_changes_no_number():
    desk = Desk(lambda names: Cvd(names, ["5s"]), px_scale=2, qty_scale=3)
    desk.trade(0.1, "100.25", "1.5")
    desk.tick(1)
    desk.trade(6.0, "100.5", "2", buyer_is_maker=True)
    desk.trade(6.1, "100.1234", "0.00001")
    desk.tick(7)
    row = desk.streams[0].values()["5s"]
    assert desk.pipeline.instrument_counters(desk.ix)["rescales"] == 1
    money = Decimal("100.1234") * Decimal("0.00001") - 201
    assert (row["delta"], row["quote_delta"]) == ("-1.99999", f"{money.normalize():f}")
    assert (row["session"], row["quote_session"]) == ("-0.49999", f"{(money + Decimal('150.375')).normalize():f}")


def test_a_sum_that_outgrows_128_bits_is_begun_anew_and_never_wrong():
    desk = Desk(Cvd, px_scale=0, qty_scale=0, tick=1)
    for i in range(5):
        desk.trade(i, 9 * 10**18, 9 * 10**18)
        desk.tick(i + 0.9)
    row = desk.streams[0].values()["1d"]
    assert desk.streams[0].n_restarts > 0 and row["complete"] is False
    n = int(Decimal(row["delta"])) // (9 * 10**18)
    assert 0 <= n < 5 and Decimal(row["quote_delta"]) == n * Decimal(9 * 10**18) ** 2


def test_other_settings_cost_no_sum():
    desk = Desk(lambda names: Cvd(names, ["1h"]))
    desk.trade(0.5, "100", "1")
    desk.tick(1)
    desk.published()
    desk.streams[0].configure(every_ns=10 * S)
    desk.tick(1.1)
    desk.trade(1.5, "100", "1")
    desk.tick(9.9)
    assert desk.published() == []
    desk.tick(10)
    (event,) = desk.published()
    assert event["delta"] == "2"
    with pytest.raises(ValueError, match="cadence"):
        desk.streams[0].configure(every_ns=1)


def test_only_what_is_asked_for_is_published():
    with pytest.raises(ValueError, match="2m"):
        Desk(lambda names: Cvd(names, ["2m"]))
