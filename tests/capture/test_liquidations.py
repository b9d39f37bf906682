"""Liquidations of every market, captured from the simulated venues: each one once, as the venue knows it, whatever happens to the sockets."""

import asyncio
import time
from decimal import Decimal

from p9.simulate.faults import Scope
from p9.simulate.plants import truth
from tests.capture.captured import Captured
from tests.patience import until

CONTRACTS = ["binance_usdm", "binance_coinm", "bybit_linear", "bybit_inverse", "okx_swap", "okx_futures"]


def plant(now: Captured, symbol: str, **more):
    one = now.simulator.instruments[now.name, symbol]
    return now.simulator.plants.plant("cascade", one, **{"side": "sell", "orders": 12, "every_ms": 40, "quote": 2e6, **more})


def told(now: Captured, symbol: str) -> list[dict]:
    return [event for event in now.events["liquidations"] if event["venue_symbol"] == symbol]


def as_told(exchange: str, forced: dict) -> tuple:
    """A liquidation of the simulator's as this venue tells it."""
    price = forced["average_price"] if exchange == "binance" else forced["takeover_price"]
    return forced["at_ms"], forced["side"], forced["position"], Decimal(price), Decimal(forced["quantity"])


def of_event(event: dict) -> tuple:
    return (
        event["ts_event"] // 1_000_000, event["side"], event["position"], Decimal(event["price"]), Decimal(event.get("contracts", event["quantity"])),
    )  # fmt: skip


async def test_pain_23_every_liquidation_that_the_venue_tells_is_published_once_and_true_and_a_sample_is_called_one(run):
    first = await run(CONTRACTS[0])
    venues = [first, *await asyncio.gather(*(run(name, simulator=first.simulator) for name in CONTRACTS[1:]))]
    symbols = {now.name: [row.venue_symbol for row in now.capture.instruments.values()] for now in venues}
    started_ms = time.time_ns() // 1_000_000
    plants = [plant(now, symbol, side=side) for now in venues for symbol, side in zip(symbols[now.name], ("sell", "buy"), strict=True)]
    await until(lambda: all(len(one.played) == 12 for one in plants))
    await first.end()
    for now in venues:
        now.hear()
        check(now, symbols[now.name], started_ms)


def check(now: Captured, symbols: list[str], started_ms: int) -> None:
    name, exchange = now.name, now.row.exchange
    for symbol in symbols:
        one = now.simulator.instruments[name, symbol]
        true = [as_told(exchange, truth(one, forced)) for forced in one.forced if forced.at_ns // 1_000_000 > started_ms]
        ours = [of_event(event) for event in told(now, symbol)]
        flags = {flag for event in told(now, symbol) for flag in event.get("flags", ())}
        if exchange == "binance":
            assert ours and len(ours) == len(set(ours)) and set(ours) <= {as_told(exchange, truth(one, forced)) for forced in one.forced}
            assert len(ours) <= (ours[-1][0] - ours[0][0]) // 1000 + 2, "at most one a second"
        else:
            assert [row for row in ours if row[0] > started_ms] == true and len(true) >= 12
        assert ("sampled" in flags) == (exchange != "bybit") and ("rounded" in flags) == one.is_inverse
    assert all(state == "synced" for state in now.pipeline.states())


async def test_a_socket_that_is_replaced_loses_nothing_and_repeats_nothing(run):
    now = await run("okx_swap")
    (symbol, *_) = [row.venue_symbol for row in now.capture.instruments.values()]
    plant(now, symbol, every_ms=60, orders=20)
    await until(lambda: now.counter("liquidations", 0) >= 3)
    for feed in now.capture.feeds:
        feed.connection.closing_soon = True  # it is replaced before it closes
    await until(lambda: all(feed.rotations for feed in now.capture.feeds))
    await now.end()
    one = now.simulator.instruments["okx_swap", symbol]
    true = [as_told("okx", truth(one, forced)) for forced in one.forced]
    ours = [of_event(event) for event in told(now, symbol)]
    assert ours == true[-len(ours) :] and len(ours) >= 20, "nothing lost in the hand-over, and nothing twice"
    assert not now.capture.unheard.counts


async def test_while_the_socket_is_lost_it_is_said_that_nobody_could_tell(run):
    now = await run("bybit_linear")
    await until(lambda: all("allLiquidation" in " ".join(feed.connection.acknowledged) for feed in now.capture.feeds))
    await until(lambda: len(now.capture.unheard._ears) == 2 and all(ear.hears for ear in now.capture.unheard._ears.values()))
    before_ns = time.time_ns()
    now.simulator.inject("disconnect", Scope(now.name))
    await until(lambda: now.ledger.counts["liquidations_lost"] == 2)
    await now.end()
    for symbol in ("BTC-USDT-PERP", "ETH-USDT-PERP"):
        opened, lost = [event for event in now.events["gaps"] if event["symbol"] == symbol and event["kind"] == "liquidations"]
        assert (opened["state"], lost["state"], opened["gap"], lost["gap"], lost["reason"]) == ("open", "lost", 1, 1, "disconnect")
        assert lost["first_id"] is lost["missing"] is lost["left"] is opened["until"] is None
        assert lost["since"] == opened["since"] and before_ns - 2_000_000_000 < lost["since"] < lost["until"] <= time.time_ns()
    assert not now.capture.unheard.status()["open"]


async def test_liquidations_are_never_an_alarm(run):
    now = await run("bybit_linear")
    kinds = {topic.kind for feed in now.capture.feeds for rows in feed.topics.values() for topic in rows}
    assert "liquidations" in kinds
    status = now.capture.liveness.status()
    assert sum(status["topics"].values()) == 3 * len(now.capture.instruments), "book, best price and trades are watched, and nothing else"
    assert set(now.capture.delay.status()["topics"]) <= {"depth", "best", "trades"}
