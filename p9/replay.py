"""The replay command: recordings through pipelines, streams and Redis, by a clock that the recording sets."""

import argparse
import contextlib
import heapq
import itertools
import json
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from cext.clock import Clock
from cext.outbox import Outbox
from cext.pipeline import Pipeline

from p9 import data_dir
from p9.capture.recording import Recorded, read
from p9.capture.replay import Replay
from p9.config import Config
from p9.confirmation import redis_of
from p9.delivery.epoch import next_epoch
from p9.delivery.publisher import Publisher
from p9.errors import ConfigError, RestError
from p9.instrument import Instrument
from p9.ops import logs
from p9.publication import streams_of
from p9.venue import Market, market
from p9.venues.recognition import Recognition

SAMPLE = 2000  # lines that decide what a file is of
MAX_WAITING = 20_000  # events: then the bus is waited for
REFERENCE_PATHS = ("exchangeInfo", "instruments-info", "public/instruments")
IMAGE_PATHS = ("/depth", "/orderbook", "/books")  # all other answers were asked for their own sake: history, polls, clocks

log = logs.get("replay")


class Road:
    """Makes the pipelines of a replay and the instruments in them."""

    def __init__(self, config: Config, clock: Clock, outbox: Outbox, *, depth: int, streams: bool = True):
        self.clock, self.outbox, self.depth = clock, outbox, depth
        self._streams_of = streams_of(config) if streams else (lambda instrument: [])
        self.known: dict[tuple[str, str], Instrument] = {}
        self._owners: dict[tuple[str, str], str] = {}  # (exchange, symbol): the market that publishes by that name

    def pipeline(self, name: str) -> Pipeline:
        row = market(name)
        rule = row.sequence
        return Pipeline(
            market=name, exchange=row.exchange, normalizer=row.venue.normalizer(row), outbox=self.outbox, clock=self.clock, link=rule.link,
            rest_seeded=rule.rest_seeded, repeats_are_stale=rule.repeats_are_stale, restart_id=rule.restart_id, trades_numbered=row.trades_numbered, prune=self.depth > 0,
        )  # fmt: skip

    def add(self, pipeline: Pipeline, venue_symbol: bytes, px_scale: int, qty_scale: int, tick: int) -> int:
        """An instrument that a frame names: as reference data in the recording describes it, else as its numbers tell, by the venue's name for it, and by that
        of its market too where another market of the venue has the same."""
        name = venue_symbol.decode("utf-8", "replace")
        instrument = self.known.get((pipeline.market, name))
        if instrument is None:
            if self._owners.setdefault((pipeline.exchange, name), pipeline.market) != pipeline.market:
                name = f"{name}-{pipeline.market.partition('_')[2].upper()}"
            instrument = Instrument(
                exchange=pipeline.exchange, market=pipeline.market, symbol=name, venue_symbol=venue_symbol.decode("utf-8", "replace"), base="", quote="", settle="", kind="spot",
                tick="1", step="1",
            )  # fmt: skip
        else:
            px_scale, qty_scale, tick = instrument.px_scale, instrument.qty_scale, instrument.scaled_tick
        aliases = [venue_symbol.lower()] if venue_symbol.lower() != venue_symbol else []
        return pipeline.add(
            venue_symbol=venue_symbol, symbol=instrument.symbol, px_scale=px_scale, qty_scale=qty_scale, tick=tick, contract=instrument.contract,
            contract_value=instrument.contract_value, depth=self.depth, folds_ms=max(form.folds_ms for form in market(pipeline.market).topics),
            aliases=aliases, streams=self._streams_of(instrument),
        )  # fmt: skip

    def learn(self, row: Market, body: bytes) -> None:
        """Reference data that was recorded beside the frames."""
        for instrument in row.venue.parse_instruments(row, [msgspec.json.decode(body)]).instruments:
            self.known[row.name, instrument.venue_symbol] = instrument


async def run(options: argparse.Namespace, config: Config, path: Path | None) -> int:
    """Feed everything; print one line of JSON with what was counted. 1 if a market could not be told for any line."""
    speed = _speed(options.speed)
    if options.market is not None:
        market(options.market)
    async with contextlib.AsyncExitStack() as stack:
        clock = Clock(0)
        outbox, publisher = Outbox(clock, epoch=1), None
        if not options.dry:
            outbox, publisher = await _bus(config, path, clock, stack)
        road = Road(config, clock, outbox, depth=options.depth, streams=not options.dry)
        replay = Replay(
            clock=clock, pipeline_of=road.pipeline, market_of=told_market, add=road.add, speed=speed,
            settle=(lambda: _settle(publisher)) if publisher is not None else None,
        )  # fmt: skip
        began = time.perf_counter()
        await replay.run(referenced(recognised(options.files, options.market), road))
        spent_s = time.perf_counter() - began
        left = await publisher.drain(30.0) if publisher is not None else 0
        books = replay.books()
        if options.books_out is not None:
            options.books_out.write_text(json.dumps(books, indent=1) + "\n")
        print(json.dumps(_figures(replay, books, outbox, spent_s, left, options)))
        if not replay.pipelines:
            print("error: no line tells its market; name it with --market", file=sys.stderr)
            return 1
        return 0


def _speed(text: str) -> float | None:
    """None: as fast as it can."""
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.0 < speed < float("inf"):
        raise ConfigError(f"found {text!r}, allowed is a number above 0, or max", where="--speed")
    return speed


def recognised(files: list[Path], named: str | None) -> Iterator[Recorded]:
    """The lines of several recordings in the order of their receive times, each with its market (None: it is of none that we replay). What a file does not
    tell its own beginning decides, and where that has no depth frame either, the beginnings of the others."""
    begun = [(list(itertools.islice(lines, SAMPLE)), lines) for lines in map(read, files)]
    otherwise = Recognition(itertools.chain.from_iterable(sample for sample, _ in begun)).unnamed
    marked = (_marked(itertools.chain(sample, lines), Recognition(sample, named, otherwise)) for sample, lines in begun)
    return heapq.merge(*marked, key=lambda line: line.recv_ns)


def _marked(lines: Iterable[Recorded], recognition: Recognition) -> Iterator[Recorded]:
    for line in lines:
        if not recognition.has_no_books(line):
            yield line._replace(market=recognition.market_of(line))


def told_market(line: Recorded) -> str | None:
    return line.market


def referenced(lines: Iterable[Recorded], road: Road) -> Iterator[Recorded]:
    """The lines without recorded reference data, which is read on the way, and without what no book needs."""
    for line in lines:
        if line.rest and line.url and any(part in line.url for part in REFERENCE_PATHS):
            if line.market is not None:
                try:
                    road.learn(market(line.market), line.raw)
                except (RestError, msgspec.DecodeError, ValueError, KeyError) as error:
                    log.warning("reference data cannot be read", market=line.market, error=str(error))
            continue
        if line.rest and line.url and not line.url.partition("?")[0].endswith(IMAGE_PATHS):
            continue
        yield line


async def _bus(config: Config, path: Path | None, clock: Clock, stack: contextlib.AsyncExitStack) -> tuple[Outbox, Publisher]:
    folder = data_dir.resolve(config.data_dir, path)
    server = await redis_of(config, folder, simulated=False)
    stack.push_async_callback(server.stop)
    bus = server.bus()
    stack.push_async_callback(bus.client.aclose)
    outbox = Outbox(clock, epoch=await next_epoch(time.time_ns() // 1_000_000, folder / "epoch", bus.client))
    publisher = Publisher(outbox, bus)
    await publisher.start()
    stack.push_async_callback(publisher.stop)
    return outbox, publisher


async def _settle(publisher: Publisher) -> None:
    publisher.flush()
    if publisher.outbox.waiting() > MAX_WAITING:
        await publisher.drain(60.0)


def _delays(pipeline: Pipeline) -> dict[str, dict[str, float]]:
    """By topic, how long frames were on their way by the two clocks; `least` under nothing: the recorder's clock was behind by that at least."""
    return {
        topic: {"least": round(least / 1e6, 3), "median": round(median / 1e6, 3), "p99": round(p99 / 1e6, 3)}
        for topic, (_, least, median, p99) in pipeline.take_delays().items()
    }


def _figures(replay: Replay, books: dict, outbox: Outbox, spent_s: float, left: int, options: argparse.Namespace) -> dict[str, Any]:
    every = [book for market_books in books.values() for book in market_books.values()]
    total = {key: sum(book[key] for book in every) for key in (
        "frames", "events_applied", "events_dropped", "gaps", "crossed", "checksums", "checksums_matched", "bbo_compared", "bbo_agreed", "trades",
    )}  # fmt: skip
    return {
        "lines": replay.lines, "skipped": replay.skipped, "instruments": len(every), **total,
        "synced": sum(book["state"] == "synced" for book in every), "seconds": round(spent_s, 3),
        "delay_ms": {name: _delays(pipeline) for name, pipeline in replay.pipelines.items()},
        "lines_per_s": round(replay.lines / max(spent_s, 1e-9)), "events_left": left,
        "confirmed": None if options.dry else sum(counts["confirmed"] for counts in outbox.stats()["classes"].values()),
    }  # fmt: skip

