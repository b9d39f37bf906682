"""Pipelines for tests, and frames written by hand."""

import json

from cext.clock import Clock
from cext.outbox import Outbox
from cext.pipeline import Pipeline

from p9.venue import market

NOW_NS = 1_700_000_000_000_000_000


def pipeline_for(name: str, symbols=("BTCUSDT",), **options) -> Pipeline:
    row = market(name)
    rule = row.sequence
    clock = Clock(NOW_NS)
    pipeline = Pipeline(
        market=name, exchange=row.exchange, normalizer=row.venue.normalizer(row), outbox=Outbox(clock, epoch=1), clock=clock, link=rule.link,
        rest_seeded=rule.rest_seeded, repeats_are_stale=rule.repeats_are_stale, restart_id=rule.restart_id, **options,
    )  # fmt: skip
    for symbol in symbols:
        add(pipeline, symbol)
    return pipeline


def add(pipeline: Pipeline, symbol: str, **options) -> int:
    scales = {"px_scale": 4, "qty_scale": 5, "tick": 100, "depth": 1000} | options
    aliases = [symbol.lower().encode()] if symbol.lower() != symbol else []
    return pipeline.add(venue_symbol=symbol.encode(), symbol=symbol, aliases=aliases, **scales)


def spot(first: int, last: int, bids=(), asks=(), symbol="BTCUSDT") -> bytes:
    data = {"e": "depthUpdate", "E": 1, "s": symbol, "U": first, "u": last, "b": bids, "a": asks}
    return json.dumps({"stream": f"{symbol.lower()}@depth@100ms", "data": data}).encode()


def perp(first: int, last: int, prev: int, bids=(), asks=()) -> bytes:
    data = {"e": "depthUpdate", "E": 1, "T": 1, "s": "BTCUSDT", "U": first, "u": last, "pu": prev, "b": bids, "a": asks}
    return json.dumps({"stream": "btcusdt@depth@100ms", "data": data}).encode()


def image(last: int, bids=(("100", "1"),), asks=(("101", "1"),)) -> bytes:
    return json.dumps({"lastUpdateId": last, "bids": bids, "asks": asks}).encode()


def best(last: int, bid=("100", "1"), ask=("101", "1")) -> bytes:
    data = {"u": last, "s": "BTCUSDT", "b": bid[0], "B": bid[1], "a": ask[0], "A": ask[1]}
    return json.dumps({"stream": "btcusdt@bookTicker", "data": data}).encode()


def states(pipeline: Pipeline) -> list[tuple[str, str]]:
    return [(notice.state, notice.reason) for notice in pipeline.take_notices()]


def synced() -> Pipeline:
    pipeline = pipeline_for("binance_spot")
    pipeline.feed_bytes(spot(5, 10), NOW_NS)
    assert pipeline.image(0, image(10), NOW_NS) == "events"
    assert states(pipeline) == [("synced", "snapshot")]
    return pipeline
