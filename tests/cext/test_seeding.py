"""Candles of a grid that began in their midst, with what came before put in from history: those of the definition, whatever was on its way meanwhile."""

from fractions import Fraction

import pytest
from cext.seeding import Piece
from cext.streams.candles import SECONDS, Candles
from hypothesis import given, settings
from hypothesis import strategies as st

from cext import seeding
from tests.cext.streams.desk import START, START_S, Desk, S
from tests.cext.streams.test_candles import closed, fields, reference

LONG = {name: seconds for name, seconds in SECONDS.items() if seconds >= 60}
CLOSE_BEFORE = Fraction(61_830)


def piece(rows, scales, contract="base", value=1, *, split=True, counted=True) -> Piece | None:
    """Of trades (at ms, first id, last id, price, quantity, bought), oldest first; None of none."""
    if not rows:
        return None
    px, qty, cross = (10**n for n in scales)

    def sums(some) -> tuple[int, int]:
        native = sum((row[4] * qty for row in some), Fraction())
        counter = sum(((row[4] * value / row[3] if contract == "inverse" else row[4] * row[3]) * cross for row in some), Fraction())
        assert native.denominator == 1
        return int(native), int(counter)

    prices = [int(row[3] * px) for row in rows]
    bought = sums([row for row in rows if row[5]]) if split else (0, 0)
    everything = sums(rows)
    return Piece(
        prices[0], max(prices), min(prices), prices[-1], START + rows[0][0] * 1_000_000, START + rows[-1][0] * 1_000_000, bought,
        (everything[0] - bought[0], everything[1] - bought[1]), sum(row[2] - row[1] + 1 for row in rows) if counted else 1, split, counted,
    )  # fmt: skip


def within(trades, from_s: int, to_s: int):
    return sorted(row for row in trades if from_s * 1000 <= row[0] < to_s * 1000)


def seconds_of(candles, trades, first: int, scales, contract, value) -> bool:
    """Put in the seconds from the minute's opening to that of the first live trade, all relative to START."""
    opening = first // 60 * 60
    pieces = [piece(within(trades, at, at + 1), scales, contract, value) for at in range(opening, first + 1)]
    before = within(trades, -(10**6), opening)
    close = before[-1][3] if before else CLOSE_BEFORE
    return seeding.seed_seconds(candles, START_S + opening, pieces, int(close * 10 ** scales[0]))


def minutes_of(candles, trades, to_s: int, openings: dict[str, list[int]], scales, contract, value, **known) -> list:
    """Put in what lies between openings (relative to START) and `to_s`."""
    entries = []
    for name, begins in openings.items():
        for begin in begins:
            end = min(begin + SECONDS[name], to_s)
            entries.append((name, START_S + begin, piece(within(trades, begin, end), scales, contract, value, **known)))
    return seeding.seed(candles, START_S + to_s, entries)


@st.composite
def days(draw):
    """Trades around a moment within the first hours of the day, which live one it begins with, and how late each live one arrives."""
    shift = draw(st.sampled_from([0, 40, 3_540, 7_230]))
    times = sorted({shift * 1000 + at for at in draw(st.lists(st.integers(0, 170_000), min_size=4, max_size=50))})
    trades, next_id = [], 1
    for at in times:
        n = draw(st.sampled_from([1, 1, 2]))
        price, qty = Fraction(draw(st.integers(6_183_000, 6_184_000)), 100), Fraction(draw(st.integers(1, 10**7)), 10**5)
        trades.append((at, next_id, next_id + n - 1, price, qty, draw(st.booleans())))
        next_id += n
    live = draw(st.integers(0, len(trades) - 1))
    delays = draw(st.lists(st.sampled_from([0, 0, 0, 300, 2_500]), min_size=len(trades), max_size=len(trades)))
    delays[live] = 0
    return trades, live, delays


@settings(max_examples=60)
@given(days(), st.sampled_from([("base", "1"), ("linear", "0.01"), ("inverse", "100")]), st.booleans())
def test_pain_18_the_first_candle_of_every_timeframe_is_whole(day, kind, has_trades):
    """With the venue's trades of the first minute at once, else with its closed minutes after the first one is over."""
    trades, live, delays = day
    contract, value = kind[0], Fraction(kind[1])
    desk = Desk(lambda names: Candles(names, forming=False), contract=kind[0], contract_value=kind[1])
    (candles,) = desk.streams
    desk.clock.set(START + trades[live][0] * 1_000_000)
    first = trades[live][0] // 1000
    # what is of the first second or later arrives live; what is older than the first live one, never does
    arriving = sorted((at + delay, at, row) for row, delay in zip(trades[live:], delays[live:], strict=True) for at in (row[0],))
    seed_at = first + 4 if has_trades else (first // 60 + 1) * 60 + 6
    until = trades[-1][0] // 1000 + 200
    seeded = False
    for recv, at, row in [*arriving, (until * 1000, None, None)]:
        if not seeded and recv / 1000 > seed_at:
            desk.tick(seed_at, 0.2)
            scales = seeding.scales(candles)
            if has_trades:
                assert seconds_of(candles, trades, first, scales, contract, value)
                to_s = first // 60 * 60
                openings = {name: [first // seconds * seconds] for name, seconds in LONG.items()}
            else:
                to_s = (first // 60 + 1) * 60
                openings = {name: [at - START_S for at in seeding.incomplete(candles, name) if at - START_S < to_s] for name in LONG}
            n = len(minutes_of(candles, trades, to_s, openings, scales, contract, value))
            assert n == sum(map(len, openings.values()))
            seeded = True
        desk.tick(recv / 1000, 0.2)
        if row is not None:
            _, first_id, last_id, price, qty, bought = row
            desk.trade(at / 1000, float(price), f"{float(qty):.5f}", buyer_is_maker=not bought, first=first_id, last=last_id, recv_s=recv / 1000)
    told = closed(desk.published())
    for name, seconds in SECONDS.items():
        expected = reference(trades, seconds, until - 1, kind[0], value)
        for begin, events in told[name].items():
            if seconds < 60 and begin < first // 60 * 60:
                continue  # began in the minute before: nobody asked for it
            if seconds < 60 and begin <= first and not has_trades:
                assert events[-1]["complete"] is False, "nobody could tell"
                continue
            if begin in expected:
                assert fields(events[-1]) == expected[begin], (name, begin)
            assert events[-1]["complete"] is True, (name, begin)
            assert [event["revision"] for event in events] == list(range(len(events)))
        assert all(begin // seconds * seconds >= first // seconds * seconds for begin in told[name]), "what was before is not told"
    starts = sorted(told["1s"])
    assert starts == list(range(first, first + len(starts)))


def begun(**more) -> tuple[Desk, Candles]:
    """Live since 90.5 s, in the midst of a minute, until 96 s."""
    forming = more.pop("forming", False)
    desk = Desk(lambda names: Candles(names, ["1s", "5s", "1m", "5m", "1h"], forming=forming), **more)
    desk.trade(90.5, "100", "1", own=10)
    desk.trade(92.5, "102", "2", own=11)
    desk.tick(96)
    desk.published()
    return desk, desk.streams[0]


BEFORE = [(10_000, 1, 1, Fraction(98), Fraction(3), True), (61_000, 2, 8, Fraction(99), Fraction(1), False), (90_200, 9, 9, Fraction(97), Fraction(1), True)]
LIVE = [(90_500, 10, 10, Fraction(100), Fraction(1), True), (92_500, 11, 11, Fraction(102), Fraction(2), True)]


def test_by_hand():
    desk, candles = begun()
    scales = seeding.scales(candles)
    assert seeding.incomplete(candles, "1m") == [START_S + 60] and seeding.incomplete(candles, "1s") == [START_S + 90]
    assert seconds_of(candles, [*BEFORE, *LIVE], 90, scales, "base", 1)
    assert minutes_of(candles, BEFORE, 60, {"1m": [60], "5m": [0], "1h": [0]}, scales, "base", 1)
    desk.tick(96.1)
    events = {(event["channel"].split(":")[-1], event["open_time"] // S - START_S): event for event in desk.published()}
    second, five = events["1s", 90], events["5s", 90]
    assert (second["open"], second["low"], second["close"], second["volume"], second["trades"], second["revision"]) == ("97", "97", "100", "2", 2, 1)
    assert (five["open"], five["close"], five["trades"], five["complete"], five["flags"]) == ("97", "102", 3, True, ["backfill"])
    assert set(events) == {("1s", 90), ("5s", 90)}, "what was before the first trade is not told"
    desk.tick(301)
    events = {(event["channel"].split(":")[-1], event["open_time"] // S - START_S): event for event in desk.published()}
    minute, five = events["1m", 60], events["5m", 0]
    assert (minute["open"], minute["high"], minute["low"], minute["close"], minute["volume"], minute["trades"]) == ("99", "102", "97", "102", "5", 10)
    assert (five["open"], five["buy_volume"], five["volume"], five["trades"], five["complete"]) == ("98", "7", "8", 11, True)
    assert seeding.known(candles) == {"1s": START_S + 60, "5s": START_S + 60, "1m": START_S + 60, "5m": START_S, "1h": START_S}


def test_a_trade_that_history_had_already_is_not_counted_twice():
    desk, candles = begun()
    scales = seeding.scales(candles)
    late = (90_900, 12, 12, Fraction(50), Fraction(1), True)
    assert seconds_of(candles, [*BEFORE, *LIVE, late], 90, scales, "base", 1)
    minutes_of(candles, BEFORE, 60, {"1m": [60], "5m": [0]}, scales, "base", 1)
    desk.trade(90.9, "50", "1", own=12, recv_s=96)
    desk.trade(91.2, "60", "1", own=13, recv_s=96)
    desk.tick(121)
    events = [event for event in desk.published("candles:venue:BTC-USDT:1m") if event["open_time"] // S - START_S == 60]
    assert [(event["trades"], event["low"], event["volume"]) for event in events] == [(12, "50", "7")]


def test_a_trade_that_history_had_not_is_added_when_it_comes_at_last():
    """Delayed by seconds, live, and lacking in the venue's answer too: it was taken for one that history holds (simulation, seed 623399977)."""
    desk, candles = begun()
    scales = seeding.scales(candles)
    pieces = [piece(within([*BEFORE, *LIVE], at, at + 1), scales) for at in range(60, 91)]
    pieces[-1] = pieces[-1]._replace(close_at=START + 91 * S - 1)  # as a venue's second ends
    assert seeding.seed_seconds(candles, START_S + 60, pieces, 99 * 10**scales[0], 10, START + 90_500_000_000)
    minutes_of(candles, BEFORE, 60, {"1m": [60], "5m": [0]}, scales, "base", 1)
    desk.trade(90.9, "50", "1", own=12, recv_s=96)
    desk.trade(90.2, "97", "1", own=9, recv_s=96)
    desk.tick(121)
    newest = {event["channel"].split(":")[-1]: event for event in desk.published() if event["open_time"] // S - START_S in (90, 60)}
    assert [newest[name]["trades"] for name in ("1s", "5s", "1m")] == [3, 4, 11] and {newest[name]["low"] for name in newest} == {"50"}
    assert (newest["1s"]["close"], newest["1m"]["close"]) == ("50", "102"), "the last of its second"


def test_history_that_lacks_what_was_seen_is_not_taken():
    _, candles = begun()
    scales = seeding.scales(candles)
    pieces = [piece(within(BEFORE, at, at + 1), scales) for at in range(60, 91)]
    assert not seeding.seed_seconds(candles, START_S + 60, pieces, 99 * 10**scales[0], 9)
    assert seeding.seed_seconds(candles, START_S + 60, pieces, 99 * 10**scales[0]), "ids that tell nothing are not compared"


def test_what_the_venue_does_not_tell_is_null_and_only_in_the_candles_that_hold_it():
    desk, candles = begun(contract="linear", contract_value="0.01")
    scales = seeding.scales(candles)
    minutes_of(candles, BEFORE, 120, {"1m": [60], "5m": [0]}, scales, "linear", Fraction(1, 100))  # not closed yet: refused
    desk.tick(126)
    assert minutes_of(candles, [*BEFORE, *LIVE], 120, {"1m": [60], "5m": [0]}, scales, "linear", Fraction(1, 100), split=False, counted=False)
    desk.tick(301)
    events = {(event["channel"].split(":")[-1], event["open_time"] // S - START_S): event for event in desk.published()}
    for key in (("1m", 60), ("5m", 0)):
        assert [events[key][name] for name in ("buy_volume", "buy_quote_volume", "buy_contracts", "trades")] == [None] * 4
        assert events[key]["complete"] is True and events[key]["volume"] is not None and events[key]["vwap"] is not None
    assert events["1m", 120]["trades"] == 0 and events["1m", 120]["buy_volume"] == "0"


def test_lost_trades_are_made_good_by_the_venues_own_minutes():
    desk = Desk(lambda names: Candles(names, ["1s", "1m", "5m"], forming=False), numbered=True)
    (candles,) = desk.streams
    desk.trade(0.0, "100", "1", own=1)
    desk.tick(65)
    desk.trade(65.0, "100", "1", own=5)
    number = desk.pipeline.holes(desk.ix)[0][0]
    desk.pipeline.close_hole(desk.ix, number, False, START + 66 * S)
    desk.tick(126)
    assert candles.n_losses == 1 and seeding.incomplete(candles, "1m") == [START_S, START_S + 60]
    desk.published()
    truth = [(at, own, own, Fraction(100 + own), Fraction(1), True) for own, at in ((1, 0), (2, 10_000), (3, 40_000), (4, 62_000), (5, 65_000))]
    minutes_of(candles, truth, 120, {"1m": [0, 60], "5m": [0]}, seeding.scales(candles), "base", 1)
    desk.tick(301)
    events = {(event["channel"].split(":")[-1], event["open_time"] // S - START_S): event for event in desk.published()}
    assert [(events["1m", at]["trades"], events["1m", at]["complete"], events["1m", at]["revision"]) for at in (0, 60)] == [(3, True, 1), (2, True, 1)]
    assert (events["5m", 0]["trades"], events["5m", 0]["complete"], events["5m", 0]["high"]) == (5, True, "105")


def test_nothing_changes_where_it_does_not_fit():
    desk, candles = begun()
    fresh = Desk(lambda names: Candles(names, forming=False)).streams[0]
    assert not seeding.seed_seconds(fresh, START_S, [None], 1) and seeding.seed(fresh, START_S, [("1m", START_S, None)]) == []
    assert seeding.known(fresh) == {} and seeding.incomplete(fresh, "1m") == []
    scales = seeding.scales(candles)
    one = piece(LIVE, scales)
    for from_s, pieces in ((60, [one]), (90, [None]), (91, [one]), (60, [one] * 32)):
        assert not seeding.seed_seconds(candles, START_S + from_s, pieces, 1)
    for to_s in (60, 97, 120):
        assert seeding.seed(candles, START_S + to_s, [("1m", START_S + 60, one)]) == [], "its own seconds do not reach from there"
    desk.tick(120.5)
    (minute,) = desk.published("candles:venue:BTC-USDT:1m")
    assert (minute["trades"], minute["complete"], minute["revision"]) == (2, False, 0)


def test_the_forming_candle_is_whole_at_once():
    desk, candles = begun(forming=True)
    scales = seeding.scales(candles)
    seconds_of(candles, [*BEFORE, *LIVE], 90, scales, "base", 1)
    minutes_of(candles, BEFORE, 60, {"1m": [60], "5m": [0], "1h": [0]}, scales, "base", 1)
    desk.tick(97)
    event = desk.published("candles_open:venue:BTC-USDT:1h")[-1]
    assert (event["open"], event["trades"], event["volume"], event["complete"], event["final"], event["flags"]) == ("98", 11, "8", True, False, ["backfill"])


def test_a_second_can_be_read_as_history_tells_it():
    _, candles = begun()
    scales = seeding.scales(candles)
    assert seeding.second(candles, START_S + 90) is None, "its beginning was not seen"
    assert seeding.second(candles, START_S + 92) == (102 * 10**4, 102 * 10**4, 102 * 10**4, 102 * 10**4, (2 * 10**5, 204 * 10**9), (0, 0), 1)
    told = piece(LIVE[1:], scales)
    assert seeding.second(candles, START_S + 92) == (*told[:4], told.bought, told.rest, told.trades)
    assert seeding.second(candles, START_S + 1_000) is None


@pytest.mark.parametrize("px_scale", [2, 4])
def test_scales_are_those_of_the_moment(px_scale):
    desk = Desk(lambda names: Candles(names, forming=False), px_scale=px_scale, qty_scale=3)
    assert seeding.scales(desk.streams[0]) == (px_scale, 3, px_scale + 3)
    desk.trade(0.1, "100.12345678", "1", own=1)
    assert seeding.scales(desk.streams[0])[0] >= 8
