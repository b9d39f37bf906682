"""What becomes of what is told of deleveraging: changes alone are published, silence ends a warning, a lost line ends knowing."""

import pytest
from cext.clock import Clock
from cext.outbox import Outbox

from p9.fact import Adl, MarkPrice, Roster
from p9.market.adl import AdlBoard
from tests.cext.streams.published import published
from tests.venues.facts import instrument

S = 10**9
T = 1_790_000_000 * S
ONE = instrument("okx_swap", "BTC-USDT-SWAP", symbol="BTC-USDT-PERP")
OTHER = instrument("okx_swap", "ETH-USDT-SWAP", symbol="ETH-USDT-PERP")


class Desk:
    def __init__(self, word=""):
        self.clock, self.logged = Clock(T), []
        self.outbox = Outbox(self.clock, epoch=1)
        self.board = AdlBoard(self.outbox, word=word, log=lambda event, **more: self.logged.append(more))
        self.roster = Roster([ONE, OTHER])

    def say(self, at_s=0.0, source="stream", symbol="BTC-USDT-SWAP", late_s=0.0, **said):
        at = T + round(at_s * S)
        self.board.take(self.roster, [Adl(venue_symbol=symbol, at_ns=at, **said)], source, at + round(late_s * S))
        return self.told()

    def look(self, at_s):
        self.board.look(T + round(at_s * S))
        return self.told()

    def told(self):
        return [(event["previous"], event["state"], event["reason"]) for event in self.events()]

    def events(self):
        return list(published(self.outbox))


@pytest.fixture
def desk():
    return Desk()


def test_the_first_word_is_told_and_then_only_what_changed(desk):
    assert desk.say(0, state="normal", reason=None) == [(None, "normal", None)]
    assert desk.say(1, state="normal", reason=None, balance="5") == [], "other figures are no change"
    assert desk.say(2, state="adl", reason="pnl_drawdown") == [("normal", "adl", "pnl_drawdown")]
    assert desk.say(3) == [], "between the two ratios it is what it was"
    assert desk.say(4, state="adl", reason="pool_empty") == [("adl", "adl", "pool_empty")]
    assert desk.say(5, state="normal", reason=None) == [("adl", "normal", None)]
    assert [more["state"] for more in desk.logged] == ["adl", "adl", "normal"], "that nothing is wrong is no news at first"


def test_an_event_has_all_figures_and_what_is_not_told_is_null(desk):
    desk.board.take(desk.roster, [Adl(venue_symbol="BTC-USDT-SWAP", at_ns=T, state="warning", reason=None, balance="280784384.9564228289548144")], "stream", T + 5)
    (event,) = desk.events()
    envelope = {"channel": "adl:okx:BTC-USDT-PERP", "type": "adl", "market": "okx_swap", "venue_symbol": "BTC-USDT-SWAP", "ts_event": T, "ts_recv": T + 5}
    assert {name: event[name] for name in envelope} == envelope
    fields = {
        "state": "warning", "previous": None, "reason": None, "risk": None, "source": "stream", "balance": "280784384.9564228289548144", "pnl_ratio": None,
        "trigger_ratio": None, "stop_ratio": None, "balance_threshold": None, "pool": None,
    }  # fmt: skip
    assert {name: event[name] for name in fields} == fields


def test_a_likelihood_is_a_word_of_its_own(desk):
    desk.say(0, "poll", risk="low")
    assert desk.say(60, "poll", risk="low") == []
    desk.board.take(desk.roster, [Adl(venue_symbol="BTC-USDT-SWAP", at_ns=T + 120 * S, risk="high")], "poll", T + 120 * S)
    (event,) = desk.events()
    assert (event["state"], event["risk"], event["source"]) == (None, "high", "poll")


def test_what_was_true_earlier_does_not_undo_what_is_true_now(desk):
    desk.say(10, state="adl", reason="pnl_drawdown")
    assert desk.say(9, "poll", late_s=5, state="normal", reason=None) == [] and desk.board.counts["older"] == 1


def test_pain_23_silence_ends_a_warning_that_is_repeated_while_it_holds(desk):
    assert desk.say(0, state="warning", reason=None, holds_s=5.0) == [(None, "warning", None)]
    assert desk.look(4.9) == [] and desk.say(4.9, state="warning", reason=None, holds_s=5.0) == [] and desk.look(9.8) == []
    assert desk.look(9.9) == [("warning", "normal", "silence")] and desk.look(20) == []
    assert desk.say(30, state="adl", reason="bal_adl_start", holds_s=5.0) == [("normal", "adl", "bal_adl_start")]


def test_of_a_lost_line_silence_says_nothing(desk):
    desk.say(0, state="adl", reason=None, holds_s=5.0)
    desk.say(0, symbol="ETH-USDT-SWAP", state="normal", reason=None)
    desk.board.interrupted("bybit_linear", T + S)
    assert desk.told() == []
    desk.board.interrupted("okx_swap", T + S)
    assert desk.told() == [("adl", None, "disconnect")] and desk.look(20) == [], "what nobody repeats is not affected"
    assert desk.say(30, state="adl", reason=None, holds_s=5.0) == [(None, "adl", None)]


def test_who_is_not_captured_and_other_facts_are_not_its_business(desk):
    desk.board.take(desk.roster, [MarkPrice(venue_symbol="BTC-USDT-SWAP", mark="1"), Adl(venue_symbol="X", state="adl")], "stream", T)
    assert desk.told() == [] and desk.board.status() == {"instruments": 0, "states": {}, "counts": {}}


def test_an_instrument_that_went_leaves_its_channel_to_the_next():
    desk = Desk(word="deleveraging")
    desk.say(0, state="normal", reason=None)
    desk.board.forget("okx_swap", "BTC-USDT-SWAP")
    desk.board.take(desk.roster, [Adl(venue_symbol="BTC-USDT-SWAP", at_ns=T - 60 * S, state="adl", reason=None)], "poll", T)
    (event,) = desk.events()
    assert (event["channel"], event["previous"], event["state"]) == ("deleveraging:okx:BTC-USDT-PERP", None, "adl")
    assert desk.board.status() == {"instruments": 1, "states": {"adl": 1}, "counts": {"stream": 1, "poll": 1, "published": 2}}
