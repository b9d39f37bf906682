"""What is planted on request is played as asked, and told as it was played."""

from types import SimpleNamespace

import pytest

from p9.simulate.plants import _told
from tests.detect.world import START, S, World


def played(world: World, until_s: float) -> None:
    for _ in world.play(until_s):
        pass


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_whale_is_one_order_of_all_that_is_asked_for(side):
    world = World("1")
    plant = world.plant("whale", side=side, orders=5, quote=300_000)
    played(world, 2.0)
    (turn,) = plant.played
    assert turn.at_ns == START + S // 10 and all(fill.buyer_is_maker == (side == "sell") for fill in turn.fills), "one order"
    assert float(sum(world.one.money(fill.tick, fill.lots) for fill in turn.fills)) == pytest.approx(300_000, rel=0.02)


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_after_a_jump_the_price_stays_where_it_leapt_to(side):
    world = World("1")
    bid, _, ask, _ = world.one.model.best
    plant = world.plant("jump", side=side, quote=1.0, bps=30)
    played(world, 3.0)
    (turn,) = plant.played
    leapt = turn.fills[-1].tick / (ask if side == "buy" else bid) - 1
    assert leapt == pytest.approx(0.003 if side == "buy" else -0.003, abs=0.0005)
    assert sum(world.one.model.best[::2]) / (bid + ask) - 1 == pytest.approx(leapt, abs=0.001)


@pytest.mark.parametrize("side, number", [("buy", 0), ("sell", 1)])
def test_a_wall_stands_where_and_as_long_as_asked_and_nobody_else_takes_it_back(side, number):
    world = World("1")
    bid, _, ask, _ = world.one.model.best
    plant = world.plant("wall", side=side, quote=1e6, bps=40, stands_ms=20_000)
    lots, book = plant.orders[0].lots, world.one.model.sides[number].lots
    played(world, 0.2)
    tick = plant.orders[0].rests.tick
    assert tick / ((bid + ask) / 2) - 1 == pytest.approx(-0.004 if side == "buy" else 0.004, abs=0.0001)
    for at_s in (1, 5, 10, 15, 20):
        played(world, at_s)
        assert book[tick] >= lots
    told = _told(plant)
    assert told["rests"] == {"quantity": world.one.qty.trim(lots), "price": world.one.px.trim(tick)} and told["played"] == []
    assert (told["ends_ns"] - told["begins_ns"]) == 20 * S
    played(world, 20.2)
    assert book.get(tick, 0) < lots / 10


def test_a_wall_that_the_price_runs_through_is_taken_and_what_is_gone_is_not_taken_back():
    world = World("1")
    plant = world.plant("wall", side="sell", quote=50_000, bps=5, stands_ms=5_000)
    world.plant("jump", side="buy", quote=1.0, bps=40)
    played(world, 6.0)
    tick = plant.orders[0].rests.tick
    taken = sum(fill.lots for fill in world.one.tape if fill.tick == tick and not fill.buyer_is_maker)
    assert taken >= plant.orders[0].lots and tick not in world.one.model.sides[1].lots
    assert min(world.one.model.sides[1].lots) > tick, "the book is not crossed"


@pytest.mark.parametrize("side, number", [("buy", 0), ("sell", 1)])
def test_a_spoof_is_gone_after_the_other_side_was_hit(side, number):
    world = World("1")
    plant = world.plant("spoof", side=side, quote=1e6, bps=8, stands_ms=1_000)
    book = world.one.model.sides[number].lots
    played(world, 0.2)
    tick, lots = plant.orders[0].rests.tick, plant.orders[0].lots
    assert book[tick] >= lots
    played(world, 1.5)
    assert book.get(tick, 0) < lots / 10
    against = [turn for turn in plant.played if turn.fills]
    assert len(against) == 1 and against[0].at_ns == plant.orders[0].at_ns + S // 2
    assert all(fill.buyer_is_maker == (side == "sell") for fill in against[0].fills)
    assert sum(fill.lots for fill in against[0].fills) == lots // 20


@pytest.mark.parametrize("wrong", [{"what": "miracle"}, {"side": "up"}, {"bps": 0}, {"quote": -1}, {"stands_ms": 0}, {"orders": 0}, {"every_ms": -1}])
def test_what_cannot_be_planted_is_refused(wrong):
    world = World("1")
    with pytest.raises(ValueError, match="what is one of"):
        world.plants.plant(**{"what": "whale", "one": world.one, "side": "buy", "orders": 1, "every_ms": 0, "quote": 1.0, **wrong})


def test_nobody_is_liquidated_on_a_spot_market_without_margin():
    world = World("1")
    with pytest.raises(ValueError, match="spot"):
        world.plants.plant("cascade", SimpleNamespace(is_spot=True, lends=False), side="buy", orders=1, every_ms=0, quote=1.0)


def test_what_was_not_asked_for_is_the_same_with_and_without_a_plant_until_it_begins():
    one, other = World("9"), World("9")
    other.plants.plant("wall", other.one, side="buy", orders=1, every_ms=0, quote=1e6, begins_ns=START + 5 * S)
    played(one, 4.9)
    played(other, 4.9)
    assert [side.lots for side in one.one.model.sides] == [side.lots for side in other.one.model.sides] and list(one.one.tape) == list(other.one.tape)
