"""One symbol over several venues: whose prices are best, whether they cross, and that a venue that cannot vouch for its own counts for nothing."""

from decimal import Decimal

import pytest
from cext.consolidated import Consolidated
from cext.streams.book_ticker import BookTicker
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cext.streams.desk import START, Desk, S

CHANNEL = "book_ticker:all:BTC-USDT"
# price decimals, quantity decimals, kind and value of a contract: as different as venues are
SHAPES = {
    "alpha": {"px_scale": 4, "qty_scale": 5, "tick": 100},
    "beta": {"px_scale": 3, "qty_scale": 2, "tick": 10, "contract": "linear", "contract_value": "0.01"},
    "gamma": {"px_scale": 8, "qty_scale": 6, "tick": 10**6},
}


class Venues:
    """Desks of several venues beside each other, their tickers in one group."""

    def __init__(self, *names, stale_s=5.0):
        self.group = Consolidated("BTC-USDT")
        self.desks = {}
        for name in names or SHAPES:
            self.desks[name] = Desk(
                lambda called: self._ticker(called, stale_s), exchange=name, beside=next(iter(self.desks.values()), None), **SHAPES[name]
            )
        self.ids = dict.fromkeys(self.desks, 0)

    def _ticker(self, called, stale_s):
        ticker = BookTicker(called, stale_ns=round(stale_s * S))
        ticker.group = self.group
        return ticker

    def quote(self, name, bid, bid_qty, ask, ask_qty, at_s=0.0):
        self.ids[name] += 1
        self.desks[name].bbo(self.ids[name], bid, bid_qty, ask, ask_qty, at_s=at_s)

    def tick(self, to_s):
        for desk in self.desks.values():
            desk.pipeline.on_timer(START + round(to_s * S))

    def last(self):
        events = next(iter(self.desks.values())).published(CHANNEL)
        return events[-1] if events else None


def test_word_by_word():
    venues = Venues()
    venues.quote("alpha", "100.1", "2", "100.3", "1")
    venues.quote("beta", "100.15", "500", "100.25", "300")
    venues.quote("gamma", "99", "7", "100.4", "7")
    event = venues.last()
    assert (event["type"], event["exchange"], event["market"], event["venue_symbol"]) == ("book_ticker", "all", "-", "-")
    assert (event["bid_price"], event["bid_quantity"], event["bid_exchange"]) == ("100.15", "5", "beta"), "base coins, not contracts"
    assert (event["ask_price"], event["ask_quantity"], event["ask_exchange"]) == ("100.25", "3", "beta")
    assert (event["spread"], event["mid"], event["state"]) == ("0.1", "100.2", "normal")
    assert event["spread_bps"] == pytest.approx(0.1 / 100.2 * 1e4, rel=1e-8)
    assert event["imbalance"] == pytest.approx(2 / 8, rel=1e-8)
    assert [row["exchange"] for row in event["venues"]] == ["alpha", "beta", "gamma"]
    assert event["venues"][0] == {
        "exchange": "alpha", "state": "live", "bid_price": "100.1", "bid_quantity": "2", "ask_price": "100.3", "ask_quantity": "1", "ts_event": None,
    }  # fmt: skip


def test_a_bid_over_anothers_ask_is_crossed_and_both_are_named():
    venues = Venues()
    venues.quote("alpha", "100.1", "2", "100.3", "1")
    venues.quote("beta", "100.35", "500", "100.4", "300")
    event = venues.last()
    assert (event["state"], event["bid_exchange"], event["ask_exchange"], event["spread"]) == ("crossed", "beta", "alpha", "-0.05")
    assert event["spread_bps"] < 0
    venues.quote("beta", "100.3", "500", "100.4", "300")
    event = venues.last()
    assert (event["state"], event["bid_exchange"], event["ask_exchange"], event["spread"]) == ("locked", "beta", "alpha", "0")
    assert venues.group.values()["events_crossed"] == 1 and venues.group.values()["events_locked"] == 1


def test_of_the_same_price_the_larger_one_is_told():
    venues = Venues()
    venues.quote("alpha", "100.1", "2", "100.3", "1")
    venues.quote("beta", "100.1", "150", "100.3", "150")  # 1.5 coins
    event = venues.last()
    assert (event["bid_exchange"], event["bid_quantity"], event["ask_exchange"], event["ask_quantity"]) == ("alpha", "2", "beta", "1.5")


def test_a_venue_whose_book_is_lost_is_out_at_once_and_back_with_its_next_word():
    venues = Venues("alpha", "gamma")
    alpha = venues.desks["alpha"]
    alpha.synced([["100.2", "1"]], [["100.3", "1"]])
    venues.ids["alpha"] = 100
    venues.quote("alpha", "100.2", "1", "100.3", "1")
    venues.quote("gamma", "100.1", "1", "100.4", "1")
    assert venues.last()["bid_exchange"] == "alpha"
    alpha.depth(150, 150)  # a gap
    event = venues.last()
    assert (event["bid_price"], event["bid_exchange"]) == ("100.1", "gamma")
    assert event["venues"][0] == {"exchange": "alpha", "state": "invalid"}, "its prices are not told either"
    venues.ids["alpha"] = 160
    venues.quote("alpha", "100.2", "1", "100.3", "1", at_s=0.1)
    assert venues.last()["bid_exchange"] == "alpha", "the same prices, said again"


def test_a_silent_venue_is_out_after_a_while():
    venues = Venues(stale_s=5)
    for name in venues.desks:
        venues.quote(name, "100.1", "1", "100.3", "1", at_s=1)
    venues.quote("alpha", "100.2", "1", "100.3", "1", at_s=1)
    venues.tick(6.0)
    assert venues.last()["bid_exchange"] == "alpha"
    venues.quote("beta", "100.1", "100", "100.3", "100", at_s=6.0)  # nothing new, but alive
    venues.tick(6.05)
    event = venues.last()
    assert (event["bid_exchange"], [row["state"] for row in event["venues"]]) == ("beta", ["stale", "live", "stale"])


def test_a_venue_in_its_auction_or_with_an_empty_side_does_not_count():
    venues = Venues("alpha", "gamma")
    venues.quote("alpha", "100.2", "1", "100.3", "1")
    venues.quote("gamma", "100.1", "1", "100.4", "1")
    venues.desks["alpha"].pipeline.set_auction(0, True)
    venues.quote("alpha", "100.5", "1", "100.3", "1")
    event = venues.last()
    assert (event["bid_exchange"], event["state"], event["venues"][0]["state"]) == ("gamma", "normal", "crossed")
    venues.quote("alpha", "0", "0", "100.3", "1")
    assert venues.last()["venues"][0]["state"] == "empty"
    venues.quote("gamma", "0", "0", "100.3", "1")
    event = venues.last()
    assert (event["bid_price"], event["ask_exchange"], event["state"], event["mid"]) == (None, None, None, None)


def test_one_venue_alone_has_no_such_channel():
    alone = Venues("alpha")
    alone.quote("alpha", "100.2", "1", "100.3", "1")
    assert alone.group.channel is None and alone.last() is None


def test_a_new_stream_of_a_venue_takes_its_place():
    """A stream that is made anew (its configuration changed) speaks for the same venue."""
    group, desks = Consolidated("BTC-USDT"), []
    for name in ("alpha", "beta", "beta"):
        desks.append(Desk(lambda called: grouped(called, group), exchange=name, beside=desks[0] if len(desks) == 1 else None))
        desks[-1].bbo(1, f"{100 + len(desks)}", "1", "110", "1")
    assert group.values()["venues"] == {"alpha": "live", "beta": "live"} and group.values()["bid_exchange"] == "beta"


def grouped(called, group):
    ticker = BookTicker(called)
    ticker.group = group
    return ticker


price = st.integers(9_000, 9_030)  # of 100ths
quotes = st.lists(
    st.tuples(st.sampled_from(list(SHAPES)), st.sampled_from(["quote", "quote", "quote", "lost", "pause"]), price, st.integers(1, 9), price, st.integers(1, 9)),
    min_size=1, max_size=25,
)  # fmt: skip


@settings(max_examples=60)
@given(quotes)
def test_the_best_over_all_venues_is_what_a_plain_search_finds(steps):
    """The model: a table of the venues that stand; the best price, of equals the largest amount of base coins."""
    venues, table, heard, at_s = Venues(), {}, {}, 0.0
    for name, desk in venues.desks.items():  # before its best-price stream speaks the book stands in
        desk.synced([["80", "1"]], [["120", "1"]])
        coins = Decimal("0.01") if name == "beta" else Decimal(1)
        venues.ids[name], table[name], heard[name] = 200, (Decimal(80), coins, Decimal(120), coins), 0.0
    venues.last()
    for name, kind, bid, bid_qty, ask, ask_qty in steps:
        at_s += 0.5
        if kind == "quote" and bid < ask:
            venues.quote(name, f"{bid / 100}", str(bid_qty), f"{ask / 100}", str(ask_qty), at_s=at_s)
            coins = Decimal("0.01") if name == "beta" else Decimal(1)
            table[name] = (Decimal(bid) / 100, bid_qty * coins, Decimal(ask) / 100, ask_qty * coins)
            heard[name] = at_s
        elif kind == "lost" and venues.desks[name].pipeline.states()[0] == "synced":
            venues.desks[name].depth(10**6, 10**6, at_s=at_s)
            table.pop(name, None)
        elif kind == "pause":
            at_s += 3
        for other in [other for other in table if at_s - heard[other] > 5]:
            del table[other]
        venues.tick(at_s)
        told = venues.group.values()
        if not table:
            assert told["bid_exchange"] is told["ask_exchange"] is None
            continue
        best_bid = max((row[0], row[1]) for row in table.values())
        best_ask = min((row[2], -row[3]) for row in table.values())
        assert table[told["bid_exchange"]][:2] == best_bid
        assert (table[told["ask_exchange"]][2], -table[told["ask_exchange"]][3]) == best_ask
        if told["bid_exchange"] != told["ask_exchange"]:
            assert told["crossed"] == (best_bid[0] > best_ask[0]) and told["locked"] == (best_bid[0] == best_ask[0])
        assert {venue for venue, state in told["venues"].items() if state == "live"} == set(table)
