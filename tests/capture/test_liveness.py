"""Each topic has its own pulse: one that falls silent while its siblings go on is found, whatever else its socket says; a quiet market is no alarm."""

import asyncio

import msgspec

from p9.capture.liveness import LivenessSettings

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
