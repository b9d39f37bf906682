"""Inferred stop runs: planted ones are found, liquidations and openers are told apart, and a calm market has none (design, 4.13)."""

import pytest
from cext.streams.stop_triggers import StopTriggers
from cext.streams.trades import Trades

from tests.cext.streams.desk import MS, START, Desk, S

CHANNEL = "stop_triggers:venue:BTC-USDT"
QUICK = {"swing_bar_ns": S, "swing_bars": 2, "settle_ns": S, "confidence": 0.3}


class Market(Desk):
    """A desk whose price walks between 60010 and 60090 with a swing high at 60090 and a swing low at 60010."""

    def __init__(self, *, contract="base", contract_value="1", **more):
        super().__init__(lambda called: StopTriggers(called, **QUICK | more), contract=contract, contract_value=contract_value)
        self.stream = self.streams[0]
        for second, price in enumerate((60050, 60060, 60090, 60060, 60050, 60040, 60010, 60040, 60050, 60052, 60051, 60050)):
            self.trade(second, price, "0.01", own=10 * second, buyer_is_maker=second % 2 == 0)
        self.tick(11.9, from_s=11.1)
        self.published()

    def run(self, side, prices, at_s=12.0, qty="2", every_ms=20, own=10_000) -> None:
        for n, price in enumerate(prices):
            self.trade(at_s + n * every_ms / 1000, price, qty, own=own + 10 * n, buyer_is_maker=side == "sell")

    def forced(self, side, at_s) -> None:
        order = {"s": "BTCUSDT", "S": side.upper(), "q": "5", "p": "60000", "ap": "60000", "z": "5", "T": (START + round(at_s * S)) // MS}
        self.feed("forceOrder", {"e": "forceOrder", "E": 1, "o": order}, at_s + 0.5)

    def told(self, until_s=16.0) -> list[dict]:
        self.tick(until_s)
        return self.published(CHANNEL)


UP = [60060, 60070, 60080, 60092, 60095, 60097]
DOWN = [60040, 60030, 60020, 60009, 60008, 60005]


def test_a_run_beyond_a_swing_high_word_by_word():
    market = Market()
    market.run("buy", UP)
    (event,) = market.told()
    assert event["channel"] == CHANNEL and event["type"] == "stop_triggers" and event["kind"] == "stop_run_inferred"
    assert event["side"] == "buy" and (event["level"], event["level_kind"]) == ("60090", "swing_high")
    assert (event["start_price"], event["end_price"], event["prints"]) == ("60060", "60097", 6)
    assert (event["since"], event["until"], event["ts_event"]) == (START + 12 * S, START + 12 * S + 100 * MS, START + 12 * S + 100 * MS)
    assert event["quantity"] == "12" and event["quote_quantity"] == str(2 * sum(UP))
    assert event["open_interest_change"] is None and event["liquidations_told"] is True
    assert event["confidence"] == pytest.approx(1 - (1 - 0.3 * 2 / 8) * 0.65, abs=1e-5)
    assert "contracts" not in event


def test_a_run_below_a_swing_low():
    market = Market()
    market.run("sell", DOWN)
    (event,) = market.told()
    assert (event["side"], event["level"], event["level_kind"], event["end_price"]) == ("sell", "60010", "swing_low", "60005")


def test_a_swing_that_was_broken_before_is_none_any_more():
    market = Market(confidence=0.0)
    market.trade(12.0, 60095, "0.01", own=9_000)
    market.run("buy", UP, at_s=13.0)
    assert market.told() == []


def test_a_round_price_alone_is_the_weaker_hint():
    market = Market(confidence=0.0)
    market.run("sell", [60004, 60003, 60002, 60001, 59999, 59998], at_s=12.0)  # the swing low is above it already
    (event,) = market.told()
    assert (event["level"], event["level_kind"]) == ("60000", "round")
    assert event["confidence"] == pytest.approx(1 - (1 - 0.3 * 2 / 8) * (1 - 0.35 / 2), abs=1e-5)


@pytest.mark.parametrize(
    "why, run",
    [
        ("four prints", lambda m: m.run("buy", UP[:3] + UP[-1:])),
        ("too slow", lambda m: m.run("buy", UP, every_ms=60)),
        ("not beyond", lambda m: m.run("buy", [60060, 60065, 60070, 60080, 60085, 60090])),
        ("mixed", lambda m: [m.run("buy", [UP[n]], at_s=12 + n * 0.02, own=10_000 + 20 * n) or m.run("sell", [60050], at_s=12.01 + n * 0.02, own=10_010 + 20 * n) for n in range(6)]),
    ],
)  # fmt: skip
def test_what_is_no_run(why, run):
    market = Market()
    run(market)
    assert market.told() == [] and market.stream.n_bursts == 0, why


def test_one_takers_sweep_through_many_levels_is_one_print_and_no_run():
    market = Market()
    for n, price in enumerate(UP):
        market.trade(12.0, price, "2", own=10_000 + n)
    assert market.told() == []


@pytest.mark.parametrize("at_s", [11.2, 12.05, 12.9])
def test_a_liquidation_at_the_time_explains_it(at_s):
    market = Market()
    market.run("buy", UP)
    market.forced("buy", at_s)
    assert market.told() == [] and (market.stream.n_bursts, market.stream.n_liquidated) == (1, 1)


@pytest.mark.parametrize("side, at_s", [("sell", 12.05), ("buy", 10.0), ("buy", 13.2)])
def test_one_of_the_other_side_or_of_another_time_does_not(side, at_s):
    market = Market(settle_ns=3 * S)
    market.run("buy", UP)
    market.forced(side, at_s)
    assert len(market.told(18.0)) == 1


def test_open_interest_that_falls_makes_it_surer_and_one_that_rises_doubtful():
    confidences = {}
    for change in (-12.0, -6.0, 0.0, 12.0):
        market = Market(confidence=0.0)
        market.stream.open_interest(1000.0, START + 11 * S)
        market.run("buy", UP)
        market.stream.open_interest(1000.0 + change, START + 13 * S)
        (event,) = market.told()
        assert event["open_interest_change"] == change
        confidences[change] = event["confidence"]
    assert confidences[-12.0] > confidences[-6.0] > confidences[0.0] > confidences[12.0]
    assert confidences[-12.0] == pytest.approx(1 - (1 - 0.3 * 2 / 8) * 0.65 * 0.5, abs=1e-5)


def test_what_is_told_too_weakly_is_counted_and_not_told():
    market = Market(confidence=0.9)
    market.run("buy", UP)
    assert market.told() == [] and market.stream.n_weak == 1


@pytest.mark.parametrize("contract, value, quantity, quote", [("linear", "0.01", "0.12", None), ("inverse", "100", None, "1200")])
def test_contracts(contract, value, quantity, quote):
    market = Market(contract=contract, contract_value=value)
    market.run("buy", UP)
    (event,) = market.told()
    assert event["contracts"] == "12" and event["contract_value"] == value
    assert quantity in (None, event["quantity"]) and quote in (None, event["quote_quantity"])


def test_a_finer_price_in_the_middle_changes_nothing():
    market = Market()
    market.run("buy", UP[:3])
    market.trade(12.06, "60092.12345678", "2", own=10_500)
    market.run("buy", UP[4:], at_s=12.08, own=11_000)
    (event,) = market.told()
    assert (event["level"], event["prints"], event["end_price"]) == ("60090", 6, "60097")


def test_ten_runs_at_once_are_all_told_in_order():
    market = Market(settle_ns=30 * S, confidence=0.0)
    for n in range(10):
        market.run(
            "buy", [61990 + 1000 * n, 61992 + 1000 * n, 61995 + 1000 * n, 62001 + 1000 * n, 62002 + 1000 * n], at_s=12 + n, own=10_000 + 100 * n
        )
    told = market.told(60.0)
    assert [event["level"] for event in told] == [str(62000 + 1000 * n) for n in range(10)]


def test_fetched_trades_are_no_run():
    desk = Desk(lambda called: StopTriggers(called, **QUICK), Trades, numbered=True)
    desk.trade(1, 59990, "1", own=1)
    desk.trade(3, 59990, "1", own=8)
    rows = [(str(n), str(59995 + n), "1", "buy", START + 2 * S + n * MS, n, n, False, False, False, None) for n in range(2, 8)]
    desk.pipeline.backfill(0, rows, START + 3 * S)
    desk.tick(9, from_s=3.0)
    assert desk.published(CHANNEL) == []


def test_thresholds_are_checked():
    stream = Market().stream
    for wrong in ({"prints": 2}, {"prints": 33}, {"window_ns": 0}, {"swing_bars": 31}, {"confidence": 1.1}, {"settle_ns": -1}):
        with pytest.raises(ValueError):
            stream.configure(**QUICK | wrong)
