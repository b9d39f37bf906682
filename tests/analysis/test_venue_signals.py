"""Signals over venues: the mean by confidence, told with hysteresis; and what polled figures say, by their formulas."""

import json
import math

import pytest
from cext.clock import Clock
from cext.outbox import Outbox

from p9.analysis.venue_signals import VenueSignals, combined
from tests.cext.streams.published import published


class One:
    """An instrument's Signals, as far as they are looked at."""

    def __init__(self, total):
        self.total, self.said = total, []

    def total_now(self):
        return self.total

    def outside(self, signal, strength, confidence, now_ns, inputs):
        self.said.append((signal, strength, json.loads(inputs)))


def desk(**totals):
    outbox = Outbox(Clock(10**18), epoch=1)
    rows = {exchange: One(total) for exchange, total in totals.items()}
    signals = VenueSignals(outbox, lambda: [(exchange, "BTC-USDT", one) for exchange, one in rows.items()])
    return signals, rows, outbox


def test_the_mean_is_by_confidence_and_the_agreement_is_what_does_not_cancel():
    assert combined([(0.8, 1.0), (0.2, 0.5)]) == (pytest.approx(0.6), pytest.approx(1.0))
    assert combined([(0.5, 1.0), (-0.5, 1.0)]) == (0.0, 0.0)
    assert combined([(0.9, 0.0)]) == (0.0, 0.0)
    assert math.isnan(combined([])[0])


def test_it_begins_changes_and_ends_and_a_venue_that_says_nothing_is_named():
    signals, rows, outbox = desk(a=(0.5, 1.0), b=(0.4, 1.0), c=None)
    seen = []
    for at_s, total in enumerate([(0.5, 1.0), (0.5, 1.0), (0.95, 1.0), (0.95, 1.0), (-0.3, 1.0)]):
        rows["a"].total = total
        signals.look(float(2 * at_s), 10**18 + at_s)
        seen += [(event["state"], event["direction"], event["strength"], event["excluded"]) for event in published(outbox)]
    assert seen == [("begins", "up", 0.45, ["c"]), ("changes", "up", 0.675, ["c"]), ("ends", "none", 0.0, ["c"])]
    assert signals.status()["begun"] == 1 and signals.status()["in_force"] == 0


def test_a_symbol_of_one_venue_has_no_channel_over_all():
    signals, _, outbox = desk(a=(0.9, 1.0))
    signals.look(0.0, 10**18)
    assert published(outbox) == []


def test_funding_and_basis_are_against_the_crowd():
    signals, rows, _ = desk(a=(0.0, 1.0), b=(0.0, 1.0))
    signals.look(0.0, 1)
    signals.on_funding("a", "BTC-USDT", {"annualised": "0.5"})
    signals.on_funding("a", "BTC-USDT", {"annualised": None})
    signals.on_mark_price("b", "BTC-USDT", {"basis_bps": -60.0})
    signals.on_funding("nobody", "BTC-USDT", {"annualised": "9"})
    (first, unknown), (basis,) = rows["a"].said, rows["b"].said
    assert first == ("funding", pytest.approx(-0.761594), {"annualised": "0.5"}), "tanh(1)"
    assert unknown[0] == "funding" and math.isnan(unknown[1])
    assert basis == ("basis", pytest.approx(math.tanh(2.0)), {"basis_bps": -60.0})


def test_stress_is_told_to_every_instrument_of_the_venue():
    signals, rows, _ = desk(a=(0.0, 1.0), b=(0.0, 1.0))
    signals.look(0.0, 1)
    for stress in ("LOW", "HIGH", "CRITICAL", None):
        signals.on_insurance("a", stress, {"change_24h_percent": -1})
    assert [round(strength, 4) if strength == strength else None for _, strength, _ in rows["a"].said] == [0.0, -0.6667, -1.0, None] and rows["b"].said == []


def test_an_instrument_that_comes_between_two_polls_is_told_what_the_last_one_said_and_once():
    signals, rows, _ = desk(a=(0.0, 1.0))
    signals.on_insurance("a", "HIGH", {"change_24h_percent": -7})  # before any instrument is known
    for at_s in range(3):
        signals.look(float(at_s), 1)
    assert rows["a"].said == [("insurance", pytest.approx(-2 / 3), {"stress": "HIGH", "change_24h_percent": -7})]
    rows["a"] = One((0.0, 1.0))  # the same instrument, made anew
    signals.look(9.0, 1)
    assert len(rows["a"].said) == 1


def test_a_skew_is_held_against_its_own_past():
    signals, rows, _ = desk(a=(0.0, 1.0), b=(0.0, 1.0))
    signals.look(0.0, 1)
    for at_s, value in ((0.0, -0.05), (86_400.0, 0.0), (86_400.0, None)):
        signals.on_skew("a", "BTC", value, at_s)
    first, second, third = (strength for _, strength, _ in rows["a"].said)
    assert first == 0.0 and second == pytest.approx(math.tanh(1.0)) and math.isnan(third)
    signals.on_skew("a", "ETH", 0.5, 0.0)
    assert len(rows["a"].said) == 3, "another coin's options"
