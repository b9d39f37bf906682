"""Audits on the socket simulator: images and candles that the venue makes apart from its streams come to the same, and a phantom is found."""

import asyncio
import json
from decimal import Decimal

import pytest

from p9.capture.audits import MINUTE_NS, AuditSettings
from p9.market.rest import Priority
from p9.simulate.bar import Period
from p9.simulate.faults import Scope
from p9.venue import Kline
from tests.capture.captured import Captured
from tests.patience import until


async def audited(now: Captured, ix: int) -> None:
    """Until one audit could tell."""
    for _ in range(20):
        if await now.capture.audits.book(ix):
            return
        await asyncio.sleep(0.2)
    raise AssertionError(now.capture.audits.counts)


@pytest.mark.parametrize("name", ["binance_spot", "binance_usdm", "bybit_linear", "okx_swap"])
async def test_a_live_book_equals_an_image_made_apart_from_its_stream(run, name):
    now = await run(name)
    for ix in now.capture.instruments:
        await audited(now, ix)
    counts = now.capture.audits.counts
    assert counts["book_equal"] == 2 and counts["book_different"] == 0 and now.capture.audits.levels > 400


def plant(now: Captured) -> bool:
    """A level that the venue does not have, far from the touch, in a change that fits: the next one of the venue's goes on behind it. False where the
    book is lost at once: the venue's best prices of that id had come already."""
    book, row = now.pipeline.book(0), now.capture.instruments[0]
    prices = {Decimal(price) for price, _ in book["bids"]}
    tick = Decimal(row.tick)
    free = next(price for price in (deep - tick for deep in sorted(prices)[100:]) if price not in prices)
    change = {"e": "depthUpdate", "E": 1, "s": row.venue_symbol, "U": book["id"] + 1, "u": book["id"] + 1, "b": [[str(free), "77"]], "a": []}
    frame = json.dumps({"stream": f"{row.venue_symbol.lower()}@depth@100ms", "data": change}).encode()
    assert now.pipeline.feed_bytes(frame, now.pipeline.clock.now()) == "events"
    return now.pipeline.states()[0] == "synced"


async def test_pain_04_a_phantom_level_is_found_told_and_resynced(run):
    now = await run("binance_spot")
    counts = now.capture.audits.counts
    for _ in range(10):  # the venue's own next change may have had just this id: then it is a gap, and no audit is needed
        planted = plant(now)
        for _ in range(20):
            if planted and await now.capture.audits.book(0):
                break
            await asyncio.sleep(0.1)
        if counts["book_different"]:
            break
        await until(lambda: now.capture.synced)
    assert counts["book_different"] == 1, counts
    await until(lambda: now.capture.synced)
    await audited(now, 0)
    now.hear()
    (told,) = now.events["audits"]
    assert told["kind"] == "book" and "levels differ" in told["detail"]
    assert "disagrees" in [gap.reason for gap in now.ledger.rows() if gap.kind == "book"]


async def test_the_clock_starts_audits_by_itself_and_stale_images_are_no_difference(run):
    now = await run("binance_spot")
    now.simulator.inject("stale_snapshot", Scope("binance_spot"), count=1)
    now.capture.audits.settings = AuditSettings(books_s=0.5, candles_s=0, again_s=0.2)
    task = asyncio.create_task(now.capture.audits.run())
    try:
        await until(lambda: now.capture.audits.counts["book_equal"] >= 2)
    finally:
        task.cancel()
    assert now.capture.audits.counts["book_different"] == 0


@pytest.mark.parametrize("name", ["binance_spot", "bybit_linear", "okx_swap"])
async def test_pain_18_closed_minutes_are_held_against_the_venues_own(run, name):
    """The minute is shortened by asking for the candles of the run's first seconds: what is not closed, or not whole, is not compared."""
    now = await run(name)
    row = now.capture.instruments[0]
    audits = now.capture.audits
    kline = Kline(60 * 10**9, "100", "110", "90", "105", "7.50", 12)
    ours = {"open_time": 60 * 10**9, "open": "100", "high": "110", "low": "90", "close": "105", "volume": "7.5", "trades": 12}
    audits._hold(0, ours, kline)
    audits._hold(0, {**ours, "volume": "7.4", "trades": 11}, kline)
    audits._hold(0, {**ours, "volume": "7.4", "trades": 11}, kline)
    now.hear()
    (told,) = now.events["audits"]
    assert told["detail"] == "minute 00:01: volume 7.4, the venue's 7.50; trades 11, the venue's 12" and told["symbol"] == row.symbol
    assert audits.counts["candles_equal"] == 1 and audits.counts["candles_different"] == 1, "told once, however often it is asked"
    first_ns = (now.pipeline.clock.now() // MINUTE_NS - 3) * MINUTE_NS
    request = now.row.venue.klines_request(now.row, row.venue_symbol, first_ns, 3)
    klines = now.row.venue.read_klines(await now.client.get_json(now.row, request, Priority.AUDIT))
    assert [kline.open_time_ns for kline in klines] == [first_ns + n * MINUTE_NS for n in range(3)]
    one = now.simulator.instruments[name, row.venue_symbol]
    bars = one.candles.between(Period(60_000), first_ns // 10**6, first_ns // 10**6 + 180_000 - 1)
    assert [Decimal(kline.close) for kline in klines] == [one.px.value(bar.close) for bar in bars]
