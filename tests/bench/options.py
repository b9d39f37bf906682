"""A second of a large option chain: 744 options, as many as the largest had in September 2026, in each venue's own frames.

`cpu_ms` is all that a second costs: taking the frames, reading them, the figures, the event. `pause_ms` is the longest time that another task of the loop
waited for its turn meanwhile, the worst of a round.
"""

import asyncio
import math
import time
from typing import Any

import msgspec
from cext.clock import Clock
from cext.outbox import Outbox

from p9.capture.line import Connects
from p9.capture.options import OptionCapture, OptionSettings
from p9.instrument import Instrument, canonical
from p9.option import options_of
from p9.simulate import binance_options, bybit_options, okx_options
from p9.simulate.index import Index
from p9.simulate.option_chain import Option, OptionChain
from tests.bench.progress import progress
from tests.cext.streams.published import published

MS = 1_000_000
NOW_MS = 1_790_163_900_000  # 2026-09-23 11:45 UTC
DAY_MS = 86_400_000
DAYS = (1, 2, 3, 9, 16, 30, 44, 65, 93, 184, 275, 366)
EXPIRIES = [NOW_MS // DAY_MS * DAY_MS + day * DAY_MS + 8 * 3_600_000 for day in DAYS]
STRIKES = range(-15, 16)
PER_S = {"binance": 1, "bybit": 3, "okx": 2}  # frames a second: of the chain, of each option, of the family


class Large(OptionChain):
    """Twelve expiries of 31 strikes."""

    def options(self, now_ms: int) -> list[Option]:
        return [
            Option(end, 100.0 * round(860 * math.exp(0.012 * n * (1 + math.sqrt(days) / 4))), call)
            for days, end in zip(DAYS, EXPIRIES, strict=True) for n in STRIKES for call in (True, False)
        ]  # fmt: skip


def name_of(exchange: str, option: Option) -> str:
    if exchange == "okx":
        return okx_options.Family("BTC-USD", None).name_of(option)
    return (binance_options if exchange == "binance" else bybit_options).name_of("BTC", option)


def instrument(exchange: str, option: Option) -> Instrument:
    quote, settle, contract = ("USD", "BTC", "0.01") if exchange == "okx" else ("USDT", "USDT", "1")
    kind = "C" if option.call else "P"
    return Instrument(
        exchange=exchange, market=f"{exchange}_option", venue_symbol=name_of(exchange, option), base="BTC", quote=quote, settle=settle, kind="option", tick="5",
        step="0.01", symbol=canonical("BTC", quote, expires_ns=option.expiry_ms * MS, strike=option.strike_text, option_type=kind), strike=option.strike_text,
        option_type=kind, expires_ns=option.expiry_ms * MS, contract="linear", contract_value=contract, family={"okx": "BTC-USD", "bybit": "BTC"}.get(exchange, "BTCUSDT"),
    )  # fmt: skip


def frames(exchange: str, chain: OptionChain, at_ms: int) -> list[bytes]:
    marks = chain.marks(at_ms)
    if exchange == "binance":
        rows = ",".join(binance_options.Quoted(chain, mark, at_ms).text(at_ms) for mark in marks)
        return [f'{{"stream":"btcusdt@optionMarkPrice","data":[{rows}]}}'.encode()]
    if exchange == "bybit":
        return [bybit_options.Ticker(f"tickers.{name_of('bybit', mark.option)}", chain, mark.option, "").frame(at_ms) for mark in marks]
    family = okx_options.Family("BTC-USD", chain)
    rows = [okx_options.Quoted(family, mark, at_ms).summary(family) for mark in marks]
    arg = '{"channel":"opt-summary","instFamily":"BTC-USD"}'
    return [f'{{"arg":{arg},"data":[{",".join(part)}]}}'.encode() for part in (rows[:372], rows[372:])]


async def second(capture: OptionCapture, said: list[bytes]) -> tuple[float, float]:
    """(CPU in ms, the longest pause of another task in ms)"""
    pauses: list[float] = []

    async def other() -> None:
        last_s = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now_s = time.thread_time()
            pauses.append(now_s - last_s)
            last_s = now_s

    began_s = time.process_time()
    now_ns = capture._clock.now()
    for frame in said:
        capture._hold(frame, now_ns)
    task = asyncio.create_task(other())
    await asyncio.sleep(0)
    await capture.round()
    await asyncio.sleep(0)
    task.cancel()
    return (time.process_time() - began_s) * 1e3, max(pauses) * 1e3


async def of(exchange: str, rounds: int) -> dict[str, Any]:
    progress(exchange)
    source, clock = options_of(exchange), Clock(NOW_MS * MS)
    chain, outbox = Large("BTC", Index("bench", (NOW_MS - 1000) * MS, 86_000.0), "bench"), Outbox(clock, epoch=1)
    capture = OptionCapture(
        source, source.market, client=None, connects=Connects(()), outbox=outbox, clock=clock, settings=OptionSettings(list_s=1e9), log=None
    )  # fmt: skip
    capture._add([instrument(exchange, option) for option in chain.options(NOW_MS)])
    found, size, n_bytes = [], 0, 0
    for n in range(2 * rounds):
        at_ms = NOW_MS + 1000 * n
        clock.set(at_ms * MS)
        said = [frame for k in range(PER_S[exchange]) for frame in frames(exchange, chain, at_ms + k)] if exchange != "okx" else frames(exchange, chain, at_ms)
        found.append(await second(capture, said))
        (event,) = published(outbox)
        size, n_bytes = len(msgspec.json.encode(event)), sum(map(len, said))
    figures = capture.chains[next(iter(capture.chains))]
    return {
        "options": len(figures.options), "frames": len(said), "frames_kb": round(n_bytes / 1024), "event_kb": round(size / 1024),
        "cpu_ms": round(min(cpu for cpu, _ in found), 2), "pause_ms": round(min(pause for _, pause in found), 2),
    }  # fmt: skip


def measure(n: int, rounds: int) -> dict[str, Any]:
    return {exchange: asyncio.run(of(exchange, rounds)) for exchange in PER_S}
