"""What is put into the simulated venues on the way: faults of frames and sockets, and orders that somebody should find."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from decimal import Decimal
from functools import partial
from typing import Any

from p9 import coverage
from p9.quicktest import news, notices, patterns, rails, whales
from p9.quicktest.gaps import REPAIR_S
from p9.quicktest.pools import DECLINE_PERCENT
from p9.quicktest.trial import Trial

Plant = tuple[str, Callable[[], Awaitable[Any]]]
CASCADE = 2_000_000
HEARD_S = 10.0


def orders(trial: Trial) -> list[Plant]:
    """A whale that buys in every market, and where somebody can be liquidated a cascade of longs; every insurance pool pays for it."""
    assert trial.simulator is not None
    simulator = trial.simulator
    plants: list[Plant] = []

    def order(kind: str, row: Any, plant: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        async def planted() -> None:
            if trial.appliance.config.analytics.trades.enabled:  # what is traded before its socket is open is nobody's to tell
                await trial.hears("trades", {(row.exchange, row.symbol)}, HEARD_S)
            trial.caused.add((kind, row.exchange, row.symbol))
            await plant()

        return planted

    async def cascade(row: Any) -> None:
        body = {"what": "cascade", "market": row.market, "symbol": row.venue_symbol, "side": "sell", "quote": CASCADE}
        trial.orders.append((row, await simulator.post("/oracle/plant", body)))

    async def decline() -> None:
        watched = trial.appliance.config.analytics.insurance_fund_monitor
        rows = await simulator.get("/oracle/insurance") if watched.enabled else []
        funds = {(row["venue"], row["asset"]) for row in rows if row["venue"] in watched.exchanges}
        await trial.hears("insurance_fund", funds, HEARD_S)  # a decline is one from a balance that was known
        trial.caused |= {("insurance_alerts", venue, asset) for venue, asset in funds}
        for capture in trial.appliance.captures.values():
            if "adl" in coverage.kinds_of(capture.market, occasions=True):
                trial.caused |= {("adl", row.exchange, row.symbol) for row in capture.instruments.values() if row.kind != "spot"}
        trial.declined_ns = trial.appliance.clock.now()
        await simulator.post("/oracle/insurance", {"percent": DECLINE_PERCENT})

    async def stops() -> None:
        """One's own, a tick away, on every market whose account's stream is open."""
        streams = trial.appliance.markets.accounts.orders.values() if trial.appliance.markets is not None else ()
        await trial.until(lambda: all(stream.feed.state == "live" for stream in streams), HEARD_S)
        told = {name for stream in streams if stream.feed.state == "live" for name in stream.account.markets}
        for row in first:
            if row.market in told:
                trial.caused.add(("stop_triggers", row.exchange, row.symbol))
                body = {"market": row.market, "symbol": row.venue_symbol, "side": "buy", "distance": 1}
                trial.stops.append((row, (await simulator.post("/oracle/stop_order", body))["id"]))

    async def negotiated() -> None:
        for row in first:  # where the venue does not tell them, nobody hears of it
            body = {"market": row.market, "symbol": row.venue_symbol, "side": "sell", "quantity": str(100 * Decimal(row.step))}
            await simulator.post("/oracle/block", body)

    first = trial.first()
    for row in first:
        trial.caused.add(("signals", row.exchange, ""))
        plants.append(("whale", order("block_trades", row, partial(whales.plant, trial, row))))
        if "liquidations" in coverage.kinds_of(trial.appliance.captures[row.market].market, occasions=True):
            plants.append(("cascade of liquidations", order("liquidations", row, partial(cascade, row))))
    found = [("stop orders of one's own", stops), ("negotiated trades", negotiated), *plants, ("decline of insurance funds", decline)]
    return [*found, ("spoofs", lambda: patterns.plant_spoofs(trial)), ("runs of stops", lambda: patterns.plant_runs(trial))] if trial.full else found


def last(trial: Trial) -> list[Plant]:
    """What hangs on what came before it, or needs a long time before it."""
    found: list[Plant] = [("whales where none was told whole", lambda: whales.again(trial))]
    return [*found, ("news", lambda: news.plant(trial))] if trial.full else found


def beside(trial: Trial) -> list[Coroutine[Any, Any, None]]:
    """What goes on beside everything else."""
    return [rails.skew(trial), *([notices.plant(trial)] if trial.full else [])]


def faults(trial: Trial) -> list[Plant]:
    assert trial.simulator is not None
    simulator = trial.simulator

    def frame(market: str, fault: str, kind: str = "book", symbol: str = "*") -> Callable[[], Awaitable[None]]:
        async def plant() -> None:
            # a fault on a book that is being repaired would be one gap with the one before
            deadline_s = time.monotonic() + REPAIR_S
            while not trial.appliance.captures[market].synced and time.monotonic() < deadline_s:
                await asyncio.sleep(0.02)
            await simulator.post("/oracle/fault", {"fault": fault, "market": market, "symbol": symbol, "kind": kind, "count": 1})

        return plant

    async def cut_redis() -> None:
        trial.cut_ns = trial.appliance.clock.now()
        await trial.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await trial.appliance.publisher.bus.drop_idle()  # our own idle ones are cut too: whoever took one of them next was told so

    found: list[Plant] = []
    markets = list(trial.appliance.captures)
    for name, fault in (("dropped depth frame", "drop"), ("malformed depth frame", "malformed")):
        found += [(name, frame(market, fault)) for market in markets]
    found.append(("repeated depth frame", frame(markets[0], "duplicate")))
    folding = [name for name, capture in trial.appliance.captures.items() if capture.folds_ms]
    if trial.full:  # where trades have no numbers, only a line that was cut shows that some may be missing
        for row in trial.first():
            numbered = trial.appliance.captures[row.market].market.trades_numbered
            found.append(("lost trades", frame(row.market, "drop", "trade", row.venue_symbol)) if numbered else ("cut line", frame(row.market, "disconnect")))
    found.append(("disconnected socket", frame((folding or markets)[-1], "disconnect")))  # whose candles are not compared anyway
    found.append(("Redis connections cut", cut_redis))
    return found
