"""The venue's latency breaker on figures by hand, and our clock against a venue's."""

import asyncio
import json
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from aiohttp import web

from p9.capture.venue_delay import VenueDelay, VenueDelaySettings
from p9.market.rest import RestClient
from p9.market.venue_clock import VenueClock, VenueClockSettings
from p9.venue import market
from tests.recordings import recording

MS = 1_000_000


class Road:
    """Stands where the pipeline is: the delay that the next second has, in ms."""

    market = "binance_usdm"

    def __init__(self):
        self.ms = {"trades": 155.0, "depth": 8.0}

    def take_delays(self):
        return {name: (50, round(ms * 0.8 * MS), round(ms * MS), round(ms * 2 * MS)) for name, ms in self.ms.items()}

    def impossible_times(self):
        return 0, 0


def watch(clock=None) -> tuple[VenueDelay, Road, list]:
    told, road = [], Road()
    delay = VenueDelay(road, clock=clock, settings=VenueDelaySettings(), tell=lambda kind, detail, **more: told.append((kind, more["topic"], more["state"])))
    return delay, road, told


def test_each_topic_is_judged_by_its_own_past():
    delay, road, told = watch()
    for second in range(100):
        delay.look(second)
    assert told == [], "155 ms is what it always takes"
    road.ms["trades"] = 500.0
    for second in range(100, 104):
        delay.look(second)
    assert told == [("venue_delay", "trades", "degraded")] and delay.stale() == []
    road.ms["trades"] = 3000.0
    for second in range(104, 108):
        delay.look(second)
    assert told[-1] == ("venue_delay", "trades", "stale") and delay.stale() == ["trades"]
    road.ms["trades"] = 160.0
    for second in range(108, 200):
        delay.look(second)
    assert [state for *_, state in told] == ["degraded", "stale", "degraded", "normal"]
    status = delay.status()["topics"]
    assert status["trades"]["trips"] == 2 and status["depth"] == {
        "state": "normal", "delay_ms": 8.0, "p99_ms": 16.0, "usual_ms": 8.0, "trips": 0}  # fmt: skip


def test_a_change_of_state_is_said_through_a_log_that_adds_the_market_itself():
    """The market was given twice: the first late topic of a market ended all tasks of its capture."""
    road, said = Road(), []
    delay = VenueDelay(road, log=lambda event, **more: said.append(dict(market="binance_usdm", event=event, **more)))
    for second in range(100):
        delay.look(second)
    road.ms["trades"] = 3000.0
    for second in range(100, 104):
        delay.look(second)
    assert [(row["market"], row["topic"], row["state"]) for row in said] == [("binance_usdm", "trades", "stale")]


def test_a_spike_of_a_second_and_a_venue_that_got_slower_for_good_are_no_lasting_alarm():
    delay, road, told = watch()
    for second in range(100):
        delay.look(second)
    road.ms["depth"] = 900.0
    delay.look(100)
    road.ms["depth"] = 8.0
    for second in range(101, 200):
        delay.look(second)
    assert told == []
    road.ms["depth"] = 400.0
    for second in range(200, 1000):
        delay.look(second)
    assert [state for *_, state in told] == ["degraded", "normal"], "ten minutes later it is what it always takes"


def test_nothing_is_judged_by_a_clock_that_is_wrong():
    delay, road, told = watch(SimpleNamespace(state="suspended", one_way=lambda least: None))
    for second in range(30):
        delay.look(second)
    road.ms["depth"] = 9000.0
    for second in range(30, 40):
        delay.look(second)
    assert told == []


@pytest.fixture
async def venue():
    """A venue that says what time it is, `ahead_s` off ours, after `wait_s`."""
    state = SimpleNamespace(ahead_s=0.0, wait_s=0.0, asked=0, body=None)

    async def tell(request):
        state.asked += 1
        answer = {"serverTime": round((time.time() + state.ahead_s) * 1000)} if state.body is None else None
        await asyncio.sleep(state.wait_s)
        return web.json_response(answer) if answer is not None else web.Response(text=state.body)

    app = web.Application()
    app.router.add_get("/api/v3/time", tell)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    state.row = market("binance_spot").at(f"http://127.0.0.1:{runner.addresses[0][1]}", "ws://127.0.0.1:1")
    yield state
    await runner.cleanup()


async def judged(venue, until, **settings):
    told, suspect = [], []
    async with RestClient("binance") as client:
        clock = VenueClock(
            venue.row, client, now_ns=time.time_ns, settings=VenueClockSettings(**{"every_s": 0.02, "calm_s": 0.1} | settings),
            tell=lambda kind, detail, **more: told.append((kind, more["state"])), on_suspect=suspect.append,
        )  # fmt: skip
        task = asyncio.create_task(clock.run())
        try:
            async with asyncio.timeout(30):
                while not until(clock):
                    await asyncio.sleep(0.01)
        finally:
            task.cancel()
    return clock, told, suspect


async def test_an_honest_clock_is_said_to_be_one(venue):
    clock, told, suspect = await judged(venue, lambda clock: clock.status()["answers"] >= 5)
    assert told == suspect == [] and abs(clock.offset_ns) <= clock.status()["round_trip_ms"] * MS / 2 + MS and clock.state == "normal"


async def test_a_clock_half_a_second_behind_flags_the_venues_events_until_it_is_set(venue):
    venue.ahead_s = 0.5

    def heal(clock):
        if clock.state == "suspect":
            venue.ahead_s = 0.0
        return venue.ahead_s == 0.0 and clock.state == "normal"

    _clock, told, suspect = await judged(venue, heal)
    assert told == [("skew", "suspect"), ("skew", "normal")] and suspect == [True, False]


async def test_five_seconds_off_suspends_what_is_judged_by_it(venue):
    venue.ahead_s = -5.0
    clock, *_ = await judged(venue, lambda clock: clock.state != "normal")
    assert clock.state == "suspended" and abs(clock.status()["offset_ms"] + 5000) < 50


async def test_one_answer_that_contradicts_all_others_is_none_and_two_are_a_clock_that_was_set(venue):
    clock, *_ = await judged(venue, lambda clock: clock.status()["answers"] >= 5)
    at_first = clock.offset_ns
    clock._take((MS // 10, 3600 * 1000 * MS))  # the shortest round trip of all: somebody's cache
    assert clock.offset_ns == at_first
    clock._take((MS // 10, at_first))
    clock._take((MS // 10, 3600 * 1000 * MS))
    assert clock.offset_ns == at_first, "not two in a row"
    clock._take((40 * MS, 3610 * 1000 * MS))
    assert clock.offset_ns == at_first, "nor do these two agree"
    clock._take((40 * MS, 3610 * 1000 * MS + 30 * MS))
    assert clock.offset_ns == 3610 * 1000 * MS and clock.status()["answers"] == 2


async def test_another_interval_is_in_force_at_once(venue):
    def shorten(clock):
        if clock.status()["answers"] == 5:
            clock.tune(VenueClockSettings(every_s=0.01))
        return clock.status()["answers"] > 7

    await judged(venue, shorten, every_s=3600.0)


async def test_frames_that_come_before_they_were_sent_correct_a_venue_that_does_not_answer(venue):
    venue.body = "<html>busy</html>"
    clock, _, _ = await judged(venue, lambda clock: clock.failures >= 5)
    assert clock.offset_ns is None
    clock.one_way(-1270 * MS)
    assert clock.offset_ns == 1270 * MS, "behind by that at least"
    clock._answers.append((2 * MS, 100 * MS))
    assert clock.offset_ns == 1270 * MS, "an answer that contradicts it is not believed"


@pytest.mark.parametrize("name", ["coinm_btcusdperp_depth0ms_bookTicker_trade", "spot_btcusdt_depth100ms_bookTicker_trade"])
def test_pain_17_the_recorders_clock_was_behind_and_the_replay_says_by_how_much(name):
    path = recording(f"binance/rec_{name}_20240808.txt.gz")
    ran = subprocess.run([sys.executable, "-m", "p9", "replay", "--dry", str(path)], capture_output=True, text=True, timeout=60, check=True)
    (delays,) = json.loads(ran.stdout.splitlines()[-1])["delay_ms"].values()
    assert {topic: abs(figures["least"] + 1270) <= 5 for topic, figures in delays.items()} == dict.fromkeys(delays, True)
