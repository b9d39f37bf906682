"""Stored snapshots: CPU of one from the book to the disk, and bytes of one, of generated books and of the recordings that are here.

A generated second has CHANGED frames of 15 levels, about as many as the busiest recorded books change in a second (160 to 380 of 2000). What the loop
pays is the difference between ticks with and without storage; the rest is done in a thread. "json" is that of the same books, on average.
"""

import asyncio
import itertools
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
from cext.clock import Clock
from cext.names import Names
from cext.outbox import Outbox
from cext.pipeline import Pipeline
from cext.streams.snapshots import Snapshots

from p9.capture.recording import merge
from p9.capture.replay import Replay
from p9.client.film import END, KEY, Projector, read_record
from p9.instrument import Instrument
from p9.snapshots.keeper import Keeper
from p9.snapshots.packing import pack
from p9.snapshots.shelf import Shelf
from p9.venue import market
from p9.venues.recognition import Recognition
from tests.bench.market_stream import SHAPES, generate
from tests.bench.progress import progress
from tests.bench.rig import NOW_NS, instrument_of, named
from tests.recordings import FOLDER

CHANGED = 20
BOOKS = 20
SECOND_NS = 10**9
RECORDINGS = (
    "binance/rec_spot_btcusdt_depth100ms_bookTicker_trade_20240808.txt.gz", "binance/rec_usdm_btcusdt_depth0ms_bookTicker_trade_20240808.txt.gz",
    "binance/rec_coinm_btcusdperp_depth0ms_bookTicker_trade_20240808.txt.gz", "bybit/ws_orderbook500_XRPUSDT_linear_2024-12-01.jsonl",
    "okx/ws_books_2022-05-13_BTC-USDT_UNI-USD-SWAP_BTC-USD-220527_with_trades_tickers.jsonl",
)  # fmt: skip
MINUTE = 60


def _road(frames: Any, keeper: Keeper | None) -> tuple[Clock, Pipeline]:
    shape, clock = frames.shape, Clock(NOW_NS)
    row = market(shape.market)
    rule = row.sequence
    pipeline = Pipeline(
        market=shape.market, exchange=row.exchange, normalizer=row.venue.normalizer(row), outbox=Outbox(clock, epoch=1), clock=clock, link=rule.link,
        rest_seeded=rule.rest_seeded, repeats_are_stale=rule.repeats_are_stale, restart_id=rule.restart_id, prune=False,
    )  # fmt: skip
    for number in range(BOOKS):
        each = instrument_of(shape, number)
        symbol = each.venue_symbol.encode()
        names = Names(exchange=each.exchange, symbol=each.symbol, market=each.market, venue_symbol=each.venue_symbol)
        stream = Snapshots(names)
        if keeper is not None:
            stream.store(keeper.film_of(each))
        ix = pipeline.add(
            venue_symbol=symbol, symbol=each.symbol, px_scale=each.px_scale, qty_scale=each.qty_scale, tick=each.scaled_tick, streams=[stream],
            aliases=() if symbol.lower() == symbol else (symbol.lower(),),
        )  # fmt: skip
        if shape.rest_seeded:
            pipeline.image(ix, named(frames.snapshot, number), clock.now())
        else:
            pipeline.feed_bytes(named(frames.snapshot, number), clock.now())
    return clock, pipeline


async def _seconds(frames: Any, keeper: Keeper | None) -> tuple[float, float, int]:
    """(CPU of the ticks, CPU of the thread's work, snapshots)"""
    clock, pipeline = _road(frames, keeper)
    ticks_s = thread_s = 0.0
    snapshots = 0
    for second in range(len(frames.depth) // CHANGED):
        clock.set(NOW_NS + second * SECOND_NS)
        for frame in frames.depth[second * CHANGED : (second + 1) * CHANGED]:
            for number in range(BOOKS):
                pipeline.feed_bytes(named(frame, number), clock.now())
        began = time.process_time()
        for tick in range(20):
            clock.set(NOW_NS + second * SECOND_NS + tick * SECOND_NS // 20)
            pipeline.on_timer(clock.now())
        ticks_s += time.process_time() - began
        snapshots += BOOKS
        if keeper is not None:
            began = time.process_time()
            await keeper.flush()
            thread_s += time.process_time() - began
    return ticks_s, thread_s, snapshots


def _cost(venue: str, n: int, rounds: int) -> dict[str, float]:
    progress(venue)
    frames = generate(venue, max(CHANGED, n // BOOKS))
    best: dict[str, float] = {}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            keeper = Keeper(epoch=1, shelf=Shelf(Path(folder), epoch=1, max_bytes=1 << 30, keep_ms=1 << 50))
            ticks_s, thread_s, snapshots = asyncio.run(_seconds(frames, keeper))
            without_s, _, _ = asyncio.run(_seconds(frames, None))
            status = keeper.status()
        for name, spent_s in (("loop_us", max(0.0, ticks_s - without_s)), ("thread_us", thread_s)):
            best[name] = min(best.get(name, 1e9), round(spent_s / snapshots * 1e6, 1))
        best["bytes"] = round(status["packed_bytes"] / status["packed"])
    return {**best, "us": round(best["loop_us"] + best["thread_us"], 1)}


def _recorded(path: Path) -> dict[str, dict[str, float]]:
    """{market and symbol: figures} of every book that had ten snapshots or more."""
    clock = Clock(0)
    outbox, keeper = Outbox(clock, epoch=1), Keeper(epoch=1)
    streams: dict[str, Snapshots] = {}

    def pipeline_of(name: str) -> Pipeline:
        row = market(name)
        rule = row.sequence
        return Pipeline(
            market=name, exchange=row.exchange, normalizer=row.venue.normalizer(row), outbox=outbox, clock=clock, link=rule.link,
            rest_seeded=rule.rest_seeded, repeats_are_stale=rule.repeats_are_stale, restart_id=rule.restart_id, trades_numbered=row.trades_numbered,
        )  # fmt: skip

    def add(pipeline: Pipeline, symbol: bytes, px_scale: int, qty_scale: int, tick: int) -> int:
        text = symbol.decode()
        row = Instrument(exchange=pipeline.exchange, market=pipeline.market, symbol=text, venue_symbol=text, base="", quote="", settle="", kind="spot", tick="1", step="1")
        names = Names(exchange=row.exchange, symbol=text, market=row.market, venue_symbol=text)
        stream = streams[f"{pipeline.market} {text}"] = Snapshots(names)
        stream.store(keeper.film_of(row))
        aliases = [symbol.lower()] if symbol.lower() != symbol else []
        return pipeline.add(
            venue_symbol=symbol, symbol=text, px_scale=px_scale, qty_scale=qty_scale, tick=tick, depth=1000, aliases=aliases,
            streams=[stream],
        )  # fmt: skip

    recorded = merge([path])
    sample = list(itertools.islice(recorded, 2000))
    recognition = Recognition(sample, None)
    replay = Replay(clock=clock, pipeline_of=pipeline_of, market_of=recognition.market_of, add=add)
    asyncio.run(replay.run(itertools.chain(sample, recorded)))
    frames = keeper.reel.take()
    report = {}
    for number, name in enumerate(streams):
        raw, sizes, projector, crc = [], {True: [], False: []}, Projector(), 0
        for frame in (frame for frame in frames if frame.book == number and frame.kind != END):
            record, crc = pack(frame, crc)
            projector.show(read_record(record))
            book = projector.snapshot().plain()
            raw.append(len(msgspec.json.encode({side: book[side] for side in ("bids", "asks")})))
            sizes[frame.kind == KEY].append(len(record))
        if len(sizes[False]) < 5:
            continue
        json, whole, change = (sum(each) / len(each) for each in (raw, sizes[True], sizes[False]))
        stored = (whole + (MINUTE - 1) * change) / MINUTE
        report[name] = {
            "snapshots": len(raw), "json": round(json), "key": round(whole), "change": round(change), "bytes": round(stored), "times_less": round(json / stored),
        }  # fmt: skip
    return report


def measure(n: int, rounds: int) -> dict[str, Any]:
    """{venue: {"us": CPU a snapshot, "loop_us" of it on the loop, "thread_us" beside it, "bytes"}, "share_300": of a core for 300 books, "generated_bytes": the most of
    "bytes", "recorded"}"""
    report: dict[str, Any] = {venue: _cost(venue, n, min(rounds, 3)) for venue in SHAPES}
    report["share_300"] = round(max(report[venue]["us"] for venue in SHAPES) * 300 / 1e6, 4)
    report["generated_bytes"] = max(report[venue]["bytes"] for venue in SHAPES)
    recorded: dict[str, Any] = {}
    for name in RECORDINGS if n >= 1000 else ():
        if (FOLDER / name).exists():
            progress(name)
            recorded |= _recorded(FOLDER / name)
    return {**report, "recorded": recorded}
