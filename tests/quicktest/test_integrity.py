"""What became of books and of delivery, held against what a simulator did to them, by hand; and each lie is seen."""

from types import SimpleNamespace

import pytest

from p9.config import Config
from p9.instrument import Instrument
from p9.quicktest import gaps, integrity, notices
from p9.quicktest.check import Check
from p9.quicktest.trial import Trial

S = 1_000_000_000
ROW = Instrument(exchange="bybit", market="bybit_linear", symbol="BTC-USDT-PERP", venue_symbol="BTCUSDT", base="BTC", quote="USDT", settle="USDT", kind="perpetual",
                 tick="0.1", step="0.001")  # fmt: skip
OWN, ALL = "integrity:bybit:BTC-USDT-PERP", "integrity:all:-"
BOOK = {"market": "bybit_linear", "symbol": "BTCUSDT"}
DAY = 1_800_000_000_000


def state(at_s: float, state: str, previous: str | None, reason: str, expected=None, got=None, good=None, count=0, lasted_s: float | None = None, **more) -> dict:
    at_ns = round(at_s * S)
    return {
        "kind": "book_state", "ts_recv": at_ns, "ts_pub": at_ns + 1000, "state": state, "previous": previous, "reason": reason, "expected_id": expected, "got_id": got,
        "last_good_id": good, "last_good_time": None if good is None else at_ns - 1000, "duration_ns": None if lasted_s is None else round(lasted_s * S), "count": count,
    } | more  # fmt: skip


# The frame with id 8 is dropped, so 9 shows it; 21 is torn; then the line is cut, when 30 had been told and 29 had come.
TOLD = [
    state(1, "synced", None, "snapshot", got=5),
    state(2.2, "invalid", "synced", "gap", expected=8, got=9, good=7, count=1),
    state(2.5, "synced", "invalid", "snapshot", got=11, good=7, count=1, lasted_s=0.3),
    state(4, "invalid", "synced", "malformed", expected=20, good=20, count=2),
    state(4.25, "synced", "invalid", "snapshot", got=22, good=20, count=2, lasted_s=0.25),
    state(6, "invalid", "synced", "disconnect", expected=29, good=29, count=3),
    state(7, "synced", "invalid", "restart", got=31, good=29, count=3, lasted_s=1.0),
]
DONE = [
    BOOK | {"at_ns": 2 * S, "fault": "drop", "copies": 1, "before": 7, "expects": 8, "finds": 9},
    BOOK | {"at_ns": 3 * S, "fault": "duplicate", "copies": 1, "before": 14, "expects": 15, "finds": 16},
    BOOK | {"at_ns": 4 * S - 1000, "fault": "malformed", "copies": 1, "before": 20, "expects": 21, "finds": 22},
    {"at_ns": 6 * S - 1000, "fault": "disconnect", "market": "bybit_linear", "connection": 3, "books": [BOOK | {"told": 30, "copies": 1}, {"market": "bybit_linear", "symbol": "ETHUSDT", "told": 3, "copies": 1}]},
]  # fmt: skip


class Desk(Trial):
    """What Redis holds, and what the simulator says that it did."""

    def __init__(self, told=TOLD, done=DONE, of_all=(), last=None):
        captures = {ROW.market: SimpleNamespace(instruments={0: ROW})}
        super().__init__(SimpleNamespace(captures=captures, config=Config(), reload=SimpleNamespace(refusals=1), not_ready=list), None, 120.0)
        self.simulator, self.full = self, True
        self._streams, self._done, self._last = {OWN: list(told), ALL: list(of_all)}, list(done), last

    async def stream(self, channel, since_ns=0):
        return self._streams[channel]

    async def last(self, channel):
        return self._last

    async def get(self, path):
        assert path == "/oracle/incidents"
        return self._done


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(integrity, "SETTLED_S", 0.0)


async def verdicts(**of) -> tuple[Check, Check]:
    """(of the books, of delivery and venues)"""
    desk = Desk(**of)
    await integrity.check(desk)
    return tuple(desk.checks)


async def of_the_book(**of) -> Check:
    return (await verdicts(**of))[0]


async def test_each_loss_has_its_cause_and_each_cause_its_loss():
    found = await of_the_book()
    assert found.passed and found.figure == "1 books, 1 disconnect, 1 drop, 1 malformed, 0 relisted", found.figure


def changed(place: int, **more) -> list[dict]:
    return [event | more if n == place else event for n, event in enumerate(TOLD)]


@pytest.mark.parametrize(
    "told, said",
    [
        ([], "nobody told its state"), (TOLD[:-1], "is invalid at the end"), (TOLD[1:], "invalid after synced, but it was not told"), ([*TOLD[:2], *TOLD[3:]], "invalid after synced, but it was invalid"),
        (changed(1, expected_id=7), "gap at 2200000000"), (changed(1, got_id=10), "which nothing caused"), (changed(1, last_good_id=6), "was good until 6, and then until 7"),
        (changed(1, reason="malformed"), "which nothing caused"), (changed(3, reason="gap"), "nobody told of malformed"), (changed(3, expected_id=21), "which nothing caused"),
        (changed(3, got_id=22), "which nothing caused"), (changed(5, expected_id=28), "which nothing caused"), (changed(5, expected_id=31, last_good_id=31), "which nothing caused"),
        (changed(5, ts_recv=12 * S), "nobody told of disconnect"), (changed(5, ts_recv=6 * S - 2000), "which nothing caused"), (changed(1, count=2), "lost 2 times, not 1"),
        (changed(2, duration_ns=300_000_001), "an outage of 300000001 ns, not 300000000"), (changed(2, duration_ns=None), "an outage of None ns"),
        (changed(0, duration_ns=5), "an outage of 5 ns, not None"), (changed(2, expected_id=8), "synced by snapshot, 8 expected"), (changed(2, reason="gap"), "synced by gap"),
        (changed(1, last_good_time=3 * S), "was good until 3000000000, lost at 2200000000"),
        ([*TOLD, state(8, "invalid", "synced", "crossed", got=40, good=39, count=4), state(8.5, "synced", "invalid", "snapshot", got=41, good=39, count=4, lasted_s=0.5)], "crossed at 8000000000"),
        ([*TOLD[:1], state(1.5, "invalid", "synced", "gap", 8, 9, 7, 1), state(1.6, "synced", "invalid", "snapshot", got=9, good=7, count=1, lasted_s=0.1)] + [event | {"count": event["count"] + 1} for event in TOLD[1:]],
         "gap at 2200000000"),  # one cause is none of two losses
        ([*TOLD, {"kind": "relisted", "detail": "tick was 0.1, is 0.2"}], "relisted tick 0.2, which nobody did"),
        ([*TOLD, {"kind": "collision", "detail": "two of one name"}], "which nobody did"),
    ],
)  # fmt: skip
async def test_a_lie_about_a_book_is_seen(told, said):
    found = await of_the_book(told=told)
    assert not found.passed and said in found.figure, found.figure


@pytest.mark.parametrize("fault", ["drop", "malformed", "disconnect"])
async def test_what_was_done_and_is_not_told_is_seen(fault):
    later = next(each for each in DONE if each["fault"] == fault) | {"at_ns": 9 * S}
    found = await of_the_book(done=[*DONE, later])
    assert not found.passed and f"nobody told of {fault}" in found.figure


async def test_what_nobody_can_have_missed_need_not_be_told():
    drop = DONE[0] | {"before": 50, "expects": 51, "finds": 52}
    repairing, cut_next, sent_twice, other_book = drop | {"at_ns": round(2.3 * S)}, drop | {"at_ns": round(5.9 * S)}, drop | {"at_ns": 9 * S, "copies": 2}, drop | {"at_ns": 9 * S, "symbol": "ETHUSDT"}
    image = {key: value for key, value in drop.items() if key not in ("before", "expects", "finds")} | {"at_ns": 9 * S}
    assert (await of_the_book(done=[*DONE, repairing, cut_next, sent_twice, other_book, image])).passed


async def test_the_last_day_of_a_contract_is_told_once_as_it_is():
    done, told = [*DONE, BOOK | {"at_ns": 5 * S, "fault": "listing", "asked": {"last_day_ms": DAY}}], {"kind": "relisted", "detail": f"expires_ns was None, is {DAY * 1_000_000}"}
    assert (await of_the_book(told=[*TOLD, told], done=done)).passed
    for lie in ([], [told | {"detail": f"expires_ns was None, is {DAY}"}], [told | {"kind": "renamed"}], [told, told]):
        assert not (await of_the_book(told=[*TOLD, *lie], done=done)).passed


# ---- of delivery and of venues

REFUSED = {"kind": "configuration", "state": "refused", "detail": "redis.urll", "ts_pub": S}
AHEAD = {"kind": "skew", "source": "okx", "state": "suspect", "previous": "normal", "detail": "okx: our clock is 402 ms behind the venue's; normal -> suspect", "ts_pub": 3 * S}
BACK = {"kind": "skew", "source": "okx", "state": "normal", "previous": "suspect", "detail": "okx: our clock is 1 ms behind the venue's; suspect -> normal", "ts_pub": 5 * S}
SETS = [{"at_ns": 2 * S, "fault": "skew", "market": "okx", "for_s": 0.4}, {"at_ns": 4 * S, "fault": "skew", "market": "okx", "for_s": 0.0}]
ONGOING = {"kind": "maintenance", "source": "okx", "state": "ongoing", "previous": None, "detail": "okx: the rails are oiled: ongoing", "ts_pub": 3 * S}
OVER = ONGOING | {"state": "completed", "previous": "ongoing", "detail": "okx: the rails are oiled: completed"}
WORKS = [{"at_ns": 2 * S, "fault": "maintenance", "venue": "okx", "id": "1", "title": "the rails", "titled": True, "data": True, "state": each} for each in ("scheduled", "ongoing", "completed")]
LATE = {"kind": "lateness", "source": "self", "state": "sheds_low", "previous": "normal", "detail": "the loop is 300 ms late", "ts_pub": 20 * S}
IN_TIME = LATE | {"state": "normal", "previous": "sheds_low"}
DELAY = {"kind": "venue_delay", "source": "okx_swap", "topic": "best", "state": "stale", "previous": "normal", "detail": "okx_swap best: 2500 ms on the way", "ts_pub": 20 * S}
QUICK = DELAY | {"state": "normal", "previous": "stale"}
OPEN = {"kind": "circuit", "lane": "urgent", "state": "open", "previous": "closed", "detail": "lane urgent: closed -> open", "ts_pub": 20 * S}
CLOSED = OPEN | {"state": "closed", "previous": "half_open"}
CIRCUIT = [OPEN, OPEN | {"state": "half_open", "previous": "open"}, CLOSED]


async def of_all(told, done=(), cut_ns=0, pauses=()) -> Check:
    desk = Desk(done=[*DONE, *done], of_all=[REFUSED, *told])
    desk.cut_ns, desk.pauses = cut_ns, list(pauses)
    await integrity.check(desk)
    return desk.checks[1]


async def test_what_is_told_of_delivery_and_of_venues_was_done():
    assert (await of_all([])).passed
    assert (await of_all([AHEAD, BACK, ONGOING, OVER], [*SETS, *WORKS])).passed
    assert (await of_all([LATE, IN_TIME], pauses=[(19 * S, 0.3)])).passed
    assert (await of_all([DELAY, QUICK], [{"at_ns": 15 * S, "fault": "late", "for_s": 2.6}])).passed
    assert (await of_all(CIRCUIT, cut_ns=19 * S)).passed


@pytest.mark.parametrize(
    "told, done, said",
    [
        ([REFUSED], [], "2 told, 1 refused"), ([{"kind": "replay", "detail": "Redis had forgotten", "ts_pub": S}], [], "replay: Redis had forgotten"),
        ([AHEAD, BACK], [], "402 ms behind"), ([AHEAD, BACK], [SETS[1]], "402 ms behind"), ([AHEAD, BACK], [SETS[0] | {"at_ns": 4 * S}], "402 ms behind"), ([AHEAD], SETS, "okx stays suspect"),
        ([AHEAD | {"detail": "okx: our clock is 202 ms behind the venue's"}, BACK], SETS, "202 ms behind"), ([AHEAD | {"detail": "okx: our clock is 402 ms ahead of the venue's"}, BACK], SETS, "ahead"),
        ([BACK], SETS, "okx was normal, not suspect"), ([], SETS, "nobody told that the clock of okx was set"),
        ([ONGOING], WORKS, "nobody told that okx is completed"), ([ONGOING, OVER], [], "the rails are oiled: ongoing"), ([ONGOING, OVER, OVER], WORKS, "the rails are oiled: completed"),
        ([ONGOING | {"detail": "okx: x: ongoing"}, OVER], WORKS, "nobody told that okx is ongoing"),
        ([LATE, IN_TIME], [{"at_ns": 15 * S, "fault": "late", "for_s": 2.6}], "300 ms late"), ([DELAY, QUICK], [], "2500 ms on the way"), ([DELAY], [{"at_ns": 15 * S, "fault": "late", "for_s": 2.6}], "okx_swap best stays stale"),
        ([DELAY, QUICK], [{"at_ns": 3 * S, "fault": "late", "for_s": 2.6}], "2500 ms on the way"), (CIRCUIT, [], "closed -> open"),
    ],
)  # fmt: skip
async def test_a_lie_about_delivery_and_venues_is_seen(told, done, said):
    found = await of_all(told, done)
    assert not found.passed and said in found.figure, found.figure


async def test_a_circuit_that_stays_open_or_opened_before_the_cut_is_seen():
    assert "urgent stays half_open" in (await of_all(CIRCUIT[:2], cut_ns=19 * S)).figure
    assert not (await of_all(CIRCUIT, cut_ns=21 * S)).passed and not (await of_all([OPEN, CLOSED], cut_ns=19 * S)).passed


DOCUMENT = {
    "status": [{"state": "completed", "market_data": True}], "calendar": [{"kind": "delisting", "market": ROW.market, "symbol": ROW.symbol, "time": DAY * 1_000_000}],
    "changes": [{"market": ROW.market, "venue_symbol": "BTCUSDT", "field": "expires_ns", "after": DAY * 1_000_000}],
    "instruments": [{"market": ROW.market, "venue_symbol": "BTCUSDT", "expires_time": DAY * 1_000_000}],
}  # fmt: skip


@pytest.mark.parametrize(
    "lie",
    [None, {"status": []}, {"status": [{"state": "ongoing", "market_data": True}]}, {"calendar": []}, {"changes": []}, {"changes": DOCUMENT["changes"] * 2}, {"instruments": [{**DOCUMENT["instruments"][0], "expires_time": None}]}],
)  # fmt: skip
async def test_what_venues_announce_is_held_against_their_documents(lie):
    done = [work | {"venue": "bybit"} for work in WORKS] + [BOOK | {"at_ns": S, "fault": "listing", "asked": {"last_day_ms": DAY}}]
    desk = Desk(done=done, last=DOCUMENT | (lie or {}))
    await notices.check(desk)
    assert desk.checks[0].passed == (lie is None), desk.checks[0].figure


async def test_repair_times_are_those_between_the_events():
    desk = Desk()
    figures = await gaps.check(desk, 2)
    assert figures["repair_ms"] == {"n": 3, "p50": 300.0, "p99": 1000.0, "worst": 1000.0} and figures["detection_ms"] == {"n": 2, "p50": 0.001, "p99": 0.001, "worst": 0.001}
