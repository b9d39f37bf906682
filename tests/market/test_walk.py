"""A walk over the pages of a venue that repeats, skips, cuts and disorders them ends with what the venue has, each row once."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p9.budget import Budget
from p9.errors import RestError
from p9.history import Ask, PriceRow, Row, Series, TradeRow
from p9.instrument import Instrument
from p9.market.walk import HOUR_NS, Hole, Position, Walk
from p9.venue import Market, Request, market

MINUTE = 60 * 10**9
START = 1_795_532_400 * 10**9
INSTRUMENT = Instrument(
    exchange="venue", market="venue_line", symbol="A-B", venue_symbol="AB", base="A", quote="B", settle="B", kind="perpetual", tick="0.1", step="1"
)
ROW = market("binance_usdm")  # of which only the name is said


class Venue:
    """Rows by time or by id. Of every other answer or so, something is wrong: but what was asked for in vain three times is really not there."""

    def __init__(self, rows: dict[int, int], page: int, seed: int, faults: tuple[str, ...]):
        self.rows, self.page, self.faults, self.asked = rows, page, faults, 0
        self._draw = random.Random(seed)
        self._last: list[list] = []
        self._calm = 0

    async def get(self, market: Market, request: Request, priority: object, *, attempts: int | None = None) -> bytes:
        self.asked += 1
        first, last, _, limit = (int(value) for _, value in request.params)
        wanted = sorted(key for key in self.rows if first <= key <= last)[: min(limit, self.page)]
        answer = [[key, self.rows[key]] for key in wanted]
        self._calm += 1
        if self.faults and self._calm > 3 and self._draw.random() < 0.5:
            self._calm = 0
            fault = self._draw.choice(self.faults)
            if fault == "repeats":
                answer = [list(row) for row in self._last]
            elif fault == "skips" and answer:
                answer = answer[self._draw.randrange(len(answer)) :]
            elif fault == "drops" and len(answer) > 2:
                del answer[self._draw.randrange(1, len(answer) - 1)]
            elif fault == "disorders":
                self._draw.shuffle(answer)
            elif fault == "doubles":
                answer += answer[: len(answer) // 2]
            elif fault == "is empty":
                answer = []
            elif fault == "breaks a row" and answer:
                answer[self._draw.randrange(len(answer))][1] = None
        self._last = answer
        return json.dumps(answer).encode()


def request(market: Market, instrument: Instrument, ask: Ask) -> Request:
    by_id = ask.first_id is not None
    span = (ask.first_id, ask.first_id + 10**9) if by_id else (ask.first_ns, ask.last_ns)
    return Request("/rows", Budget("rows", 1000, 1.0), 1, (("first", str(span[0])), ("last", str(span[1])), ("by_id", str(int(by_id))), ("limit", "1000")))


def priced(instrument: Instrument, raw: list) -> Row:
    return PriceRow(raw[0], None, None, None, str(int(raw[1])))


def traded(instrument: Instrument, raw: list) -> Row:
    """An id a minute; what is told twice is told the same."""
    return TradeRow(START + raw[0] * MINUTE, str(raw[0]), str(int(raw[1])), "1", "buy")


def stepped(page: int, **more) -> Series:
    return Series(kind="mark_price", row=PriceRow, request=request, rows=list, read=priced, page=page, steps={"1m": "1m"}, **more)


def by_id(page: int) -> Series:
    def locate(market: Market, instrument: Instrument, at_ns: int) -> Request:
        first = -(-(at_ns - START) // MINUTE)
        return Request("/rows", Budget("rows", 1000, 1.0), 1, (("first", str(first)), ("last", str(10**9)), ("by_id", "1"), ("limit", "1")))

    return Series(kind="trades", row=TradeRow, request=request, rows=list, read=traded, page=page, locate=locate)


def walk(venue: Venue, series: Series, n: int, start: Position | None = None, now_ns: int = START + 10**15) -> Walk:
    return Walk(
        venue, ROW, series, INSTRUMENT, since_ns=START, until_ns=START + n * MINUTE, now_ns=lambda: now_ns, timeframe="1m" if series.steps else "", start=start
    )


async def everything(one: Walk) -> list[Row]:
    return [row for rows in [rows async for rows in one.pages()] for row in rows]


FAULTS = ("repeats", "skips", "drops", "disorders", "doubles", "is empty", "breaks a row")


@settings(max_examples=60)
@given(st.integers(1, 60), st.integers(2, 25), st.integers(0, 10**6), st.sets(st.integers(0, 59), max_size=12), st.booleans())
async def test_pages_with_faults_come_out_whole_and_real_holes_are_named(n, page, seed, missing, numbered):
    there = [i for i in range(n) if i not in missing]
    if numbered:
        venue, series = Venue({i: i * 7 for i in there} | {n: 0}, page, seed, FAULTS), by_id(page)
        first = there[0] if there else n
        holes = {i for i in missing if first < i < n}
    else:
        venue, series = Venue({START + i * MINUTE: i * 7 for i in there}, page, seed, FAULTS), stepped(page)
        holes = {i for i in missing if i < n}
    one = walk(venue, series, n)
    rows = await everything(one)
    assert [(row.time - START) // MINUTE for row in rows] == there
    found = {i if hole.by_id else (i - START) // MINUTE for hole in one.holes for i in range(hole.first, hole.last + 1, 1 if hole.by_id else MINUTE)}
    assert found == holes
    assert all(hole.first <= hole.last for hole in one.holes) and len(one.holes) == len({hole.first for hole in one.holes})


@settings(max_examples=30)
@given(st.integers(2, 40), st.integers(2, 9), st.data())
async def test_a_walk_taken_up_again_goes_on_where_it_was(n, page, data):
    truth = {START + i * MINUTE: i for i in range(n)}
    rows: list[Row] = []
    position = None
    while True:
        one = walk(Venue(truth, page, 1, ()), stepped(page), n, position)
        pages = data.draw(st.integers(1, 3))
        whole = True
        async for found in one.pages():
            rows += found
            position = Position(found[-1].time + MINUTE)
            pages -= 1
            if not pages:
                whole = False
                break
        if whole:
            break
    assert [row.time for row in rows] == sorted(truth)


async def test_a_sparse_page_tells_of_its_whole_window_and_leaves_no_hole():
    truth = {START + i * MINUTE: i for i in (0, 7, 8, 29)}
    venue = Venue(truth, 10, 1, ())
    one = walk(venue, stepped(10, sparse=True), 30)
    assert [row.time for row in await everything(one)] == sorted(truth) and not one.holes and venue.asked == 3


async def test_what_still_forms_is_left_out_and_so_is_what_may_not_be_final_yet():
    venue = Venue({START + i * MINUTE: i for i in range(10)}, 100, 1, ())
    assert len(await everything(walk(venue, stepped(100), 100, now_ns=START + 5 * MINUTE + 4 * 10**9))) == 4
    assert len(await everything(walk(venue, stepped(100), 100, now_ns=START + 5 * MINUTE + 6 * 10**9))) == 5


async def test_what_the_venue_has_forgotten_is_a_hole_from_the_first():
    truth = {START + i * MINUTE: i for i in range(60)}
    for more in ({"reach_rows": 20}, {"reach_s": 20 * 60.0}):
        one = walk(Venue(truth, 100, 1, ()), stepped(100, settle_s=0.0, **more), 60, now_ns=START + 60 * MINUTE)
        assert len(await everything(one)) in (19, 20) and one.holes[0].first == START and len(one.holes) == 1


async def test_settlements_that_come_when_they_come_and_a_page_that_is_too_full():
    moments = [START + i * HOUR_NS for i in (0, 8, 16, 17, 18, 19, 20, 24)]
    series = Series(kind="mark_price", row=PriceRow, request=request, rows=list, read=priced, page=4)
    venue = Venue(dict.fromkeys(moments, 1), 4, 1, ())
    one = Walk(venue, ROW, series, INSTRUMENT, since_ns=START, until_ns=START + 25 * HOUR_NS, now_ns=lambda: START + 10**15)
    assert [row.time for row in await everything(one)] == moments and one.counts["again"] > 0, "a full page may have been cut"


async def test_the_newest_page_says_what_it_does_not_reach():
    series = Series(kind="trades", row=TradeRow, request=lambda *_: request(ROW, INSTRUMENT, Ask(0, 0, first_id=50)), rows=list, read=traded, page=10, newest_only=True)
    one = walk(Venue({i: i for i in range(50, 60)}, 10, 1, ()), series, 100)
    assert [row.id for row in await everything(one)] == [str(i) for i in range(50, 60)]
    assert one.holes == [Hole(START, START + 50 * MINUTE - 1)]


async def test_an_answer_without_rows_is_an_error_of_ours_and_a_row_of_tomorrow_is_none():
    class Html(Venue):
        async def get(self, *_: object, **__: object) -> bytes:
            return b'{"oops": 1}'

    def strange(answer: object) -> list:
        return answer["rows"]  # type: ignore[index]

    series = Series(kind="mark_price", row=PriceRow, request=request, rows=strange, read=priced, page=10, steps={"1m": "1m"})
    with pytest.raises(RestError, match="without a list"):
        await everything(walk(Html({}, 1, 1, ()), series, 10))
    one = walk(Venue({START: 1, START + MINUTE: 2}, 10, 1, ()), stepped(10), 2, now_ns=START - 2 * 86_400 * 10**9)
    assert await everything(one) == []
