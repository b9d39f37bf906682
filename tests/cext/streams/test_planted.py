"""Whales and jumps that were planted in a simulated venue's order flow: how many are found, and what else alarms. No sockets: the market is played by hand."""

import pytest
from cext.streams.flow import Flow
from cext.streams.momentum import Momentum

from p9.simulate.catalogue import listings
from p9.simulate.index import Index
from p9.simulate.instrument import Instrument
from p9.simulate.plants import Plants
from tests.cext.streams.desk import START, START_S, Desk, S

STEP_S = 0.05
FIRST_S, APART_S, PLANTED = 420, 120, 8  # of each kind, in turn; by then sizes and volatility are known


class Played:
    """Twenty minutes of one market, with what was planted in it, through the desk's decoder."""

    def __init__(self):
        listing = next(row for row in listings("binance_spot", 2, START_S * 1000) if row.symbol == "BTCUSDT")
        self.one = Instrument(listing, Index("1", START, float(listing.price)), "1", START, 25.0, (1,), 1)
        self.desk = Desk(lambda names: Flow(names, floors=(1.0, 1.0, 1.0)), Momentum)
        self.flow, self.momentum = self.desk.streams
        self.plants = Plants({("binance_spot", "BTCUSDT"): self.one})
        self.turns: list = []
        self.one.streams.append(self)

    def on_turns(self, turns) -> None:
        self.turns += turns

    def play(self, until_s: float):
        """Step by step; the time of each in seconds."""
        one, n = self.one, 101
        texts = [[[one.px.trim(tick), one.qty.trim(lots)] for tick, lots in side.top(1 << 30)] for side in one.model.sides]
        self.desk.synced(*texts, last_id=100)
        for step in range(1, round(until_s / STEP_S)):
            at_s = step * STEP_S
            self.turns.clear()
            one.step(START + round(at_s * S))
            if self.turns:
                touched = {spot for turn in self.turns for spot in turn.touched}
                sides = [[[one.px.trim(tick), one.qty.trim(one.model.sides[n].lots.get(tick, 0))] for side, tick in touched if side == n] for n in (0, 1)]
                self.desk.depth(n, n, *sides, at_s=at_s)
                n += 1
                for fill in (fill for turn in self.turns for fill in turn.fills):
                    self.desk.trade(
                        fill.at_ns // 1_000_000 / 1000 - START_S, one.px.trim(fill.tick), one.qty.trim(fill.lots), buyer_is_maker=fill.buyer_is_maker, own=fill.id,
                        recv_s=at_s,
                    )  # fmt: skip
            self.desk.clock.set(START + round(at_s * S))
            self.desk.pipeline.on_timer(START + round(at_s * S))
            yield at_s


@pytest.mark.parametrize("what, side", [("whale", "buy"), ("whale", "sell"), ("jump", "buy"), ("jump", "sell")])
def test_what_is_planted_is_played_and_told(what, side):
    run = Played()
    bid, _, ask, _ = run.one.model.best
    plant = run.plants.plant(what, run.one, side=side, orders=5, every_ms=10, quote=1e5, bps=30, begins_ns=START + S)
    for _ in run.play(3.0):
        pass
    (turn,) = plant.played
    assert turn.at_ns == START + S and all(fill.buyer_is_maker == (side == "sell") for fill in turn.fills), "one order"
    if what == "whale":
        assert float(sum(run.one.money(fill.tick, fill.lots) for fill in turn.fills)) == pytest.approx(1e5, rel=0.02)
    else:
        leapt = turn.fills[-1].tick / (ask if side == "buy" else bid) - 1
        assert leapt == pytest.approx(0.003 if side == "buy" else -0.003, abs=0.0005)
        assert sum(run.one.model.best[::2]) / (bid + ask) - 1 == pytest.approx(leapt, abs=0.001), "and the price stays there"


@pytest.mark.parametrize("wrong", [{"what": "miracle"}, {"side": "up"}, {"bps": 0}, {"quote": -1}])
def test_what_cannot_be_planted_is_refused(wrong):
    run = Played()
    with pytest.raises(ValueError, match="what is one of"):
        run.plants.plant(**{"what": "whale", "one": run.one, "side": "buy", "orders": 1, "every_ms": 0, "quote": 1.0, **wrong})


def test_planted_whales_and_jumps_are_found_and_what_else_alarms_is_printed(capsys):
    """Stated recall: seven in eight, of orders of all that 25 levels hold and of leaps of 25 bps, every two minutes. (Leaps that come faster are no jumps any
    more: the market's own swings after each are its volatility then.) A leap is a large order too."""
    run = Played()
    plants = {
        what: [
            run.plants.plant(
                what, run.one, side=("buy", "sell")[n % 2], orders=1, every_ms=0, quote=20e6, bps=25,
                begins_ns=START + round((FIRST_S + (n + half) * APART_S + 0.3) * S),
            )
            for n in range(PLANTED)
        ]
        for what, half in (("whale", 0), ("jump", 0.5))
    }  # fmt: skip
    end_s = FIRST_S + PLANTED * APART_S
    large: dict[tuple[int, int], str] = {}
    jumps: set[int] = set()
    for at_s in run.play(end_s):
        if at_s >= FIRST_S:
            now_ns = START + round(at_s * S)
            last, moved = run.flow.values(now_ns)["last_large"], run.momentum.values(now_ns)["last_jump"]
            if last is not None:
                large[last["first_id"], last["last_id"]] = last["tier"]
            if moved is not None:
                jumps.add(moved["time"])
    orders = {(turn.fills[0].id, turn.fills[-1].id) for what in plants for plant in plants[what] for turn in plant.played}
    whales = [(turn.fills[0].id, turn.fills[-1].id) for plant in plants["whale"] for turn in plant.played]
    found = [ids for ids in whales if ids in large]
    assert len(whales) == PLANTED and len(found) >= 7 / 8 * PLANTED
    leaps = [plant.orders[0].at_ns for plant in plants["jump"]]
    seen = [at for at in leaps if any(0 <= time - at < 2 * S for time in jumps)]
    assert len(seen) >= 7 / 8 * PLANTED
    hours = (end_s - FIRST_S) / 3600
    swings = [time for time in jumps if any(2 * S <= time - at < 20 * S for at in leaps)]
    others = len(set(large) - orders), len(jumps) - len(seen) - len(swings)
    with capsys.disabled():
        print(
            f"\nplanted whales found: {len(found)} of {PLANTED}, jumps: {len(seen)} of {PLANTED}, swings after them: {len(swings)}; "
            f"other large prints an hour: {others[0] / hours:.0f}, other jumps: {others[1] / hours:.0f}"
        )
    assert others[1] / hours < 60
