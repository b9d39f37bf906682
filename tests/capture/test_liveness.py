"""Each topic has its own pulse: one that falls silent while its siblings go on is found, whatever else its socket says; a quiet market is no alarm."""

import asyncio
from types import SimpleNamespace

import msgspec
import pytest

from p9.capture.liveness import Liveness, LivenessSettings
from p9.errors import RestError
from p9.venue import Topic

from .rig import QUICK, Rig

SOON = msgspec.structs.replace(
    QUICK, liveness=LivenessSettings(tick_s=0.1, first_data_s=5.0, silent_s=0.8, silent_times=4.0, sibling_events=10, again_s=1.0, recycle_after=2)
)
MARKETS = ("binance_spot", "bybit_linear", "okx_swap")
DEAD = {"binance_spot": "BTCUSDT", "bybit_linear": "BTCUSDT", "okx_swap": "BTC-USDT-SWAP"}


async def test_a_book_whose_depth_falls_silent_is_invalid_and_no_other():
    async with Rig(markets=MARKETS, settings=SOON) as rig:
        await rig.until_synced()
        await asyncio.sleep(1.0)  # every topic shows its pace
        rig.simulator.faults.set(",".join(f"drop:1@{name}/{symbol}/book" for name, symbol in DEAD.items()))
        took_s = await rig.until(lambda: len(rig.losses("stale")) == 3)
        assert all(feed.state == "live" for capture in rig.captures.values() for feed in capture.feeds), "the sockets speak on"
        rig.simulator.faults.set("")
        await rig.until_synced()
        await rig.settle()
        rig.check_books()
        rig.check_published()
        print(f"silent depth found after {took_s:.2f} s, back after {rig.repairs_ms()[-1]:.0f} ms")
        lost = {event["channel"] for event in rig.losses("stale")}
        assert lost == {"integrity:binance:BTC-USDT", "integrity:bybit:BTC-USDT-PERP", "integrity:okx:BTC-USDT-PERP"}
        assert took_s < 20.0


async def test_best_prices_that_fall_silent_are_asked_for_again_and_then_the_socket_is_doubted():
    async with Rig(markets=MARKETS, settings=SOON) as rig:
        await rig.until_synced()
        await asyncio.sleep(1.0)
        rig.simulator.faults.set(",".join(f"drop:1@{name}/{symbol}/touch" for name, symbol in DEAD.items()))
        await rig.until(lambda: all(capture.liveness.counts["silent_best"] for capture in rig.captures.values()))
        assert not rig.losses("stale"), "the books are none the worse"
        await rig.until(lambda: all(any("stays silent" in feed.last_loss for feed in capture.feeds) for capture in rig.captures.values()))
        rig.simulator.faults.set("")
        await rig.until(lambda: all("silent" not in capture.liveness.status()["topics"] for capture in rig.captures.values()))
        await rig.until_synced()
        await rig.settle()
        rig.check_books()


async def test_a_quiet_market_is_no_alarm_and_heartbeats_are_no_life():
    """A few orders in ten seconds, then none at all for three: nothing is invalid, nothing asked anew. Pings go both ways all the time."""
    async with Rig(markets=MARKETS, settings=SOON, rate=0.02) as rig:
        await rig.until_synced()
        await asyncio.sleep(4.0)
        rig.simulator.freeze()
        await asyncio.sleep(3.0)
        for capture in rig.captures.values():
            assert not [name for name in capture.liveness.counts if name.startswith("silent")], capture.liveness.counts
            assert capture.resync.counts["renewed"] == 0 and not any(feed.losses for feed in capture.feeds)
        assert not rig.losses()


async def test_a_pace_is_learnt_and_forgotten():
    """The threshold follows the longest pause of late: after a slow hour a fast one makes it short again."""
    async with Rig(markets=("bybit_linear",), settings=SOON) as rig:
        await rig.until_synced()
        liveness = rig.captures["bybit_linear"].liveness
        await rig.until(lambda: liveness.status()["topics"].get("live", 0) >= 4)
        pulse = next(pulse for (_, kind), pulse in liveness._pulses.items() if kind == "depth")
        pulse.longest_s = 100.0
        liveness.settings = msgspec.structs.replace(liveness.settings, pace_half_life_s=0.3)
        await rig.until(lambda: pulse.longest_s < 2.0)


async def test_pain_06_trades_that_fall_silent_are_asked_for_at_the_venue_fetched_and_subscribed_anew():
    """A socket that speaks, books that move, and no trade for ever: nobody noticed, as some instruments do trade once an hour."""
    settings = msgspec.structs.replace(SOON, liveness=msgspec.structs.replace(SOON.liveness, trades_silent_s=1.0), backfill=msgspec.structs.replace(SOON.backfill, quiet_s=0.3))
    async with Rig(markets=MARKETS, settings=settings, trades=True, rate=10.0) as rig:
        await rig.until_synced()
        await rig.until(lambda: all(capture.liveness.status()["topics"].get("live", 0) >= 6 for capture in rig.captures.values()))
        rig.simulator.faults.set(",".join(f"drop:1@{name}/{symbol}/trade" for name, symbol in DEAD.items()))
        await rig.until(lambda: all(capture.liveness.counts["silent_trades"] for capture in rig.captures.values()))
        assert all(capture.resync.counts["renewed"] == 0 and capture.synced for capture in rig.captures.values()), "the books are none the worse"
        await rig.until(lambda: all(capture.backfill.counts["fetched"] for capture in rig.captures.values()))
        rig.simulator.faults.set("")
        await rig.until(lambda: all("silent" not in capture.liveness.status()["topics"] for capture in rig.captures.values()))


class Still:
    """Stands where a pipeline and a feed are: a book that changes all the time, and trades as they are told."""

    def __init__(self, answers):
        self.n = {"depth_frames": 0, "images": 0, "keepalives": 0, "touches": 0, "trades": 0, "backfilled_trades": 0}
        self.clock = SimpleNamespace(now=lambda: 0)
        self.renewed, self.recycled, self.answers, self.asked = [], [], answers, []
        feed = SimpleNamespace(name="1", up=True, connected_s=0.0, refused=lambda _: False, renew=self.renewed.append, recycle=self.recycled.append)
        topics = [(0, Topic(kind, kind, "BTCUSDT", "public"), feed) for kind in ("depth", "trades")]
        self.liveness = Liveness(self, topics, missed=self.missed, settings=LivenessSettings(recycle_after=2))

    def instrument_counters(self, ix):
        return self.n

    async def missed(self, ix, since_ns):
        self.asked.append(-since_ns / 1e9)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def run(self, until_s: int, since_s: int = 0):
        """A look a second, by a clock of its own."""
        for now_s in range(since_s, until_s):
            self.n["depth_frames"] += 10
            self.liveness.look(float(now_s))
            await asyncio.sleep(0)
            await asyncio.sleep(0)


async def test_a_quiet_market_whose_book_moves_is_asked_ever_less_often_and_nothing_is_subscribed_anew():
    venue = Still([False] * 9)
    await venue.run(20)
    venue.n["trades"] += 1
    await venue.run(1000, 20)
    assert [round(silence_s) for silence_s in venue.asked] == [31, 63, 127, 255, 511], "each time after twice the silence"
    assert venue.renewed == venue.recycled == [] and venue.liveness.counts["silent_trades"] == 0


async def test_trades_that_never_spoke_are_doubted_as_well():
    venue = Still([True] + [False] * 9)
    await venue.run(60)
    assert venue.renewed == [["trades"]] and round(venue.asked[0]) == 31


async def test_trades_that_stay_silent_cost_their_socket_in_the_end_and_what_was_fetched_is_no_life():
    venue = Still([True] * 99)
    await venue.run(20)
    venue.n["trades"] += 1
    await venue.run(60, 20)
    venue.n["trades"] += 5
    venue.n["backfilled_trades"] += 5
    await venue.run(62, 60)
    assert venue.liveness.status()["odd"] == ["trades: silent"], "what was fetched did not come by the topic"
    await venue.run(400, 62)
    assert venue.renewed[:2] == [["trades"], ["trades"]] and venue.recycled[0] == "trades stays silent"


@pytest.mark.parametrize("answer", [RestError("away", where="venue"), True])
async def test_a_venue_that_does_not_answer_is_asked_again_later(answer):
    venue = Still([answer] + [False] * 9)
    await venue.run(20)
    venue.n["trades"] += 1
    await venue.run(100, 20)
    if answer is True:
        assert venue.liveness.counts["silent_trades"] == 1 and venue.renewed == [["trades"]]
    else:
        assert venue.renewed == [] and [round(silence_s) for silence_s in venue.asked] == [31]
        await venue.run(130, 100)
        assert [round(silence_s) for silence_s in venue.asked][1] == 92
