"""Inferred runs of stops: how often the detector speaks on recordings, and that it tells planted runs from planted liquidations (design, 4.13)."""

import asyncio

from cext.clock import Clock
from cext.names import Names
from cext.streams.stop_triggers import StopTriggers

from p9.capture.recording import merge
from p9.capture.replay import Replay
from tests.capture.test_replay import pipeline_of
from tests.patience import until
from tests.recordings import recording

S = 10**9
RECORDED = {
    "binance_spot": "binance/rec_spot_btcusdt_depth100ms_bookTicker_trade_20240808.txt.gz",
    "binance_usdm": "binance/rec_usdm_btcusdt_depth0ms_bookTicker_trade_20240808.txt.gz",
    "binance_coinm": "binance/rec_coinm_btcusdperp_depth0ms_bookTicker_trade_20240808.txt.gz",
}
QUICK = {"swing_bar_ns": S // 5, "swing_bars": 1, "settle_ns": S, "confidence": 0.0}  # a swing is everywhere


def spoken(market: str, **settings) -> tuple[dict[str, int], float]:
    """What the detector counted on a recording, and the hours that this took."""
    clock, times, streams = Clock(0), [], []

    def add(pipeline, name, px_scale, qty_scale, tick):
        streams.append(StopTriggers(Names(exchange="binance", symbol=name.decode(), market=market, venue_symbol=name.decode()), **settings))
        aliases = () if name.lower() == name else (name.lower(),)
        return pipeline.add(venue_symbol=name, symbol=name.decode(), px_scale=px_scale, qty_scale=qty_scale, tick=tick, aliases=aliases, streams=streams[-1:])

    async def settle():
        if clock.now():
            times.append(clock.now())

    run = Replay(clock=clock, pipeline_of=lambda name: pipeline_of(clock, name), market_of=lambda line: market, add=add, settle=settle)
    asyncio.run(run.run(merge([recording(RECORDED[market])])))
    (stream,) = streams
    return stream.counters(), (times[-1] - times[0]) / 3600e9


def test_false_alarms_by_hour_on_recordings(record_property, capsys):
    """Nobody knows which of these were runs of stops: taken as if none was, this is an upper bound."""
    for what, settings in {"as configured": {}, "swings of a second": {"swing_bar_ns": S, "swing_bars": 3}}.items():
        told, hours = 0, 0.0
        for market in RECORDED:
            counted, lasted = spoken(market, **settings)
            told, hours = told + counted["inferred"], hours + lasted
        with capsys.disabled():
            print(f"\nstop runs inferred, {what}: {told} in {hours:.2f} symbol-hours, {told / hours:.1f} an hour")
        record_property(f"stop runs an hour, {what}", told / hours)
        assert hours > 0.25
        assert told / hours <= 4 if not settings else told > 0, "with the defaults it is quiet; that it hears anything at all, the quick swings show"


async def test_a_planted_run_is_found_and_a_planted_cascade_is_taken_for_what_it_is(run):
    also = [lambda names: StopTriggers(names, **QUICK)]
    first = await run("binance_usdm", also=also)
    others = [await run(name, also=also, simulator=first.simulator) for name in ("bybit_linear", "okx_swap")]
    await asyncio.gather(*map(look_for_stops, (first, *others)))


async def look_for_stops(now):
    forced, stopped = (row.venue_symbol for row in now.capture.instruments.values())
    streams = {row.venue_symbol: next(s for s in now.pipeline.streams(ix) if isinstance(s, StopTriggers)) for ix, row in now.capture.instruments.items()}

    def plant(what, symbol, side, quote):
        return now.simulator.plants.plant(what, now.simulator.instruments[now.name, symbol], side=side, orders=12, every_ms=30, quote=quote)

    def found(symbol, planted):
        now.hear()
        times = [turn.at_ns for turn in planted.played]
        return [
            event for event in now.events["stop_triggers"]
            if event["venue_symbol"] == symbol and event["since"] <= times[-1] and event["until"] >= times[0] // 10**6 * 10**6
        ]  # fmt: skip

    told = []
    for _ in range(5):  # the simulator's own liquidations, and where the price stands, can explain a run or leave it without a level
        swings = [plant("burst", forced, "sell", 5e5), plant("burst", stopped, "buy", 5e5)]  # the price comes back: a low and a high
        await until(lambda swings=swings: all(len(swing.played) == 12 for swing in swings))
        await asyncio.sleep(1.0)
        cascade, stops = plant("cascade", forced, "sell", 3e6), plant("stop_run", stopped, "buy", 3e6)
        await until(lambda cascade=cascade, stops=stops: len(stops.played) == len(cascade.played) == 12)
        await asyncio.sleep(2.0)
        assert not [event for event in found(forced, cascade) if event["side"] == "sell"], "liquidations are no stops"
        told = told or found(stopped, stops)
        if told and streams[forced].n_liquidated:
            break
    (event,) = told
    assert streams[forced].n_liquidated, "the cascade went beyond a level, and was taken for what it is"
    assert (event["kind"], event["side"], event["liquidations_told"]) == ("stop_run_inferred", "buy", True)
    assert event["prints"] >= 10 and 0 < event["confidence"] < 1 and event["level"] is not None
