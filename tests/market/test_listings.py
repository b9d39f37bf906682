"""What changed of a market's instruments from one answer to the next."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p9.instrument import Parsed, Refused
from p9.market.instruments import Instruments
from p9.market.listings import Listings
from p9.venue import market
from tests.venues.facts import instrument

T = 1_790_000_000 * 10**9
DAY = 86400 * 10**9


def row(name, **more):
    return instrument("okx_swap", name, symbol=more.pop("symbol", f"S-{name}"), **more)


def listings(*rows):
    known = Instruments("okx")
    known.add(rows)
    return Listings(market("okx_swap"), known)


def told(changes):
    return [(change.kind, change.venue_symbol, change.field, change.before, change.after) for change in changes]


def test_nothing_changed():
    one = listings(row("A"), row("B"))
    assert one.take(Parsed([row("A"), row("B")], []), T) == []


@pytest.mark.parametrize(
    "field, before, after",
    [("tick", "0.1", "0.01"), ("step", "0.001", "1"), ("contract_value", "1", "0.1"), ("status", "live", "suspend"), ("expires_ns", None, T + DAY), ("settle", "USDT", "USDC")],
)  # fmt: skip
def test_a_changed_field_is_told_with_both_values(field, before, after):
    one = listings(row("A", **{field: before}), row("B"))
    changes = one.take(Parsed([row("A", **{field: after}), row("B")], []), T)
    assert told(changes) == [("changed", "A", field, before, after)]
    assert one.known.find("okx_swap", "A") == row("A", **{field: after})


def test_a_new_one_is_listed_and_a_gone_one_is_missed_twice_before_it_is_delisted():
    one = listings(row("A"), row("B"), row("C"))
    assert told(one.take(Parsed([row("A"), row("B"), row("D")], []), T)) == [("listed", "D", None, None, None)]
    assert one.missing and one.known.find("okx_swap", "C") is not None
    assert told(one.take(Parsed([row("A"), row("B"), row("D")], []), T)) == [("delisted", "C", None, None, None)]
    assert not one.missing and one.known.find("okx_swap", "C") is None
    assert told(one.take(Parsed([row("A"), row("B"), row("D"), row("C")], []), T)) == [("listed", "C", None, None, None)], "it may come back"


def test_who_is_missing_once_and_back_again_was_never_gone():
    one = listings(row("A"), row("B"), row("C"))
    for rows in ([row("A"), row("B")], [row("A"), row("B"), row("C")]) * 3:
        assert one.take(Parsed(rows, []), T) == []


def test_an_answer_with_less_than_half_is_a_mistake_and_nobody_is_missed_in_it():
    one = listings(*(row(f"A{n}") for n in range(10)))
    for _ in range(5):
        assert one.take(Parsed([row("A1"), row("A2")], []), T) == []
    assert one.counts["partial"] == 5 and len(one.rows) == 10


def test_a_row_that_cannot_be_read_this_time_is_no_absence():
    one = listings(row("A"), row("B"))
    for _ in range(5):
        assert one.take(Parsed([row("A")], [Refused("okx_swap", "B", "'tickSz' is missing")]), T) == []
    assert one.known.find("okx_swap", "B") == row("B"), "as it was last readable"


def test_a_rename_is_told_by_the_venue_s_own_number():
    one = listings(row("OLD-USDT-SWAP", code="77"), row("B", code="78"))
    changes = one.take(Parsed([row("NEW-USDT-SWAP", code="77"), row("B", code="78")], []), T)
    assert told(changes) == [("renamed", "OLD-USDT-SWAP", "venue_symbol", "OLD-USDT-SWAP", "NEW-USDT-SWAP")]
    assert one.known.find("okx_swap", "OLD-USDT-SWAP") is None and one.known.find("okx_swap", "NEW-USDT-SWAP") is not None


def test_a_rename_to_the_same_symbol_of_ours_is_not_refused_as_a_double():
    one = listings(row("OLD", symbol="X-USDT-PERP", code="1"), row("B"))
    one.take(Parsed([row("NEW", symbol="X-USDT-PERP", code="1"), row("B")], []), T)
    assert one.known.find("okx_swap", "X-USDT-PERP").venue_symbol == "NEW" and not one.known.refused


def test_one_whose_last_day_is_over_is_delisted_though_the_venue_still_lists_it():
    one = listings(row("A", expires_ns=T + DAY), row("B"))
    rows = [row("A", expires_ns=T + DAY), row("B")]
    assert one.take(Parsed(rows, []), T) == []
    assert told(one.take(Parsed(rows, []), T + DAY)) == [("delisted", "A", "expires_ns", None, T + DAY)]
    assert one.take(Parsed(rows, []), T + 2 * DAY) == [], "told once"
    for _ in range(3):
        assert one.take(Parsed(rows[1:], []), T + 2 * DAY) == [], "and not again when the row is gone"


NAMES = [f"N{n}" for n in range(6)]


@settings(max_examples=60)
@given(st.lists(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(["0.1", "0.01"])), max_size=6, unique_by=lambda pair: pair[0]), max_size=8))
def test_who_follows_the_changes_holds_what_the_venue_lists(answers):
    """A model: apply the changes to a dict; two equal answers in a row must leave it equal to the answer."""
    one = listings(*(row(name) for name in NAMES))
    followed = dict.fromkeys(NAMES, "0.1")
    for answer in answers:
        for _ in range(2):
            n_known = len(one.rows)
            changes = one.take(Parsed([row(name, tick=tick) for name, tick in answer], []), T)
            for change in changes:
                if change.kind == "delisted":
                    del followed[change.venue_symbol]
                elif change.kind == "listed":
                    followed[change.venue_symbol] = one.known.find("okx_swap", change.venue_symbol).tick
                else:
                    assert followed[change.venue_symbol] == change.before
                    followed[change.venue_symbol] = change.after
        if len(answer) >= 0.5 * n_known:
            assert followed == dict(answer) or one.missing
        assert set(followed) == set(one.rows) and all(one.rows[name].tick == tick for name, tick in followed.items())


def test_a_change_is_plain_data():
    (change,) = listings(row("A")).take(Parsed([row("A"), row("B")], []), T)
    assert msgspec.to_builtins(change) == {
        "number": 0, "at_ns": T, "kind": "listed", "market": "okx_swap", "symbol": "S-B", "venue_symbol": "B", "field": None, "before": None, "after": None,
    }  # fmt: skip
