"""Walls: what is one and what is none, what becomes of them, and every state at every survey against the model of the definition (design, 4.10)."""

import math
import random

import pytest
from cext.streams.liquidity import Liquidity
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cext.streams.desk import START, Desk, S
from tests.cext.streams.random_book import RandomBook
from tests.reference import liquidity as reference
from tests.reference.book import distances

CHANNEL = "liquidity:venue:BTC-USDT"
WALL = 900_000  # lots of a thousandth: a median level has 55


class Room:
    """A desk with a random book that is surveyed four times a second; enough sizes are seen in the first second."""

    def __init__(self, seed=1, *, levels=300, uniform=False, **wanted):
        self.desk = Desk(lambda names: Liquidity(names, **{"wall_least_sizes": 500, **wanted}), px_scale=4, qty_scale=5, tick=100)
        self.rng = random.Random(seed)
        self.at_s, self.last = 0.0, None
        self.book = RandomBook(self.desk, self.rng, levels=levels, width=1_500, sigma=0.4)
        if uniform:
            self.book.apply(*({tick: 55 for tick in side} for side in self.book.sides), at_s=0.0)
        self.wait(2.0)

    def wait(self, for_s, *, steps=False):
        """Let time pass, with random frames or none."""
        until_s = self.at_s + for_s
        while self.at_s < until_s - 1e-9:
            self.at_s += 0.25
            if steps:
                self.book.step(self.at_s)
            self.desk.tick(self.at_s, step_s=0.25)

    def put(self, side, away, lots):
        """A level `away` ticks behind the touch, as large as that; its tick."""
        tick = self.book.best(side) + (-away if side == 0 else away)
        self.set(side, tick, lots)
        return tick

    def set(self, side, tick, lots):
        changes = ({tick: lots}, {}) if side == 0 else ({}, {tick: lots})
        self.book.apply(*changes, at_s=self.at_s)

    def take(self, side, tick, lots):
        """An aggressor takes `lots` of a level: the trade, and the book's change."""
        self.book.trade(self.at_s, buy=side == 1, lots=lots, tick=tick)
        self.set(side, tick, self.book.sides[side][tick] - lots)

    def told(self):
        """The walls of the newest event: [(side, price, state)]"""
        events = self.desk.published(CHANNEL)
        self.last = events[-1] if events else self.last
        return [(wall["side"], wall["price"], wall["state"]) for wall in self.last["walls"]]

    def counts(self):
        return self.desk.streams[0].values()["counts"]


@pytest.mark.parametrize("side", [0, 1])
def test_a_planted_wall_is_found_once_after_it_has_stood_for_ten_seconds(side):
    room = Room()
    assert room.told() == []
    tick = room.put(side, 30, WALL)
    planted_s = room.at_s
    room.wait(9.5)
    assert room.told() == [], "it may be gone in a moment"
    room.wait(1.0)
    name, price = "bid" if side == 0 else "ask", room.book.price(tick)
    assert room.told() == [(name, price, "appear")]
    wall = room.last["walls"][0]
    assert (wall["quantity"], wall["peak"], wall["traded"]) == ("900", "900", "0")
    assert wall["since"] == START + round((planted_s + 0.25) * S)
    assert wall["quote_quantity"] == pytest.approx(900 * float(price), rel=1e-5)
    assert wall["distance_bps"] == pytest.approx(abs(float(price) / float(room.last["mid"]) - 1) * 1e4, rel=1e-4)
    room.wait(1.5)
    assert room.told() == [(name, price, "persist")]
    room.wait(60.0)
    assert room.told() == [(name, price, "persist")]
    assert room.counts()["appear"] == 1


def test_a_uniform_book_has_none():
    room = Room(uniform=True)
    room.wait(30.0)
    assert room.told() == [] and room.counts()["forming"] == 0
    assert room.last["wall_quote_quantity"] == pytest.approx(0.055 * float(room.last["mid"]), rel=1 / 60)


def test_large_among_the_large_is_no_wall():
    """The day's quantile alone is not enough: a level must stand out among its neighbours."""
    room = Room(uniform=True)
    best = room.book.best(0)
    room.book.apply({best - away: WALL for away in range(2, 60)}, {}, at_s=room.at_s)
    room.wait(15.0)
    assert room.told() == []


def test_large_among_the_small_is_no_wall_if_the_day_has_seen_larger():
    room = Room(uniform=True, wall_quantile=0.9)
    for _ in range(8):  # of the sizes seen, more than a tenth are far larger
        room.book.apply({tick: 5 * WALL for tick in list(room.book.sides[0])[:100]}, {}, at_s=room.at_s)
        room.wait(4.0)
    room.book.apply({tick: 55 for tick in room.book.sides[0]}, {}, at_s=room.at_s)
    room.put(0, 30, WALL)
    room.wait(12.0)
    assert room.told() == [] and room.last["wall_quote_quantity"] > 3 * 900 * 900


def test_a_wall_that_is_traded_away_was_absorbed_and_one_that_vanishes_was_pulled():
    room = Room()
    eaten, pulled = room.put(1, 20, WALL), room.put(0, 20, WALL)
    room.wait(11.0)
    for _ in range(9):
        room.take(1, eaten, WALL // 10)
        room.wait(0.25)
    room.take(1, eaten, WALL // 10 - 50)
    room.set(0, pulled, 0)
    room.wait(2.0)
    assert sorted(room.told()) == [("ask", room.book.price(eaten), "absorb"), ("bid", room.book.price(pulled), "pull")]
    room.wait(10.0)
    assert room.told() == [], "told for ten seconds"
    assert (room.counts()["absorb"], room.counts()["pull"]) == (1, 1)


@pytest.mark.parametrize("share, state", [(0.4, "pull"), (0.6, "absorb")])
def test_which_of_both_is_decided_by_what_was_traded(share, state):
    room = Room()
    tick = room.put(1, 20, WALL)
    room.wait(11.0)
    room.take(1, tick, round(WALL * share))
    room.set(1, tick, 0)
    room.wait(2.0)
    assert room.told() == [("ask", room.book.price(tick), state)]


def test_trades_that_come_after_the_change_of_the_book_still_count():
    """One venue tells of its trades 150 ms after the book has lost them."""
    room = Room()
    tick = room.put(1, 20, WALL)
    room.wait(11.0)
    room.set(1, tick, 0)
    room.wait(0.75)
    room.book.trade(room.at_s, buy=True, lots=WALL, tick=tick)
    room.wait(1.0)
    assert room.told() == [("ask", room.book.price(tick), "absorb")]


def test_a_sale_takes_nothing_from_the_asks():
    room = Room()
    tick = room.put(1, 20, WALL)
    room.wait(11.0)
    room.book.trade(room.at_s, buy=False, lots=WALL, tick=tick)
    room.set(1, tick, 0)
    room.wait(2.0)
    assert room.told() == [("ask", room.book.price(tick), "pull")]


def test_a_wall_that_is_back_within_a_second_was_never_gone():
    room = Room()
    tick = room.put(1, 20, WALL)
    room.wait(11.0)
    room.set(1, tick, 0)
    room.wait(0.5)
    room.set(1, tick, WALL)
    room.wait(5.0)
    assert [state for _, _, state in room.told()] == ["persist"] and room.counts()["pull"] == 0


def test_a_wall_grows():
    room = Room()
    tick = room.put(1, 20, WALL)
    room.wait(12.0)
    room.set(1, tick, WALL * 6 // 5)
    room.wait(0.25)
    assert [state for _, _, state in room.told()] == ["persist"], "less than a quarter more"
    room.set(1, tick, WALL * 2)
    room.wait(0.25)
    assert [state for _, _, state in room.told()] == ["grow"]
    room.wait(1.5)
    assert [state for _, _, state in room.told()] == ["persist"]


def test_a_wall_that_the_price_has_left_behind_is_forgotten():
    room = Room(wall_bps=20, wall_least_sizes=200)
    tick = room.put(1, 20, WALL)
    room.wait(11.0)
    assert len(room.told()) == 1
    best = room.book.best(1)
    asks = {t: 0 for t in room.book.sides[1] if t < best + 500 and t != tick}
    room.book.apply({t: 0 for t in room.book.sides[0] if t > room.book.best(0) - 900}, asks, at_s=room.at_s)
    assert distances([tick], room.book.best(0), room.book.best(1))[0] > 20
    room.wait(2.0)
    assert room.told() == [] and room.counts()["pull"] == room.counts()["absorb"] == 0


def test_a_lost_book_takes_its_walls_along():
    room = Room()
    room.put(1, 20, WALL)
    room.wait(11.0)
    room.desk.depth(10**6, 10**6, at_s=room.at_s)
    assert room.told() == []
    room.desk.synced(room.book._rows(0, room.book.sides[0]), room.book._rows(1, room.book.sides[1]), last_id=2 * 10**6, at_s=room.at_s)
    room.wait(9.0)
    assert room.told() == []
    room.wait(2.0)
    assert [state for _, _, state in room.told()] == ["appear"], "it has stood for ten seconds again"


def test_scale_changes_nothing():
    """4.10: scale-free."""
    told = []
    for factor in (1, 7):
        room = Room(seed=4)
        room.book.apply(*({tick: lots * factor for tick, lots in side.items()} for side in room.book.sides), at_s=room.at_s)
        room.desk.streams[0].configure(wall_least_sizes=500, wall_day_ns=80_000 * S)  # the day begins anew with the new sizes
        room.wait(2.0)
        room.put(0, 25, WALL * factor)
        room.wait(12.0)
        told.append(room.told())
    assert told[0] == told[1] != []


def sizes_seen(levels, n_seen, turn, least):
    """The sizes that a survey adds to the day's: every level until there are enough, then every sixteenth, in turns."""
    for place, (_, size) in enumerate(levels):
        if n_seen < least or (place + turn) % 16 == 0:
            n_seen += 1
            yield size


@settings(max_examples=5)
@given(st.integers(0, 2**32))
def test_every_state_at_every_survey_is_that_of_the_definition(seed):
    """Random books with walls that come, grow, are eaten and vanish; an hour's rules in a minute, so that much happens."""
    rng, least, share = random.Random(seed), 400, 0.97
    rules = {"times": 4.0, "neighbours": 10, "max_bps": 120, "persist_s": 1.0, "settle_s": 0.5, "keep_s": 2.0}
    desk = Desk(
        lambda names: Liquidity(
            names, wall_times=4.0, wall_neighbours=10, wall_bps=120, wall_persist_ns=S, wall_settle_ns=S // 2, wall_keep_ns=2 * S, wall_least_sizes=least,
            wall_quantile=share,
        ),
        px_scale=4, qty_scale=5, tick=100,
    )  # fmt: skip
    book, model, seen, turn = RandomBook(desk, rng, levels=90, width=1_800), reference.Walls(**rules), [], 0
    for step in range(1, 120):
        at_s = step * 0.25
        for _ in range(rng.randint(0, 2)):
            book.step(at_s - 0.2)
        if rng.random() < 0.25:
            side = rng.randrange(2)
            book.apply(*[{rng.choice(list(levels)): 800 + int(rng.lognormvariate(5, 1))} if n == side else {} for n, levels in enumerate(book.sides)], at_s=at_s - 0.2)
        large = [(n, tick) for n, levels in enumerate(book.sides) for tick, lots in levels.items() if lots > 500 and tick != book.best(n)]
        if large and rng.random() < 0.4:
            side, tick = rng.choice(large)
            lots = book.sides[side][tick]
            if rng.random() < 0.6:
                taken = rng.randint(1, lots)
                book.trade(at_s - 0.15, buy=side == 1, lots=taken, tick=tick)
                model.trade(side, tick, taken)
                lots -= taken
            else:
                lots = 0
            if rng.random() < 0.9:
                book.apply(*[{tick: lots} if n == side else {} for n in (0, 1)], at_s=at_s - 0.1)
        desk.tick(at_s, step_s=0.25)
        bids, asks = book.levels(0), book.levels(1)
        best, values = (bids[0][0], asks[0][0]), desk.streams[0].values()
        fresh = len(seen) != values["sizes_seen"]
        if fresh:  # the book had changed: the day's sizes are fed
            for levels in (bids, asks):
                near = [level for level, away in zip(levels, distances([px for px, _ in levels], *best), strict=True) if away <= rules["max_bps"]]
                seen += sizes_seen(near, len(seen), turn, least)
            turn += 1
        assert len(seen) == values["sizes_seen"]
        threshold = None if values["wall_threshold"] is None else values["wall_threshold"] * 1000  # a lot is a thousandth
        if threshold is not None:
            assert threshold == pytest.approx(sorted(seen)[math.ceil(share * len(seen)) - 1], rel=1 / 60)
        model.survey(bids, asks, threshold, at_s, fresh=fresh)
        said = {
            (wall["side"], wall["px"] // 100): (wall["state"], *(wall[name] * 1000 for name in ("quantity", "peak", "traded")), wall["gone"])
            for wall in values["walls"] if wall["state"] not in ("absorb", "pull")
        }  # fmt: skip
        assert said == {
            ("bid" if wall.side == 0 else "ask", wall.px): (wall.state, pytest.approx(wall.size), pytest.approx(wall.peak), pytest.approx(wall.traded), wall.gone_s is not None)
            for wall in model.rows if wall.state not in ("absorb", "pull")
        }  # fmt: skip
        ended = sorted((wall["side"], wall["px"] // 100, wall["state"]) for wall in values["walls"] if wall["state"] in ("absorb", "pull"))
        assert ended == sorted(("bid" if wall.side == 0 else "ask", wall.px, wall.state) for wall in model.rows if wall.state in ("absorb", "pull"))
