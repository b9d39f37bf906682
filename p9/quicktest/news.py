"""News: every coin's index leaps, and every market follows. The momentum of each was as large as what was traded allows, its signal points where it went, and all
venues together say so."""

import asyncio
from decimal import Decimal
from typing import Any

from p9.instrument import Instrument
from p9.quicktest.channels import shared
from p9.quicktest.trial import Trial

BPS = 40
CASCADE = {"what": "cascade", "orders": 8, "every_ms": 250, "quote": 3_000_000}
TRIES = 4
TOLD_S = 15.0
LOOK_S = 0.5
READY_S = 150.0  # a momentum of ten seconds is known after a hundred of quotes
LEAST_SHARE = 0.3  # of the leap, that a mean of ten seconds comes to at its height: books follow in some seconds
OVER = 1.2  # of the range that was traded: the mid may stand beyond it


async def plant(trial: Trial) -> None:
    """Down and up in turn, until every instrument's signals have said so."""
    assert trial.simulator is not None
    if not trial.enabled("signals"):
        return
    await trial.eventually(lambda: _ready(trial), READY_S)
    for n in range(TRIES):
        trial.caused |= {("signals", "all", symbol) for symbol in shared(trial)}
        told = await trial.simulator.post("/oracle/news", {"bps": BPS, "side": ("sell", "buy")[n % 2]})
        trial.news.append(told | {"returns": {}})
        await asyncio.gather(*(_liquidate(trial, row, told["side"]) for row in trial.instruments() if row.kind != "spot"))
        for _ in range(round(TOLD_S / LOOK_S)):
            await _measure(trial)
            followed = not trial.enabled("momentum") or all(_height(trial, row) >= LEAST_SHARE * BPS for row in trial.instruments())
            if followed and not await _silent(trial, told):
                return
            await asyncio.sleep(LOOK_S)


async def _ready(trial: Trial) -> bool:
    """Whether every momentum of ten seconds is known."""
    for row in trial.instruments() if trial.enabled("momentum") else ():
        event = await trial.last(f"{trial.word('momentum')}:{row.exchange}:{row.symbol}")
        if event is None or event["horizons"] is None or event["horizons"]["10s"]["z"] is None:
            return False
    return True


async def _liquidate(trial: Trial, row: Instrument, side: str) -> None:
    """Whoever it ruins."""
    assert trial.simulator is not None
    body = CASCADE | {"market": row.market, "symbol": row.venue_symbol, "side": side}
    trial.orders.append((row, await trial.simulator.post("/oracle/plant", body)))


async def _measure(trial: Trial) -> None:
    """The largest mean return of ten seconds since the news, in its direction."""
    news = trial.news[-1]
    sign = 1 if news["side"] == "buy" else -1
    for row in trial.instruments():
        event = await trial.last(f"{trial.word('momentum')}:{row.exchange}:{row.symbol}") if trial.enabled("momentum") else None
        value = (event["horizons"] or {}).get("10s", {}).get("return_bps") if event is not None and event["ts_pub"] > news["at_ns"] else None
        if value is not None:
            key = (row.exchange, row.symbol)
            news["returns"][key] = max(news["returns"].get(key, 0.0), sign * value)


def _height(trial: Trial, row: Instrument) -> float:
    """Of all news there was."""
    return max(news["returns"].get((row.exchange, row.symbol), 0.0) for news in trial.news)


async def _silent(trial: Trial, news: dict[str, Any]) -> list[str]:
    """Whose signals have not told it."""
    direction = "up" if news["side"] == "buy" else "down"
    found = []
    for row in trial.instruments():
        events = await trial.stream(f"{trial.word('signals')}:{row.exchange}:{row.symbol}", news["at_ns"])
        if trial.enabled("momentum") and not any(event.get("signal") == "momentum" and event["direction"] == direction and event["ts_pub"] > news["at_ns"] for event in events):
            found.append(f"{row.exchange}:{row.symbol}")
    for symbol in shared(trial):
        if not await trial.stream(f"{trial.word('signals')}:all:{symbol}"):
            found.append(f"all:{symbol}")
    return found


async def check(trial: Trial) -> None:
    if not trial.news:
        return
    wrong: list[str] = []
    told: set[str] = set()
    everybody = {f"{row.exchange}:{row.symbol}" for row in trial.instruments()} | {f"all:{symbol}" for symbol in shared(trial)}
    for news in trial.news:
        told |= everybody - set(await _silent(trial, news))
    wrong += [f"signals:{name} did not tell it" for name in sorted(everybody - told)]
    heights: dict[tuple[str, str], float] = {}
    for row in trial.instruments() if trial.enabled("momentum") else ():
        key = (row.exchange, row.symbol)
        heights[key] = height = _height(trial, row)
        traded = await _range_bps(trial, row)
        if not LEAST_SHARE * BPS <= height <= OVER * traded:
            wrong.append(f"momentum of {row.market} {row.symbol} was {height:.1f} bps at its height, of {traded:.1f} that were traded")
    figure = f"{len(trial.news)} times {BPS} bps; {len(told)} signals told it"
    if heights:
        figure += f"; {len(heights)} returns of ten seconds, {min(heights.values()):.0f} to {max(heights.values()):.0f} bps"
    trial.note("news moves every market, and its signals", told and not wrong, "; ".join(wrong[:3]) or figure)


async def _range_bps(trial: Trial, row: Instrument) -> float:
    """From the lowest to the highest price since the news."""
    assert trial.simulator is not None
    start_ms = trial.news[0]["at_ns"] // 1_000_000 - 10_000
    bars = await trial.simulator.get(f"/oracle/{row.market}/{row.venue_symbol}/klines?interval=1s&start={start_ms}")
    low, high = min(Decimal(bar["low"]) for bar in bars), max(Decimal(bar["high"]) for bar in bars)
    return float((high - low) / low) * 1e4
