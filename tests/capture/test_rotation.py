"""Sockets that are replaced before their time is up, on live order flow: no book is lost, every trade is told once."""

import asyncio
from itertools import pairwise

from p9.simulate import bybit_streams

from .rig import Rig, sooner

ROTATE_S = 1.6


def check_trades(rig: Rig) -> int:
    """Every fill between the first and the last that was told, each once and in order; how many events."""
    rig.read()
    told: dict[tuple[str, str], list[dict]] = {}
    for event in rig.events["trades"]:
        told.setdefault((event["market"], event["venue_symbol"]), []).append(event)
    for (name, symbol), events in told.items():
        if name.startswith("bybit"):
            one = rig.simulator.instruments[name, symbol]
            fills = [bybit_streams.trade_id(one, fill) for fill in one.tape]
            ids = [event["trade_id"] for event in events]
            assert ids == fills[fills.index(ids[0]) :], f"{name} {symbol}"
            continue
        spans = [(int(event.get("first_trade_id", event["trade_id"])), int(event.get("last_trade_id", event["trade_id"]))) for event in events]
        broken = [pair for pair in pairwise(spans) if pair[1][0] != pair[0][1] + 1]
        assert not broken, f"{name} {symbol}: {broken[:3]}"
        last = rig.simulator.instruments[name, symbol].model.next_trade_id - 1
        assert spans[-1][1] == last, f"{name} {symbol}"
    assert len(told) == 2 * len(rig.captures)
    return len(rig.events["trades"])


async def test_rotation_on_every_market_loses_no_book_and_no_trade():
    async with Rig(settings=sooner(rotate_s=ROTATE_S, rotate_jitter_s=0.3), trades=True, seed=3) as rig:
        await rig.until_synced()
        feeds = [feed for capture in rig.captures.values() for feed in capture.feeds]
        await rig.until(lambda: min(feed.rotations for feed in feeds) >= 2)
        await rig.settle()
        rig.check_books()
        rig.check_published()
        n_trades = check_trades(rig)
        print(f"{sum(feed.rotations for feed in feeds)} rotations of {len(feeds)} sockets, {n_trades:,} trades")
        assert not rig.losses() and not any(feed.losses for feed in feeds)
        assert rig.counted("gaps") == 0


async def test_sockets_whose_end_is_announced_are_replaced_at_once():
    async with Rig(markets=("binance_spot", "okx_spot", "okx_swap"), settings=sooner(), trades=True) as rig:
        await rig.until_synced()
        feeds = [feed for capture in rig.captures.values() for feed in capture.feeds]
        assert rig.inject("announce") == 1
        took_s = await rig.until(lambda: all(feed.rotations == 1 for feed in feeds))
        await asyncio.sleep(0.5)
        await rig.settle()
        rig.check_books()
        rig.check_published()
        check_trades(rig)
        print(f"replaced {took_s:.2f} s after the notice")
        assert not rig.losses() and not any(feed.losses for feed in feeds)
        assert all(feed.rotations == 1 for feed in feeds), "once"
