"""Candles against their definition: a reference in exact fractions, made of the whole list of trades at once."""

import json
from collections import defaultdict
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction
from itertools import pairwise

import pytest
from cext.clock import Clock
from cext.outbox import Outbox
from cext.pipeline import Pipeline
from cext.streams.candles import SECONDS, Candles
from cext.venues.bybit import BybitNormalizer
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cext.streams.desk import MS, START, START_S, Desk, S, names, number
from tests.cext.streams.published import published

VWAP_PLACES = 6  # the desk's tick has two decimals


def half_even(value: Fraction, places: int) -> Decimal:
    with localcontext() as context:
        context.prec = 80
        return (Decimal(value.numerator) / Decimal(value.denominator)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)


def reference(trades, seconds, until_s, contract="base", value=1):
    """{open second: fields} of every candle that ends by `until_s`, by the definition.

    `trades`: (at ms, first id, last id, price, quantity, bought). The candle of an interval holds the trades whose time lies in it, in the order of
    time, then of id; an empty one repeats the close before it; the first is that of the first trade.
    """
    by_interval = defaultdict(list)
    for trade in sorted(trades):
        by_interval[trade[0] // 1000 // seconds].append(trade)
    candles = {}
    close = None
    for index in range(min(by_interval), until_s // seconds):
        rows = by_interval.get(index, [])
        prices = [row[3] for row in rows] or [close]
        close = prices[-1]

        def base(rows):
            exact = sum((qty * value / (px if contract == "inverse" else 1) for _, _, _, px, qty, _ in rows), Fraction())
            return half_even(exact, 8) if contract == "inverse" else exact

        def quote(rows):
            return sum((qty * value * (1 if contract == "inverse" else px) for _, _, _, px, qty, _ in rows), Fraction())

        exact_base = sum((qty * value / (px if contract == "inverse" else 1) for _, _, _, px, qty, _ in rows), Fraction())
        bought = [row for row in rows if row[5]]
        candles[index * seconds] = {
            "open": prices[0], "high": max(prices), "low": min(prices), "close": close, "volume": base(rows), "quote_volume": quote(rows),
            "buy_volume": base(bought), "buy_quote_volume": quote(bought), "trades": sum(last - first + 1 for _, first, last, *_ in rows),
            "vwap": half_even(quote(rows) / exact_base, VWAP_PLACES) if rows else None,
        }  # fmt: skip
    return candles


NUMBERS = ("open", "high", "low", "close", "volume", "quote_volume", "buy_volume", "buy_quote_volume", "vwap")


def fields(event):
    return {name: number(event[name]) for name in NUMBERS} | {"trades": event["trades"]}


def closed(events):
    """{timeframe: {open second: [its events, oldest first]}}"""
    candles = defaultdict(lambda: defaultdict(list))
    for event in events:
        if event["channel"].startswith("candles:"):
            candles[event["channel"].split(":")[-1]][event["open_time"] // S - START_S].append(event)
    return candles


def check_chain(candles):
    """Every revision names the event that it corrects, and the first ones make a grid without holes."""
    for name, by_start in candles.items():
        seconds = SECONDS[name]
        starts = list(by_start)
        assert starts == list(range(starts[0], starts[0] + len(starts) * seconds, seconds)), "in order, no hole, no overlap"
        for start, events in by_start.items():
            assert [event["revision"] for event in events] == list(range(len(events)))
            assert "amends" not in events[0]
            for before, after in pairwise(events):
                assert after["amends"] == {"epoch": 7, "seq": before["seq"]}
            for event in events:
                assert event["final"] is True
                assert event["open_time"] == START + start * S
                assert event["close_time"] == event["open_time"] + seconds * S
                assert ("synthetic" in event.get("flags", [])) == (event["trades"] == 0)


@st.composite
def tapes(draw):
    """Trades in the order of the venue's ids, and the order in which they arrive."""
    times = sorted(draw(st.lists(st.integers(0, 75_000), min_size=1, max_size=40)))
    trades = []
    next_id = 1
    for at in times:
        fills = draw(st.sampled_from([1, 1, 1, 3]))
        price = Fraction(draw(st.integers(6_183_000, 6_184_000)), 100)
        qty = Fraction(draw(st.integers(1, 10**7)), 10**5)
        trades.append((at, next_id, next_id + fills - 1, price, qty, draw(st.booleans())))
        next_id += fills
    delays = draw(st.lists(st.sampled_from([0, 0, 0, 50, 300, 900, 2_500, 40_000]), min_size=len(trades), max_size=len(trades)))
    delays[0] = 0  # the first trade decides where the grid begins
    first_second = times[0] // 1000
    arrivals = sorted(zip((at + delay for at, delay in zip(times, delays, strict=True)), range(len(trades)), strict=True))
    while arrivals[0][1] != 0 and trades[arrivals[0][1]][0] // 1000 != first_second:
        arrivals = [(trades[0][0], 0), *(row for row in arrivals if row[1] != 0)]
    return trades, [trades[i] for _, i in arrivals], [at for at, _ in arrivals], draw(st.sampled_from([0.05, 0.2, 0.7]))


def play(desk, arriving, recv_ms, step_s, until_s):
    events = []
    for (at, first, last, price, qty, bought), recv in zip(arriving, recv_ms, strict=True):
        desk.tick(recv / 1000, step_s)
        desk.trade(at / 1000, float(price), f"{float(qty):.5f}", buyer_is_maker=not bought, first=first, last=last, recv_s=recv / 1000)
    desk.tick(until_s, step_s)
    events += desk.published()
    return events


@settings(max_examples=40)
@given(tapes(), st.sampled_from([("base", "1"), ("linear", "0.01"), ("inverse", "100")]))
def test_pain_20_any_order_of_arrival_ends_in_the_candles_of_the_definition(tape, kind):
    trades, arriving, recv_ms, step_s = tape
    desk = Desk(Candles, contract=kind[0], contract_value=kind[1])
    until_s = 180
    candles = closed(play(desk, arriving, recv_ms, step_s, until_s + 1))
    check_chain(candles)
    for name, seconds in SECONDS.items():
        expected = reference(trades, seconds, until_s, kind[0], Fraction(kind[1]))
        got = {start: fields(events[-1]) for start, events in candles[name].items() if start + seconds <= until_s}
        assert got == expected, name
    assert desk.streams[0].n_too_late == 0


def test_pain_19_a_day_of_seconds_rolls_up_into_every_timeframe():
    long = {name: seconds for name, seconds in SECONDS.items() if seconds >= 60}  # the shorter ones are in the test above
    desk = Desk(lambda names: Candles(names, long, forming=False))
    trades = [(at * 1000 + at % 7 * 100, i + 1, i + 1, Fraction(6_183_000 + at * 37 % 500, 100), Fraction(at % 11 + 1, 10**5), at % 3 == 0)
              for i, at in enumerate(range(0, 86_400, 50))]  # fmt: skip
    for at, first, last, price, qty, bought in trades:
        desk.trade(at / 1000, float(price), f"{float(qty):.5f}", buyer_is_maker=not bought, first=first, last=last)
    desk.tick(86_400.3, 10)
    candles = closed(desk.published())
    check_chain(candles)
    for name, seconds in long.items():
        expected = reference(trades, seconds, 86_400)
        assert len(expected) == 86_400 // seconds
        assert {start: fields(events[-1]) for start, events in candles[name].items()} == expected, name


def test_pain_19_flat_seconds_by_hand():
    desk = Desk(lambda names: Candles(names, ["1s", "5s"]))
    desk.tick(3.0)
    assert desk.published() == [], "no candle before the first trade"
    desk.trade(3.1, "61837.63", "0.02", own=5)
    desk.trade(3.9, "61837.60", "0.5", own=6, buyer_is_maker=True)
    desk.tick(4.249)
    assert closed(desk.published()) == {}, "trades may still be on their way"
    desk.tick(6.26)
    events = desk.published("candles:venue:BTC-USDT:1s")
    first, flat, _ = events
    assert {name: first[name] for name in NUMBERS} == {
        "open": "61837.63", "high": "61837.63", "low": "61837.6", "close": "61837.6", "volume": "0.52", "quote_volume": "32155.5526",
        "buy_volume": "0.02", "buy_quote_volume": "1236.7526", "vwap": "61837.601154",
    }  # fmt: skip
    assert (first["trades"], first["open_time"], first["close_time"]) == (2, START + 3 * S, START + 4 * S)
    assert first["ts_event"] == START + 3900 * MS and first["ts_recv"] is None
    assert first["complete"] is False, "trades before the first one may be missing"
    assert {name: flat[name] for name in NUMBERS} == dict.fromkeys(NUMBERS[:4], "61837.6") | {
        "volume": "0", "quote_volume": "0", "buy_volume": "0", "buy_quote_volume": "0", "vwap": None}  # fmt: skip
    assert flat["flags"] == ["synthetic"] and flat["trades"] == 0 and flat["complete"] is True and flat["ts_event"] is None
    desk.tick(10.26)
    five = desk.published("candles:venue:BTC-USDT:5s")
    assert [(event["open_time"] - START, event["trades"], event["complete"]) for event in five] == [(5 * S, 0, True)]


def test_pain_20_a_late_trade_amends_its_candle_and_the_flat_ones_after_it():
    desk = Desk(lambda names: Candles(names, ["1s", "5s"], forming=False))
    desk.trade(0.5, "100", "1", own=1)
    desk.tick(5.3)
    before = {event["open_time"] // S - START_S: event for event in desk.published("candles:venue:BTC-USDT:1s")}
    desk.trade(1.5, "101", "2", own=2, recv_s=5.3)
    desk.trade(1.2, "99", "1", own=3, recv_s=5.3)
    assert desk.published() == [], "one revision a tick, however many trades were late"
    desk.tick(5.4)
    events = desk.published()
    ones = [event for event in events if event["channel"].endswith(":1s")]
    assert [(event["open_time"] // S - START_S, event["revision"], event["close"], event["trades"]) for event in ones] == [
        (1, 1, "101", 2), (2, 1, "101", 0), (3, 1, "101", 0), (4, 1, "101", 0)]  # fmt: skip
    assert [event["amends"] for event in ones] == [{"epoch": 7, "seq": before[second]["seq"]} for second in (1, 2, 3, 4)]
    assert (ones[0]["open"], ones[0]["high"], ones[0]["low"], ones[0]["volume"]) == ("99", "101", "99", "3")
    five = next(event for event in events if event["channel"].endswith(":5s"))
    assert (five["open"], five["high"], five["low"], five["close"], five["volume"], five["revision"]) == ("100", "101", "99", "101", "4", 1)
    desk.tick(6.3)
    assert desk.published("candles:venue:BTC-USDT:1s")[-1]["close"] == "101", "what follows repeats the amended close"
    assert desk.streams[0].n_late == 2


def test_a_trade_that_outlived_the_memory_is_counted_and_changes_nothing():
    desk = Desk(lambda names: Candles(names, forming=False, late_s=10))
    desk.trade(5.0, "100", "1", own=2)
    desk.trade(4.0, "99", "1", own=1, recv_s=5)
    desk.tick(20.3)
    desk.published()
    desk.trade(9.9, "50", "1", own=3, recv_s=20.3)
    desk.trade(3.9, "50", "1", own=0, recv_s=20.3)
    desk.tick(20.9)
    assert desk.published() == [] and desk.streams[0].n_too_late == 2
    desk.trade(10.1, "50", "1", own=4, recv_s=20.9)
    desk.tick(20.95)
    assert {event["channel"] for event in desk.published()} == {f"candles:venue:BTC-USDT:{name}" for name in ("1s", "5s", "10s", "15s")}


def test_a_trade_two_seconds_later_closes_without_the_clock():
    desk = Desk(lambda names: Candles(names, ["1s"], forming=False))
    desk.trade(0.1, "100", "1", recv_s=0.1)
    desk.trade(2.9, "101", "1", recv_s=0.1)
    assert desk.published() == []
    desk.trade(3.0, "102", "1", recv_s=0.1)
    assert [event["open_time"] for event in desk.published()] == [START]


def test_the_delay_outgrows_the_grace():
    desk = Desk(lambda names: Candles(names, ["1s"], forming=False, close_delay_ns=5 * S))
    for second in range(7):
        desk.trade(second + 0.5, 100 + second, "1", own=second + 1)
    desk.tick(6)
    assert [event["open"] for event in desk.published()] == ["100"]
    desk.trade(2.1, 50, "1", own=0, recv_s=6)
    desk.tick(9)
    assert [(event["open"], event["revision"]) for event in desk.published()] == [("101", 0), ("50", 0), ("103", 0)]


def test_forming_candles_are_drawn_when_they_changed_and_at_their_pace():
    desk = Desk(lambda names: Candles(names, ["1s", "5s", "1m"]))
    for i in range(30):
        desk.tick(0.1 * i)
        desk.trade(0.1 * i, 100 + i, "1", own=i + 1)
        if i == 14:
            half = desk.published()
    desk.tick(3.0)
    forming = [event for event in half + desk.published() if event["channel"].startswith("candles_open:")]
    by_name = defaultdict(list)
    for event in forming:
        by_name[event["channel"].split(":")[-1]].append(event)
    last = by_name["5s"][-1]
    assert (last["open"], last["high"], last["low"], last["close"], last["volume"], last["trades"]) == ("100", "129", "100", "129", "30", 30)
    assert last["final"] is False and last["revision"] == 0 and last["open_time"] == START
    assert by_name["1m"][-1]["trades"] <= 30
    assert by_name["1s"][-1]["open"] == "120" and by_name["1s"][-1]["open_time"] == START + 2 * S
    assert len(by_name["5s"]) == 2, "flushed twice"
    assert sum(event["conflated"] for event in by_name["5s"]) == 13, "at once, then four times a second"
    assert sum(event["conflated"] for event in by_name["1m"]) == 4, "at once, then once a second"
    desk.tick(6.0)
    late = [event for event in desk.published() if event["channel"].startswith("candles_open:")]
    assert late == [], "nothing changed since"


def test_the_forming_candle_shows_both_what_is_closed_and_what_is_not():
    desk = Desk(lambda names: Candles(names, ["5s"]))
    desk.trade(0.5, "100", "1", own=1)
    desk.trade(1.9, "90", "1", own=2)
    desk.tick(2.3)
    desk.trade(2.3, "95", "2", own=3)
    desk.tick(2.6)
    event = desk.published("candles_open:venue:BTC-USDT:5s")[-1]
    assert (event["open"], event["high"], event["low"], event["close"], event["volume"], event["trades"]) == ("100", "100", "90", "95", "4", 3)
    assert event["vwap"] == "95"


def test_aggregates_count_their_fills():
    desk = Desk(lambda names: Candles(names, ["1s"], forming=False))
    desk.trade(0.1, "100", "1", first=10, last=14, own=3)
    desk.trade(0.2, "100", "1", own=15)
    desk.tick(1.3)
    assert desk.published()[0]["trades"] == 6


def test_a_time_that_cannot_be_is_not_believed():
    desk = Desk(lambda names: Candles(names, ["1s"], forming=False))
    desk.trade(0.1, "100", "1")
    desk.trade(7200, "101", "1", recv_s=0.2)
    desk.tick(1.3)
    (event,) = desk.published()
    assert event["trades"] == 2 and event["close"] == "101" and event["flags"] == ["suspect_time"]
    assert desk.streams[0].n_suspect_times == 1


def test_a_stopped_machine_does_not_fill_a_weekend():
    desk = Desk(lambda names: Candles(names, ["1m"], forming=False))
    desk.trade(0.1, "100", "1")
    desk.tick(3 * 86_400, step_s=3 * 86_400)
    assert desk.published() == [] and desk.streams[0].n_restarts == 1
    desk.trade(3 * 86_400 + 1, "101", "1")
    desk.tick(3 * 86_400 + 61)
    (event,) = desk.published()
    assert event["open"] == "101" and event["complete"] is False


def test_an_hour_of_sleep_is_filled_a_piece_at_a_tick():
    desk = Desk(lambda names: Candles(names, ["1s"], forming=False))
    desk.trade(0.1, "100", "1")
    desk.tick(3600, step_s=3600)
    assert len(desk.published()) == 600
    desk.tick(3601)
    assert len(desk.published()) == 3000


def complete(events: list[dict], timeframe: str) -> dict[int, bool]:
    """{beginning in seconds since START: what was said last}"""
    ours = [event for event in events if event["channel"].endswith(f":{timeframe}")]
    return {event["open_time"] // S - START_S: event["complete"] for event in ours}


def interrupted(numbered: bool) -> Desk:
    """Trades at 0.1 and 6.2, then a lost socket at 6.5; now it is 8.5."""
    desk = Desk(lambda names: Candles(names, ["1s", "5s"], forming=False), numbered=numbered)
    desk.trade(0.1, "100", "1", own=1)
    desk.tick(6.2)
    desk.trade(6.2, "100", "1", own=2)
    desk.tick(6.5)
    desk.pipeline.interrupted([desk.ix], START + round(6.5 * S))
    desk.tick(8.5)
    assert complete(desk.published(), "1s") == {0: False, 1: True, 2: True, 3: True, 4: True, 5: True, 6: False, 7: False}
    return desk


def test_candles_of_a_lost_socket_are_complete_again_once_the_next_trade_shows_that_none_is_missing():
    desk = interrupted(numbered=True)
    desk.trade(8.5, "100", "1", own=3)
    desk.tick(15.5)
    events = desk.published()
    assert complete(events, "1s") == dict.fromkeys(range(6, 15), True) and complete(events, "5s") == {5: True, 10: True}
    amended = [event for event in events if event.get("amends")]
    assert [(event["open_time"] // S - START_S, event["revision"]) for event in amended] == [(6, 1), (7, 1)]


def test_trades_that_are_missing_leave_candles_that_do_not_claim_to_be_complete_until_they_were_fetched():
    desk = interrupted(numbered=True)
    desk.trade(8.5, "100", "1", own=5)
    desk.tick(15.5)
    events = desk.published()
    assert [second for second, good in complete(events, "1s").items() if not good] == [8] and complete(events, "5s") == {5: False, 10: True}
    rows = [(str(n), "103", "2", "buy", START + round(at * S), n, n, False, False, False, None) for n, at in ((3, 6.9), (4, 7.2))]
    assert desk.pipeline.backfill(desk.ix, rows, START + round(15.5 * S)) == (2, 0)
    desk.tick(15.6)
    events = desk.published()
    assert complete(events, "1s") == {6: True, 7: True, 8: True} and complete(events, "5s") == {5: True}
    (five,) = [event for event in events if event["channel"].endswith(":5s")]
    assert (five["revision"], five["trades"], five["volume"], five["high"], five["buy_volume"]) == (1, 4, "6", "103", "6")


def test_what_is_lost_for_good_stays_incomplete_and_so_does_the_larger_candle():
    desk = interrupted(numbered=True)
    desk.trade(8.5, "100", "1", own=5)
    number = desk.pipeline.holes(desk.ix)[0][0]
    assert desk.pipeline.close_hole(desk.ix, number, False, START + round(8.6 * S))
    assert not desk.pipeline.close_hole(desk.ix, number, False, START + round(8.6 * S)), "it is closed"
    desk.tick(15.5)
    events = desk.published()
    assert [second for second, good in complete(events, "1s").items() if not good] == [8] and complete(events, "5s") == {5: False, 10: True}
    assert not [event for event in events if event.get("amends")], "it was never claimed that 6 and 7 were complete"


def test_named_trades_are_in_doubt_until_rest_has_told():
    desk = interrupted(numbered=False)
    desk.trade(8.5, "100", "1", own=3)
    desk.tick(15.5)
    assert complete(desk.published(), "5s") == {5: False, 10: True}
    assert desk.pipeline.close_hole(desk.ix, 1, True, START + round(15.5 * S))
    desk.tick(15.6)
    assert complete(desk.published(), "5s") == {5: True}


def test_what_may_have_been_torn_behind_the_first_trade_is_in_doubt_from_the_beginning():
    desk = Desk(lambda names: Candles(names, ["1s", "5s"], forming=False))
    desk.pipeline.feed_bytes(b"{", START)
    desk.trade(0.9, "100", "1", own=3)
    desk.tick(4.5)
    assert complete(desk.published(), "1s") == {0: False, 1: False, 2: False, 3: True}
    assert desk.pipeline.close_hole(desk.ix, 1, True, START + round(4.5 * S))
    desk.tick(4.6)
    assert complete(desk.published(), "1s") == {1: True, 2: True}


def test_a_rescale_in_the_midst_of_a_candle_changes_no_number():
    desk = Desk(lambda names: Candles(names, ["1s", "5s"]), px_scale=2, qty_scale=3)
    desk.trade(0.1, "100.25", "1.5", own=1)
    desk.tick(1.3)
    desk.trade(1.4, "100.5", "2", own=2)
    desk.tick(1.6)
    desk.trade(1.5, "100.1234", "0.00001", own=3, recv_s=1.6)
    desk.trade(0.5, "99.5", "1", own=0, recv_s=1.6)
    desk.tick(5.3)
    events = desk.published()
    last = [event for event in events if event["channel"] == "candles:venue:BTC-USDT:5s"][-1]
    expected = Decimal("100.25") * Decimal("1.5") + Decimal("100.5") * 2 + Decimal("100.1234") * Decimal("0.00001") + Decimal("99.5")
    assert (last["open"], last["close"], last["volume"], last["quote_volume"]) == ("100.25", "100.1234", "4.50001", f"{expected.normalize():f}")
    second = [event for event in events if event["channel"] == "candles:venue:BTC-USDT:1s" and event["open_time"] == START]
    assert [(event["revision"], event["low"], event["volume"]) for event in second] == [(0, "100.25", "1.5"), (1, "99.5", "2.5")]
    assert desk.pipeline.instrument_counters(desk.ix)["rescales"] == 1


def test_inverse_contracts_by_hand():
    desk = Desk(lambda names: Candles(names, ["1s"], forming=False), px_scale=3, qty_scale=2, contract="inverse", contract_value="100", tick=100)
    desk.trade(0.1, "61837.6", "1", own=1)
    desk.tick(1.3)
    (event,) = desk.published()
    assert (event["contracts"], event["quote_volume"], event["volume"]) == ("1", "100", "0.00161714")  # 100 / 61837.6 = 0.001617139087...
    assert event["vwap"] == "61837.6", "of the exact amounts: those published would give 61837.565..."
    assert event["flags"] == ["rounded"]
    desk.trade(1.1, "50000", "3", own=2)
    desk.trade(1.2, "40000", "2", own=3, buyer_is_maker=True)
    desk.tick(2.3)
    (event,) = desk.published()
    assert (event["contracts"], event["buy_contracts"], event["quote_volume"], event["buy_quote_volume"]) == ("5", "3", "500", "300")
    assert (event["volume"], event["buy_volume"]) == ("0.011", "0.006")
    assert event["vwap"] == "45454.54545"  # 500 / 0.011; the tick has one decimal


def test_linear_contracts_by_hand():
    desk = Desk(lambda names: Candles(names, ["1s"], forming=False), px_scale=3, qty_scale=4, contract="linear", contract_value="0.01", tick=100)
    desk.trade(0.1, "61837.6", "7.5", own=1)
    desk.tick(1.3)
    (event,) = desk.published()
    assert (event["contracts"], event["volume"], event["quote_volume"], event["vwap"]) == ("7.5", "0.075", "4637.82", "61837.6")
    assert "flags" not in event


def test_sums_past_64_bits_stay_exact():
    desk = Desk(lambda names: Candles(names, ["1s"], forming=False), px_scale=8, qty_scale=10)
    for i in range(50):
        desk.trade(0.1, "61837.12345678", "900000000.0000000001", own=i + 1)
    desk.tick(1.3)
    (event,) = desk.published()
    assert Decimal(event["volume"]) == 50 * Decimal("900000000.0000000001")
    with localcontext() as context:
        context.prec = 60
        assert Decimal(event["quote_volume"]) == 50 * Decimal("900000000.0000000001") * Decimal("61837.12345678")


@pytest.mark.parametrize("bad", [{"timeframes": ["7s"]}, {"timeframes": []}, {"close_delay_ns": -1}, {"close_delay_ns": 11 * S}, {"late_s": 0}])
def test_settings_out_of_bounds_are_refused(bad):
    with pytest.raises(ValueError):
        Desk(lambda names: Candles(names, **bad))


def test_a_fetched_trade_of_the_same_millisecond_takes_its_place_by_the_engines_count_where_trades_are_named():
    """Two takers in one millisecond: the first one's frame was torn and is fetched behind the second's. It once became the close, the last word before the
    hole the open: names have no order, but the count of the matching engine, told by the stream and by REST, has."""
    outbox = Outbox(Clock(START), epoch=1)
    pipeline = Pipeline(market="venue_linear", exchange="venue", normalizer=BybitNormalizer(), outbox=outbox, clock=Clock(START), link="step",
                        rest_seeded=False, repeats_are_stale=True, restart_id=1)  # fmt: skip
    ix = pipeline.add(venue_symbol=b"BTCUSDT", symbol="BTC-USDT", px_scale=4, qty_scale=5, tick=100, streams=[Candles(names(), ["1s"], forming=False)])
    fetched = []
    for seq, price, at_ms, came in ((70, "100", 0, True), (75, "102", 300, False), (76, "101", 300, True), (81, "104", 900, True), (80, "103", 900, False), (60, "99", 0, False)):
        name = f"20f43950-d8dd-5b31-9112-a178eb60{seq:04}"
        if came:
            row = {"T": START // MS + at_ms, "s": "BTCUSDT", "S": "Buy", "v": "1", "p": price, "i": name, "BT": False, "RPI": False, "seq": seq}
            frame = {"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": START // MS + at_ms, "data": [row]}
            assert pipeline.feed_bytes(json.dumps(frame).encode(), START + at_ms * MS) == "events"
        else:
            fetched.append((name, price, "1", "buy", START + at_ms * MS, None, None, False, False, False, seq))
    assert pipeline.backfill(ix, fetched, START + 950 * MS) == (3, 0)
    pipeline.on_timer(START + 2 * S)
    bar = next(event for event in published(outbox) if event["open_time"] == START)
    assert [bar[field] for field in ("open", "high", "low", "close", "trades")] == ["99", "104", "99", "104", 6]
