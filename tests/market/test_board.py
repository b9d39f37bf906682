"""Merging what streams and polls say: the later word, staleness, what is published, findings, listeners."""

from decimal import Decimal

import pytest
from cext.clock import Clock
from cext.outbox import Outbox
from msgspec import UNSET

from p9.fact import Funding, MarkPrice, OpenInterest, Roster
from p9.market.board import Board, BoardSettings
from p9.market.funding import FundingSheet
from p9.market.mark_price import MarkPriceSheet
from p9.market.open_interest import OpenInterestSheet
from p9.market.sheet import POLL, STREAM
from tests.cext.streams.published import published
from tests.venues.facts import instrument

S = 10**9
T = 1_790_000_000 * S
LINEAR = instrument("okx_swap", "BTC-USDT-SWAP", symbol="BTC-USDT-PERP", contract="linear", contract_value="0.01")
INVERSE = instrument("binance_coinm", "BTCUSD_PERP", symbol="BTC-USD-PERP", contract="inverse", contract_value="100")


class Desk:
    """A board whose clock is set by hand."""

    def __init__(self, **settings):
        self.findings, self.clock = [], Clock(T)
        self.outbox = Outbox(self.clock, epoch=1)
        sheets = MarkPriceSheet(Decimal("0.002")), FundingSheet(Decimal("0.0001")), OpenInterestSheet(Decimal("0.01"))
        self.board = Board(self.outbox, sheets, settings=BoardSettings(**settings), on_finding=lambda *finding: self.findings.append(finding))
        self.roster = Roster([LINEAR, INVERSE])

    def poll(self, *facts, at=T, keep_s=30.0):
        self.board.take(self.roster, facts, POLL, at, keep_s)

    def stream(self, *facts, at=T):
        self.board.take(self.roster, facts, STREAM, at)

    def publish(self, now=T):
        self.clock.set(now)
        self.board.look(now)
        self.board.publish(now)
        return list(published(self.outbox))


@pytest.fixture
def desk():
    return Desk()


def mark(symbol="BTC-USDT-SWAP", at=T, **said):
    return MarkPrice(venue_symbol=symbol, at_ns=at, **said)


def test_fields_of_two_topics_become_one_event(desk):
    desk.stream(mark(mark="100.2"))
    desk.stream(mark(index="100", at=T + S), at=T + S)
    (event,) = desk.publish(T + S)
    assert (event["channel"], event["mark"], event["index"], event["basis_bps"]) == ("mark_price:okx:BTC-USDT-PERP", "100.2", "100", 20.0)
    assert (event["ts_event"], event["ts_recv"]) == (T + S, T + S)
    assert desk.publish(T + 2 * S) == [], "nothing changed"


def test_the_later_word_wins_by_the_venue_s_time_not_by_ours(desk):
    desk.stream(mark(mark="101", at=T + 2 * S), at=T + 2 * S)
    desk.poll(mark(mark="100", at=T + S), at=T + 3 * S)  # a cache that lags
    (event,) = desk.publish(T + 3 * S)
    assert event["mark"] == "101" and desk.board.counts["mark_price", "older"] == 1
    desk.poll(mark(mark="102", at=T + 4 * S), at=T + 4 * S)
    assert desk.publish(T + 4 * S)[0]["mark"] == "102"


def test_what_is_unknown_is_null_and_what_is_not_said_is_kept(desk):
    desk.stream(mark(mark="100", index="99"))
    desk.publish()
    desk.stream(mark(mark=None, at=T + S), at=T + S)
    (event,) = desk.publish(T + S)
    assert (event["mark"], event["index"], event["basis_bps"]) == (None, "99", None)


def test_a_poll_that_finds_no_change_is_told_all_the_same(desk):
    desk.poll(mark(mark="100"))
    assert len(desk.publish()) == 1
    desk.poll(mark(mark="100", at=T + 10 * S), at=T + 10 * S)
    (event,) = desk.publish(T + 10 * S)
    assert event["mark"] == "100" and event["ts_event"] == T + 10 * S


def test_a_word_that_nobody_renews_is_not_known_any_more(desk):
    desk.poll(mark(mark="100", index="99"), keep_s=30.0)
    desk.publish()
    assert desk.publish(T + 29 * S) == []
    (event,) = desk.publish(T + 30 * S)
    assert (event["mark"], event["index"]) == (None, None) and desk.board.counts["mark_price", "stale"] == 2


def test_a_stream_s_word_lives_as_long_as_the_stream_and_a_while(desk):
    desk.stream(mark(mark="100"))
    desk.publish()
    assert desk.publish(T + 3600 * S) == [], "it says nothing as nothing changes"
    desk.board.interrupted("okx_swap", ("mark_price",), T + 3600 * S, 30.0)
    assert desk.publish(T + 3629 * S) == []
    assert desk.publish(T + 3630 * S)[0]["mark"] is None


def test_an_interruption_of_one_market_or_kind_leaves_the_others(desk):
    desk.stream(mark(mark="100"), mark("BTCUSD_PERP", mark="100"), Funding(venue_symbol="BTC-USDT-SWAP", at_ns=T, rate="0.1"))
    desk.publish()
    desk.board.interrupted("okx_swap", ("mark_price",), T, 1.0)
    assert [event["channel"] for event in desk.publish(T + 2 * S)] == ["mark_price:okx:BTC-USDT-PERP"]


def test_a_fact_from_the_future_is_no_fact(desk):
    desk.poll(mark(mark="100", at=T + 2 * 86400 * S))
    assert desk.publish() == [] and desk.board.counts["mark_price", "future"] == 1


def test_facts_of_others_are_nobody_s(desk):
    desk.poll(mark("ETH-USDT-SWAP", mark="1"))
    desk.poll(object())
    assert desk.publish() == []


@pytest.mark.parametrize(
    "rate, interval_s, annualised",
    [
        ("0.0001", 28800, "0.1095"),  # three times a day
        ("0.0001", 14400, "0.219"), ("-0.00011", 3600, "-0.9636"), ("0", 28800, "0"), ("0.0001", None, None),
        ("0.00001234", 7 * 3600, "0.015442628571"),  # 365 * 24 / 7 times, rounded half-even to twelve places
    ],
)  # fmt: skip
def test_funding_is_annualised_by_its_live_interval(desk, rate, interval_s, annualised):
    desk.poll(Funding(venue_symbol="BTC-USDT-SWAP", at_ns=T, rate=rate, interval_s=interval_s, next_ns=T + 100 * S))
    (event,) = desk.publish()
    assert (event["rate"], event["interval_seconds"], event["annualised"], event["next_time"]) == (rate, interval_s, annualised, T + 100 * S)
    assert event["predicted_rate"] is None


def test_an_interval_known_from_another_answer_is_merged(desk):
    desk.poll(Funding(venue_symbol="BTCUSD_PERP", interval_s=28800, cap=None, floor=None))
    assert desk.publish() == [], "an interval alone is no funding"
    desk.stream(Funding(venue_symbol="BTCUSD_PERP", at_ns=T, rate="0.0001"))
    assert desk.publish()[0]["annualised"] == "0.1095"


def test_open_interest_of_a_linear_contract(desk):
    """3,301,005.66 contracts of 0.01 BTC at 77,786.3: the venue's own oiCcy is 33,010.0566."""
    desk.stream(mark(mark="77786.3"))
    desk.poll(OpenInterest(venue_symbol="BTC-USDT-SWAP", at_ns=T, contracts="3301005.66"))
    event = next(event for event in desk.publish() if event["type"] == "open_interest")
    assert (event["contracts"], event["base"], event["quote"], event["sides"]) == ("3301005.66", "33010.0566", "2567730165.70458", "one")
    assert "flags" not in event


def test_open_interest_of_an_inverse_contract_is_exact_in_dollars_and_rounded_in_coins(desk):
    """15,004 contracts of 100 dollars at 86,000: 1500400 / 86000 = 17.446511627906..."""
    desk.stream(mark("BTCUSD_PERP", mark="86000"))
    desk.poll(OpenInterest(venue_symbol="BTCUSD_PERP", at_ns=T, contracts="15004"))
    event = next(event for event in desk.publish() if event["type"] == "open_interest")
    assert (event["contracts"], event["quote"], event["base"], event["flags"]) == ("15004", "1500400", "17.44651163", ["rounded"])


def test_without_a_mark_price_what_depends_on_it_is_unknown(desk):
    desk.poll(OpenInterest(venue_symbol="BTC-USDT-SWAP", at_ns=T, contracts="100"), OpenInterest(venue_symbol="BTCUSD_PERP", at_ns=T, contracts="100"))
    linear, inverse = sorted(desk.publish(), key=lambda event: event["exchange"], reverse=True)
    assert (linear["base"], linear["quote"]) == ("1", None) and (inverse["base"], inverse["quote"]) == (None, "10000")
    assert "flags" not in inverse


def test_the_change_of_open_interest_says_since_when(desk):
    told = []
    for minute in range(0, 91, 10):
        at = T + minute * 60 * S
        desk.poll(OpenInterest(venue_symbol="BTC-USDT-SWAP", at_ns=at, contracts=str(1000 + minute)), at=at, keep_s=1e6)
        (event,) = desk.publish(at)
        told.append((event["change"], event["change_since"]))
    assert told[0] == (None, None)
    assert told[1] == ("10", T) and told[6] == ("60", T)
    assert told[9] == ("60", T + 30 * 60 * S), "an hour back, and no more"


def test_stream_and_poll_that_disagree_in_a_row_are_a_finding_and_the_event_is_flagged(desk):
    desk.stream(mark(mark="100"))
    desk.publish()
    for n in range(1, 4):
        at = T + n * 10 * S
        desk.poll(mark(mark="101", at=at), at=at)
        events = desk.publish(at + 5 * S)
        if n == 1:
            assert not desk.findings and "flags" not in events[-1]
    assert [finding[1:] for finding in desk.findings[:1]] == [("mark_price", "mark 101 by poll, 100 to 100 by stream", "mark")]
    assert desk.findings[0][0] is LINEAR and events[-1]["flags"] == ["maybe_bad"]
    desk.stream(mark(mark="101", at=T + 40 * S), at=T + 40 * S)
    desk.poll(mark(mark="101", at=T + 41 * S), at=T + 41 * S)
    assert "flags" not in desk.publish(T + 50 * S)[-1], "they agree again"


def test_a_small_distance_is_no_disagreement(desk):
    desk.stream(mark(mark="100"))
    for n in range(1, 5):
        desk.poll(mark(mark="100.19", at=T + n * 10 * S), at=T + n * 10 * S)
        desk.publish(T + n * 10 * S + 5 * S)
    assert not desk.findings and desk.board.status()["mark_price"]["agreed"] == 4


def test_listeners_hear_what_is_published(desk):
    heard = []
    desk.board.listen("mark_price", lambda one, fields: heard.append((one.symbol, dict(fields))))
    desk.stream(mark(mark="100", index="100"))
    desk.publish()
    assert heard == [("BTC-USDT-PERP", {"mark": "100", "index": "100", "basis_bps": 0.0})]
    assert desk.board.fields("mark_price", LINEAR)["mark"] == "100" and desk.board.fields("funding", LINEAR) is None


def test_an_instrument_that_is_gone_is_silent_and_may_come_back(desk):
    desk.stream(mark(mark="100"))
    desk.publish()
    desk.board.forget("okx_swap", "BTC-USDT-SWAP")
    assert desk.publish(T + 3600 * S) == [] and desk.board.fields("mark_price", LINEAR) is None
    desk.stream(mark(mark="105", at=T + 3601 * S), at=T + 3601 * S)
    (event,) = desk.publish(T + 3601 * S)
    assert event["mark"] == "105" and event["seq"] == 2, "its channel goes on"


def test_another_first_word_of_the_channel():
    outbox = Outbox(Clock(), epoch=1)
    board = Board(outbox, [MarkPriceSheet(Decimal(0))], words={"mark_price": "marks"})
    board.take(Roster([LINEAR]), [mark(mark="1")], POLL, T, 10.0)
    board.publish(T)
    (event,) = published(outbox)
    assert event["channel"] == "marks:okx:BTC-USDT-PERP" and event["type"] == "mark_price"


def test_unset_is_told_from_none():
    assert mark().mark is UNSET
