"""The order flow keeps a market's laws, and depends on nothing but its seed."""

import itertools
from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from p9.simulate.index import Index
from p9.simulate.market import ASK, BID, FEWEST_LEVELS, MOST_LEVELS, Market

START_NS = 1_795_532_000_000_000_000


def make(seed: int, rate: float = 2_000.0, id_steps=(1,)) -> Market:
    index = Index(f"{seed}", START_NS, 86_000.0, sigma=1e-4)
    return Market(f"{seed}", index, START_NS, tick=0.1, lot=300, rate=rate, id_steps=id_steps, liquidations=True)


def levels(market: Market, side: int) -> dict[int, int]:
    return dict(market.sides[side].lots)


@settings(max_examples=8)
@given(st.integers(0, 1 << 32))
def test_the_book_is_never_crossed_and_stays_deep(seed):
    market = make(seed)
    for ms in range(10, 2_000, 10):
        for turn in market.step(START_NS + ms * 1_000_000):
            if turn.best:
                assert turn.best[0] < turn.best[2]
        assert max(market.sides[BID].lots) < min(market.sides[ASK].lots)
        for side in market.sides:
            assert FEWEST_LEVELS <= len(side.ranks) <= MOST_LEVELS
            assert side.ranks == sorted(side.ranks)
            assert {rank * side.sign for rank in side.ranks} == side.lots.keys() == side.orders.keys()
            assert min(side.lots.values()) > 0 and min(side.orders.values()) > 0 and min(side.lots) > 0


@settings(max_examples=8)
@given(st.integers(0, 1 << 32))
def test_trades_take_exactly_what_leaves_the_book_best_price_first(seed):
    market, seen = make(seed), 0
    while seen < 50:
        before = [levels(market, side) for side in (BID, ASK)]
        turns = market.step(market.next_ns)
        turn = turns[0] if turns else None
        if turn is None or not turn.fills:
            continue
        seen += 1
        maker_side = BID if turn.fills[0].buyer_is_maker else ASK
        taken = defaultdict(int)
        for fill in turn.fills:
            assert fill.buyer_is_maker == (maker_side == BID) and fill.turn_id == turn.id
            taken[fill.tick] += fill.lots
        ladder = sorted(before[maker_side], reverse=maker_side == BID)
        assert list(taken) == ladder[: len(taken)], "a level was passed over"
        after = levels(market, maker_side)
        for place, (tick, lots) in enumerate(taken.items()):
            assert lots + after.get(tick, 0) == before[maker_side][tick]
            assert place == len(taken) - 1 or tick not in after, "a level was left half eaten on the way"


def test_every_change_of_the_book_is_told():
    market = make(7)
    mirror = [levels(market, side) for side in (BID, ASK)]
    for ms in range(10, 3_000, 10):
        for turn in market.step(START_NS + ms * 1_000_000):
            for side, tick in turn.touched:
                lots = market.sides[side].lots.get(tick, 0)
                if lots:
                    mirror[side][tick] = lots
                else:
                    mirror[side].pop(tick, None)
    assert mirror == [levels(market, side) for side in (BID, ASK)]


def test_the_seed_alone_decides_however_often_one_steps():
    fine, coarse = make(3), make(3)
    turns = [turn for ms in range(1, 1_001) for turn in fine.step(START_NS + ms * 1_000_000)]
    assert turns == coarse.step(START_NS + 1_000_000_000)
    assert turns != make(4).step(START_NS + 1_000_000_000)


def test_ids_rise_without_holes_where_the_venue_has_none_and_with_holes_elsewhere():
    ids = [turn.id for turn in make(5).step(START_NS + 1_000_000_000)]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    sparse = [turn.id for turn in make(5, id_steps=(1, 2, 9)).step(START_NS + 1_000_000_000)]
    assert {b - a for a, b in itertools.pairwise(sparse)} == {1, 2, 9}
    trades = [fill.id for turn in make(6).step(START_NS + 3_000_000_000) for fill in turn.fills]
    assert trades == list(range(trades[0], trades[0] + len(trades)))


def test_one_taker_order_often_fills_several_times_and_at_several_prices():
    turns = [turn for turn in make(8).step(START_NS + 5_000_000_000) if turn.fills]
    assert max(len(turn.fills) for turn in turns) > 5
    assert any(len({fill.tick for fill in turn.fills}) > 1 for turn in turns)


def test_the_price_follows_the_index():
    market = make(9, rate=300.0)
    for second in range(1, 60):
        market.step(START_NS + second * 1_000_000_000)
    bid, _, ask, _ = market.best
    assert abs((bid + ask) / 2 / market.fair(START_NS + 59_000_000_000) - 1) < 2e-4
