"""Insurance pools: levels by the configured thresholds, the venue's own worked example, alerts, restarts. Expected values were worked out by hand
(design, 4.12)."""

from decimal import Decimal

import pytest
from cext.clock import Clock
from cext.outbox import Outbox
from hypothesis import given
from hypothesis import strategies as st

from p9.analysis.balances import Balances, Past
from p9.analysis.insurance import InsuranceFunds, InsuranceSettings, judge, level_of
from p9.fact import InsurancePool
from tests.cext.streams.published import published

S, HOUR = 10**9, 3600 * 10**9
T = 1_790_000_000 * S
SETTINGS = InsuranceSettings()


def past_of(*rows):
    """(hours ago, balance)"""
    past = Past()
    for hours, value in sorted(rows, reverse=True):
        assert past.add(T - round(hours * HOUR), Decimal(value))
    return past


@pytest.mark.parametrize(
    "change, level",
    [("5", 0), ("0", 0), ("-0.9999", 0), ("-1", 1), ("-4.99", 1), ("-5", 2), ("-9.99", 2), ("-10", 3), ("-100", 3)],
)
def test_stress_goes_by_the_thresholds(change, level):
    assert level_of(Decimal(change), SETTINGS) == level


def test_the_venue_s_worked_example_is_over_the_line():
    """A pool of 1M that loses 350k in 8 h: pnlRatio -0.35, below the trigger of -0.30: it deleverages; back above -0.25 it stops."""
    for balance, score in ((650_000, 1.1667), (700_000, 1.0), (760_000, 0.8)):  # -0.35, the trigger itself, and -0.24: above the stop
        past = past_of((9, 990_000), (7, 1_000_000), (2, balance))
        assert judge(Decimal(balance), past, T, Decimal(0), SETTINGS).score == score


def test_the_score_is_the_worst_of_drawdown_decline_and_liquidations():
    past = past_of((3, 1000), (0.5, 980))
    assert judge(Decimal(970), past, T, Decimal(0), SETTINGS).score == round(30 / 97, 4), "30 lost in the hour (1000 stood when it began), of a tenth of 970"
    assert judge(Decimal(970), past, T, Decimal(485), SETTINGS).score == 0.5, "liquidations of half of it"
    assert judge(Decimal(1010), past, T, Decimal(0), SETTINGS).score == 0.0
    assert judge(Decimal(0), past, T, Decimal(0), SETTINGS).score == 1.0 and judge(Decimal(-5421), past, T, Decimal(0), SETTINGS).score == 1.0


@pytest.mark.parametrize(
    "rows, change",
    [
        ([(24, 1000)], "-10"), ([(24.6, 1000)], "-10"), ([(23.5, 1000)], "-10"),  # within forty minutes
        ([(24.7, 1000)], None), ([(23.2, 1000)], None), ([(1, 1000)], None), ([], None),
        ([(25, 2000), (24.1, 1000), (23.9, 500)], "-10"),  # the one that stood
        ([(24, 0)], None),
    ],
)  # fmt: skip
def test_the_change_is_not_known_before_a_day_is(rows, change):
    found = judge(Decimal(900), past_of(*rows), T, Decimal(0), SETTINGS)
    assert found.change_24h == (None if change is None else Decimal(change)) and (found.level is None) == (change is None)


class Desk:
    def __init__(self, path=None, at=T, **settings):
        self.clock = Clock(at)
        self.outbox = Outbox(self.clock, epoch=1)
        self.balances = Balances(path)
        self.balances.load(at)
        self.funds = InsuranceFunds(self.outbox, self.balances, settings=InsuranceSettings(**settings))

    def say(self, at, *pools, polled=True):
        self.clock.set(at)
        self.funds.take("venue", pools, at, polled=polled)
        return published(self.outbox)


def pool(balance, name="A", asset="USDT", at=None, symbols=("A", "B")):
    return InsurancePool(name=name, asset=asset, balance=str(balance), symbols=symbols, at_ns=at)


def alerts(events):
    return [(event["kind"], event["pool"], event["previous"], event["stress"]) for event in events if event["type"] == "insurance_alerts"]


def funds(events):
    return [event for event in events if event["type"] == "insurance_fund"]


def test_an_asset_s_total_is_exact_and_its_stress_unknown_until_a_day_is_known():
    desk = Desk()
    (event,) = desk.say(T, pool("793930579.315848"), pool("0.000000001", "C"), pool("61.73143554", asset="BTC"))[0:1]
    events = {event["symbol"]: event for event in [event, *desk.say(T + S, pool("61.73143554", asset="BTC"))]}
    assert events["USDT"]["total"] == "793930579.315848001" and events["USDT"]["channel"] == "insurance_fund:venue:USDT"
    assert events["BTC"]["total"] == "61.73143554"
    for each in events.values():
        assert each["stress"] is each["change_24h_percent"] is each["worst_pool"] is None
        assert all(row["stress"] is row["change_24h_percent"] is None for row in each["pools"])


def test_a_day_later_the_worst_pool_gives_the_level_and_each_change_of_it_is_an_alert():
    desk = Desk()
    desk.say(T, pool(1000), pool(500, "C"))
    first = desk.say(T + 24 * HOUR, pool(1000), pool(490, "C"))  # -2 %
    (event,) = funds(first)
    assert (event["stress"], event["worst_pool"], event["change_24h_percent"]) == ("MEDIUM", "C", -0.6667)
    assert {row["pool"]: (row["change_24h_percent"], row["stress"]) for row in event["pools"]} == {"A": (0.0, "LOW"), "C": (-2.0, "MEDIUM")}
    assert alerts(first) == [("level", "C", None, "MEDIUM")]
    assert alerts(desk.say(T + 24 * HOUR + 300 * S, pool(1000), pool(490, "C"))) == [], "told once"
    worse = desk.say(T + 24 * HOUR + 600 * S, pool(940), pool(490, "C"))
    assert alerts(worse) == [("fast_decline", "A", "HIGH", "HIGH"), ("level", "A", "MEDIUM", "HIGH")]
    assert funds(worse)[0]["change_24h_percent"] == -4.6667 and funds(worse)[0]["stress"] == "HIGH"


def test_the_first_level_known_is_no_alert_if_all_is_well():
    desk = Desk()
    desk.say(T, pool(1000))
    events = desk.say(T + 24 * HOUR, pool(1001))
    assert alerts(events) == [] and funds(events)[0]["stress"] == "LOW"


def test_a_balance_that_flutters_at_a_threshold_is_told_once():
    desk = Desk()
    desk.say(T, pool(1000))
    told = []
    for n, balance in enumerate([951, 950, 951, 950, 952, 950, 955, 956]):  # -5 % is 950, recovered is above -4.5 %: 955 is not, 956 is
        told += alerts(desk.say(T + 24 * HOUR + n * 60 * S, pool(balance)))
    assert told == [("fast_decline", "A", "MEDIUM", "MEDIUM"), ("level", "A", None, "MEDIUM"), ("level", "A", "MEDIUM", "HIGH"), ("level", "A", "HIGH", "MEDIUM")]


def test_a_fast_decline_needs_no_day_and_is_told_once_until_it_is_over():
    desk = Desk()
    desk.say(T, pool(1000))
    assert alerts(desk.say(T + 300 * S, pool(975))) == []
    assert alerts(desk.say(T + 600 * S, pool(969))) == [("fast_decline", "A", None, None)]
    assert alerts(desk.say(T + 900 * S, pool(960))) == []
    assert alerts(desk.say(T + 3 * HOUR, pool(960))) == [], "over"
    assert alerts(desk.say(T + 3 * HOUR + 300 * S, pool(920))) == [("fast_decline", "A", None, None)]


def test_a_pool_that_is_told_anew_once_a_day_is_judged_and_one_that_is_not_told_for_long_is_stale():
    desk = Desk()
    desk.say(T, pool(1000, at=T))
    (event,) = desk.say(T + 26 * HOUR, pool(1000, at=T))
    assert event["pools"][0]["stale"] is False and event["as_of"] == T
    desk.say(T + 27 * HOUR, pool(1000, at=T))
    events = desk.say(T + 51 * HOUR, pool(800, at=T + HOUR // 2))
    (event,) = funds(events)
    assert event["pools"][0]["stale"] is True and event["stress"] is None and alerts(events) == [], "nobody is alarmed by a figure of the day before yesterday"


def test_an_answer_older_than_what_is_known_is_passed_over():
    desk = Desk()
    desk.say(T, pool(1000, at=T), polled=False)
    assert desk.say(T + S, pool(900, at=T - S)) == [] and desk.funds.counts["older"] == 1


def test_a_pool_that_is_in_no_answer_any_more_is_gone():
    desk = Desk()
    desk.say(T, pool(1000), pool(500, "C"))
    for n in range(1, 5):
        (event,) = funds(desk.say(T + n * 300 * S, pool(1000)))
    assert event["total"] == "1000" and len(event["pools"]) == 1


def test_liquidations_of_a_pool_s_own_contracts_within_the_hour_raise_its_score():
    desk = Desk()
    desk.say(T, pool(1000), pool(1000, "C", symbols=("C",)))
    desk.funds.liquidated("venue", "USDT", "B", Decimal(250), T + 10 * S)
    desk.funds.liquidated("venue", "USDT", "X", Decimal(900), T + 10 * S)
    desk.funds.liquidated("venue", "BTC", "B", Decimal(900), T + 10 * S)
    (event,) = funds(desk.say(T + 300 * S, pool(1000), pool(1000, "C", symbols=("C",))))
    assert {row["pool"]: row["score"] for row in event["pools"]} == {"A": 0.25, "C": 0.0} and event["score"] == 0.25
    (event,) = funds(desk.say(T + HOUR + 20 * S, pool(1000), pool(1000, "C", symbols=("C",))))
    assert event["score"] == 0.0


async def test_a_day_is_remembered_over_restarts(tmp_path):
    path = tmp_path / "insurance.jsonl"
    first = Desk(path)
    for hours in range(12):
        first.say(T + hours * HOUR, pool(1000 + hours))
    await first.balances.flush(T + 12 * HOUR)
    with path.open("ab") as file:
        file.write(b'["venue","USDT","A",17900')  # torn by a kill
    second = Desk(path, at=T + 23 * HOUR)
    assert second.balances.counts["unreadable"] == 1 and second.balances.counts["loaded"] == 12
    (event,) = funds(second.say(T + 24 * HOUR, pool(1010)))
    assert (event["change_24h_percent"], event["stress"]) == (1.0, "LOW"), "against what the first one saw 24 hours ago"
    assert funds(second.say(T + 25 * HOUR, pool(1010)))[0]["change_24h_percent"] == round(100 * 9 / 1001, 4)


def test_closing_a_venue_frees_its_channels():
    desk = Desk()
    desk.say(T, pool(1000))
    desk.funds.keep({"another"})
    assert [event["seq"] for event in desk.say(T + S, pool(1000))] == [2]


def test_who_listens_hears_the_stress_of_the_worst_asset_also_when_another_one_was_told_last():
    desk, heard = Desk(), []
    desk.funds.listen(lambda exchange, stress, fields: heard.append((exchange, stress, fields.get("worst_pool"), fields.get("change_24h_percent"))))
    desk.say(T, pool(1000), pool(500, "C", asset="BTC"))
    desk.say(T + 24 * HOUR, pool(940), pool(500, "C", asset="BTC"))  # -6 % and none
    desk.say(T + 24 * HOUR + S, pool(499, "C", asset="BTC"))
    desk.funds.keep(())
    assert heard[0] == ("venue", None, None, None), "not known before a day is"
    assert heard[1] == heard[2] == ("venue", "HIGH", "A", -6.0)
    assert heard[-1] == ("venue", None, None, None), "nobody asks that venue any more"


def test_liquidations_of_contracts_that_come_and_go_are_kept_for_an_hour_alone():
    """Dated futures expire: an hour of minutes of each that was ever liquidated stayed, for good."""
    desk = Desk()
    desk.say(T, pool(1000, symbols=("LAST",)))
    for n in range(500):
        desk.funds.liquidated("venue", "USDT", f"F{n}", Decimal(1), T + n * 600 * S)
    assert len(desk.funds._liquidated) <= 8
    desk.funds.liquidated("venue", "USDT", "LAST", Decimal(250), T + 500 * 600 * S)
    (event,) = funds(desk.say(T + 500 * 600 * S + S, pool(1000, symbols=("LAST",))))
    assert event["score"] == 0.25


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 2000)), max_size=20), st.integers(-10, 2000), st.integers(0, 3000))
def test_the_score_never_fails_and_falls_with_the_balance_s_growth(rows, balance, liquidated):
    past = Past()
    for hours, value in sorted(rows, reverse=True):
        past.add(T - round(hours * HOUR), Decimal(value))
    found = judge(Decimal(balance), past, T, Decimal(liquidated), SETTINGS)
    richer = judge(Decimal(balance + 1), past, T, Decimal(liquidated), SETTINGS)
    assert found.score >= 0 and (balance <= 0 or richer.score <= found.score + 1e-4)
    assert found.decline_1h >= 0
