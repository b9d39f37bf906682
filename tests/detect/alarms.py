"""How often what is detected alarms on real recordings, an hour of one symbol. Nobody knows which of these alarms are false: all of them may be."""

import asyncio
from pathlib import Path
from typing import Any, NamedTuple

from cext.clock import Clock
from cext.outbox import Outbox
from cext.pipeline import Pipeline
from cext.streams.flow import Flow
from cext.streams.liquidity import Liquidity
from cext.streams.momentum import Momentum
from cext.streams.signals import Signals
from cext.streams.spoofing import Spoofing

from p9.capture.replay import Replay
from p9.config import parse
from p9.evaluate import every_stream
from p9.instrument import Instrument
from p9.replay import Road, recognised, referenced, told_market

LOOK_NS, HOUR_NS = 1_000_000_000, 3_600_000_000_000
RECORDINGS = (
    "binance/rec_spot_btcusdt_depth100ms_bookTicker_trade_20240808.txt.gz", "binance/rec_usdm_btcusdt_depth0ms_bookTicker_trade_20240808.txt.gz",
    "binance/rec_coinm_btcusdperp_depth0ms_bookTicker_trade_20240808.txt.gz", "okx/ws_books-l2-tbt_2022-02-27_10inst_spot_swap_option_30s.jsonl",
    "bybit/DERIVED_v5shape_linear_8symbols_30s_2021-04-17.jsonl",
)  # fmt: skip
BITCOIN = [  # what reference data would say: the recordings have none
    Instrument(exchange="binance", market=market, symbol=ours, venue_symbol=name, base="BTC", quote=quote, settle=settle, kind=kind, tick=tick, step=step, **more)
    for market, name, ours, quote, settle, kind, tick, step, more in (
        ("binance_spot", "BTCUSDT", "BTC-USDT", "USDT", "USDT", "spot", "0.01", "0.00001", {}),
        ("binance_usdm", "BTCUSDT", "BTC-USDT-PERP", "USDT", "USDT", "perpetual", "0.1", "0.001", {}),
        ("binance_coinm", "BTCUSD_PERP", "BTC-USD-PERP", "USD", "BTC", "perpetual", "0.1", "1", {"contract": "inverse", "contract_value": "100"}),
    )
]  # fmt: skip
BOUNDS = {"whale": 300.0, "jump": 300.0, "spike": 250.0, "wall": 1000.0, "spoof": 20.0, "cascade": 10.0}  # alarms an hour of a symbol, all recordings together


class Alarms(NamedTuple):
    counts: dict[str, int]
    hours: dict[str, float]  # of symbols for which that could alarm at all: the book is known, enough was seen

    def an_hour(self, name: str) -> float | None:
        return self.counts[name] / self.hours[name] if self.hours[name] else None


class _Watched:
    """The streams of one instrument."""

    def __init__(self, streams: list[Any]):
        self.by_kind = {type(stream): stream for stream in streams}
        self.hours = dict.fromkeys(BOUNDS, 0.0)

    def look(self, now_ns: int) -> None:
        flow, momentum = self.by_kind[Flow].values(now_ns), self.by_kind[Momentum].values(now_ns)
        leaps = momentum["jumps"]["1s"]["l"] is not None
        armed = {
            "whale": flow["thresholds"]["whale"] is not None, "jump": leaps, "spike": leaps,
            "wall": self.by_kind[Liquidity].values()["wall_threshold"] is not None, "spoof": self.by_kind[Spoofing].values()["threshold"] is not None,
            "cascade": "liquidations" in self.by_kind[Signals].values()["signals"],
        }  # fmt: skip
        for name, is_armed in armed.items():
            self.hours[name] += is_armed * LOOK_NS / HOUR_NS

    def counts(self) -> dict[str, int]:
        prints, leaps = self.by_kind[Flow].counters(), self.by_kind[Momentum].counters()
        return {
            "whale": prints["whale_prints"] + prints["mega_prints"], "jump": leaps["jumps"], "spike": leaps["spikes"],
            "wall": self.by_kind[Liquidity].values()["counts"]["appear"], "spoof": self.by_kind[Spoofing].values()["told"],
            "cascade": self.by_kind[Signals].tally()["begun"]["liquidations"],
        }  # fmt: skip


def heard(path: Path) -> Alarms:
    """One recording, with every stream as the configuration's defaults have it."""
    clock = Clock(0)
    outbox = Outbox(clock, epoch=1)
    road = Road(every_stream(parse("")), clock, outbox, depth=0)
    for row in BITCOIN:
        road.known[row.market, row.venue_symbol] = row
    watched: list[_Watched] = []

    def add(pipeline: Pipeline, *named: Any) -> int:
        ix = road.add(pipeline, *named)
        watched.append(_Watched(pipeline.streams(ix)))
        return ix

    def look(now_ns: int) -> None:
        if now_ns % LOOK_NS == 0:
            for one in watched:
                one.look(now_ns)

    async def forget() -> None:
        for lane in (0, 1):
            while outbox.take(lane) is not None:
                outbox.disconnected(lane)
                outbox.abandon(lane)

    replay = Replay(clock=clock, pipeline_of=road.pipeline, market_of=told_market, add=add, look=look, settle=forget)
    asyncio.run(replay.run(referenced(recognised([path], None), road)))
    return together([Alarms(one.counts(), one.hours) for one in watched])


def together(parts: list[Alarms]) -> Alarms:
    return Alarms(*({name: sum(part[i][name] for part in parts) for name in BOUNDS} for i in (0, 1)))
