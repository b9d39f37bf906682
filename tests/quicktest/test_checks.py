"""The whole appliance on nine simulated markets into a real Redis: every channel of docs/events.md that the coverage table gives a venue is alive, and what lies
there is the simulator's truth. Then Redis is tampered with, and each check must see it."""

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from types import SimpleNamespace

import msgspec
import pytest
import yaml

from p9 import coverage
from p9.app import Appliance
from p9.client.event import EventReader
from p9.config import parse
from p9.delivery.bus import Bus
from p9.quicktest import (
    channels,
    deleveraging,
    figures,
    flow,
    momentum,
    options,
    orders,
    patterns,
    plants,
    pools,
    rails,
    reference,
    signals,
    tape,
    views,
    whales,
)
from p9.quicktest.bus_watcher import BusWatcher
from p9.quicktest.trial import Trial
from p9.simulate.account import KEY, PASSPHRASE, SECRET
from p9.simulate.process import SimulatorProcess
from tests.delivery.redis_process import RedisProcess
from tests.patience import PATIENCE_S
from tests.quicktest.test_channels import patterns_of_the_page

DAY_NS = 86_400 * 10**9
KEYS = {"P9_BINANCE_KEY": KEY, "P9_BYBIT_KEY": KEY, "P9_BYBIT_SECRET": SECRET, "P9_OKX_KEY": KEY, "P9_OKX_SECRET": SECRET, "P9_OKX_PASSPHRASE": PASSPHRASE}


class Bench:
    """`trial` looks at an appliance that was told where the simulated venues are, and works into a Redis that is not its own."""

    def __init__(self, folder):
        self.folder, self.redis = folder, RedisProcess(folder / "redis")
        self.simulator = SimulatorProcess(seed=31, instruments=2)

    async def __aenter__(self):
        await self.simulator.start()
        await asyncio.to_thread(self.redis.start)
        venues: dict[str, dict] = {}
        for market, place in self.simulator.endpoints.items():
            venue, line = market.split("_")
            venues.setdefault(venue, {})[line] = {"rest_url": place["rest"], "ws_url": place["ws"]}
        data = self.folder / "data"
        data.mkdir()
        (data / "insurance.jsonl").write_bytes(b"".join(map(self._yesterday, await self.simulator.get("/oracle/insurance"))))
        tree = {
            "data_dir": str(data), "redis": {"url": self.redis.url, "mode": "external"}, "http": {"enabled": False}, "venues": venues,
            "analytics": {
                "open_interest": {"poll_interval": "1s"}, "insurance_fund_monitor": {"poll_interval": "2s"},
                "block_trades": {"major_floor": rails.MAJOR_FLOOR, "other_floor": rails.OTHER_FLOOR},
                "spoofing": {"least_adds": 100}, "stop_triggers": {"swing_bar": "1s", "swing_bars": 2},
            },
        }  # fmt: skip
        config = parse(yaml.safe_dump(tree))
        self.file = rails.ConfigFile(self.folder / "config.yaml", config)
        self.appliance = Appliance(config, config_path=self.file.path)
        await self.appliance.start()
        self.trial = Trial(self.appliance, self.simulator, 30.0)
        self.watcher = self.trial.watcher = BusWatcher(self.redis.url)
        await self.watcher.start()
        self.client = self.redis.client()
        return self

    def _yesterday(self, row: dict) -> bytes:
        """A day ago each pool held so much that it has lost 7 % since."""
        line = [row["venue"], row["asset"], row["pool"], time.time_ns() - DAY_NS, str(Decimal(row["balance"]) / Decimal("0.93"))]
        return msgspec.json.encode(line) + b"\n"

    async def __aexit__(self, *_):
        await self.watcher.stop()
        self.client.close()
        await self.appliance.stop()
        await self.simulator.stop()
        self.redis.kill()

    async def until(self, condition: Callable[[], Awaitable]):
        async with asyncio.timeout(PATIENCE_S):
            while not (found := await condition()):
                await asyncio.sleep(0.1)
            return found

    async def verdict(self, check) -> tuple[bool, str]:
        """The first line that a check writes."""
        n = len(self.trial.checks)
        await check(self.trial)
        return self.trial.checks[n].passed, self.trial.checks[n].figure

    def events(self, channel: str) -> list[dict]:
        return [json.loads(fields[b"e"]) for _, fields in self.client.xrange(f"stream:{{{channel}}}")]

    def rewrite(self, channel: str, change: Callable[[dict], None]) -> None:
        """Another newest value of a channel, from an appliance that is made to be silent there."""
        key = f"last:{{{channel}}}"
        event = json.loads(self.client.get(key))
        change(event)
        self.client.set(key, json.dumps(event))


def kinds_of_the_page() -> set[str]:
    """First words of the channels that docs/events.md promises."""
    return {pattern.partition(":")[0] for pattern in patterns_of_the_page()}


async def test_a_question_whose_connection_a_planted_cut_takes_along_is_asked_again(tmp_path):
    # the quick test once ended with a traceback: its own question stood in the way of its own fault
    redis = RedisProcess(tmp_path / "redis")
    await asyncio.to_thread(redis.start)
    bus = Bus(redis.url)
    try:
        trial = Trial(SimpleNamespace(publisher=SimpleNamespace(bus=bus), outbox=SimpleNamespace(epoch=7)), None, 1.0)
        await bus.client.set("last:{trades:a}", '{"epoch": 7}')
        with redis.client() as other:
            other.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        assert await trial.last("trades:a") == {"epoch": 7} and await trial.stream("trades:a") == []
    finally:
        await bus.close()
        redis.kill()


def test_the_coverage_table_and_the_contract_name_the_same_channels():
    covered = {kind for feed in coverage.FEEDS for kind in (*feed.channels, *feed.occasions)} | {"options_iv"}
    assert covered == kinds_of_the_page()


@pytest.mark.timeout(300)
async def test_every_channel_that_a_venue_has_is_alive_in_redis_and_true_and_a_lie_is_seen(tmp_path, monkeypatch):
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    async with Bench(tmp_path) as bench:
        trial, client = bench.trial, bench.client
        await bench.until(lambda: _ready(trial))
        await bench.simulator.post("/oracle/fault", {"fault": "disconnect", "market": "bybit_linear"})
        await bench.until(lambda: _heard(bench, "gaps"))
        await bench.until(lambda: _ready(trial))
        assert (await bench.verdict(lambda trial: rails.refuse(trial, bench.file)))[0]
        for _, plant in plants.orders(trial):
            await plant()
        await whales.again(trial)
        await patterns.plant_spoofs(trial)
        await patterns.plant_runs(trial)
        with contextlib.suppress(TimeoutError):  # then the check says which is silent
            await bench.until(lambda: _all_alive(trial))
        await bench.until(lambda: _insurance_signals(bench))
        trial.frozen_ms = time.time_ns() // 1_000_000
        await bench.simulator.post("/oracle/freeze")
        for check in (
            channels.check, figures.check, pools.check, deleveraging.check, options.check, orders.check, orders.check_stops, orders.check_blocks, patterns.check, reference.check, views.check, tape.check,
            flow.check, momentum.check, signals.check,
        ):  # fmt: skip
            passed, figure = await bench.verdict(check)
            assert passed, f"{check.__module__}: {figure}"
        assert all(check.passed for check in trial.checks), [check for check in trial.checks if not check.passed]
        heard = set(bench.watcher.events)
        assert heard >= kinds_of_the_page() and bench.watcher.unreadable == 0
        _read_as_the_client_does(client)

        # ---- and now nobody writes any more, and somebody else does
        await bench.appliance.markets.boards.close()
        chains = dict(bench.appliance.markets.options.captures)
        await bench.appliance.markets.options.close()
        bench.appliance.markets.options.captures |= chains  # which options there are is still known
        monkeypatch.setattr(figures, "SETTLED_S", 0.0)
        monkeypatch.setattr(pools, "SETTLED_S", 0.0)
        monkeypatch.setattr(options, "SETTLED_S", 0.0)
        await asyncio.sleep(1.0)  # what was accepted is written

        def more(field, by="1.0001"):
            return lambda event: event.update({field: str(Decimal(event[field]) * Decimal(by))})

        def another_pool(event):
            event["pools"][0]["balance"] = str(Decimal(event["pools"][0]["balance"]) + 1)

        def another_delta(event):
            event["expiries"][3]["rows"][5][event["columns"].index("delta")] = "0.123456"

        lies = [
            (figures.check, "mark_price:okx:BTC-USDT-PERP", more("mark", "1.02"), "mark_price of okx_swap BTC-USDT-PERP"),
            (figures.check, "funding:bybit:ETH-USDT-PERP", lambda event: event.update(rate="0.12"), "funding of bybit_linear ETH-USDT-PERP"),
            (figures.check, "open_interest:binance:BTC-USD-PERP", more("quote"), "open_interest of binance_coinm BTC-USD-PERP"),
            (pools.check, "insurance_fund:okx:USDT", another_pool, "okx USDT"),
            (options.check, "options_iv:binance:BTC-USDT", another_delta, "delta is 0.123456"),
            (reference.check, "reference:bybit:-", lambda event: event["instruments"][0].update(tick="0.3"), "tick is 0.3"),
        ]  # fmt: skip
        for check, channel, lie, said in lies:
            true = client.get(f"last:{{{channel}}}")
            bench.rewrite(channel, lie)
            passed, figure = await bench.verdict(check)
            assert not passed and said in figure, (channel, figure)
            client.set(f"last:{{{channel}}}", true)
        channel = "liquidations:bybit:BTC-USDT-PERP"
        told = bench.events(channel)[-1]
        lied = client.xadd(f"stream:{{{channel}}}", {"e": json.dumps(told | {"quantity": "1234567", "seq": told["seq"] + 1})})
        passed, figure = await bench.verdict(orders.check)
        assert not passed and "bybit_linear BTC-USDT-PERP: nobody was liquidated like" in figure
        client.xdel(f"stream:{{{channel}}}", lied)
        monkeypatch.setattr(orders, "TOLD_S", 0.0)
        for kind, check, lie in (
            *(("stop_triggers", orders.check_stops, lie) for lie in (
                {"trigger_price": "1"}, {"client_id": "nobody's"}, {"quote_quantity": "1"}, {"order_id": "1"}, {"position": "long"}, {"order_type": "x"}, {"reduce_only": None},
            )),
            ("block_trades", orders.check_blocks, {"price": "1"}), ("block_trades", orders.check_blocks, {"trade_id": "nobody's"}),
        ):  # fmt: skip
            channel = f"{kind}:bybit:BTC-USDT-PERP"
            told = next(event for event in bench.events(channel) if event["kind"] in ("venue", "stop_order_triggered"))
            lied = client.xadd(f"stream:{{{channel}}}", {"e": json.dumps(told | lie)})
            passed, figure = await bench.verdict(check)
            assert not passed and "told otherwise than it was" in figure, figure
            client.xdel(f"stream:{{{channel}}}", lied)
            assert (await bench.verdict(check))[0]
        await _whale_of_another_size(bench)
        await _patterns_that_were_not(bench)
        client.delete("last:{liquidity:okx:ETH-USDT}", "last:{options_iv:bybit:ETH-USDT}")
        for kind, symbol in (("liquidity", ("okx", "ETH-USDT")), ("options_iv", ("bybit", "ETH-USDT"))):
            bench.watcher.heard[kind].discard(symbol)
        passed, figure = await bench.verdict(channels.check)
        assert not passed and "options_iv:bybit:ETH-" in figure and ("liquidity:okx:ETH-USDT" in figure or client.exists("last:{liquidity:okx:ETH-USDT}"))


async def _whale_of_another_size(bench: Bench) -> None:
    """It was told, but not as it was: by a lot, by its worth, or half of it twice."""
    for exchange, symbol in (("okx", "BTC-USDT"), ("binance", "BTC-USDT-PERP")):  # as it was traded, and folded by the venue
        channel = f"block_trades:{exchange}:{symbol}"
        kept = bench.client.dump(f"stream:{{{channel}}}")
        events = bench.events(channel)
        for change in ({"quantity": "7.123"}, {"quote_quantity": "600000.1"}, {"side": "sell"}):
            bench.client.delete(f"stream:{{{channel}}}")
            for event in events:
                lie = event | (change if event["kind"] == "print" and event["side"] == "buy" else {})
                bench.client.xadd(f"stream:{{{channel}}}", {"e": json.dumps(lie)})
            passed, figure = await bench.verdict(orders.check)
            assert not passed and "a whale of " in figure and "was not told" in figure, figure
        bench.client.delete(f"stream:{{{channel}}}")
        bench.client.restore(f"stream:{{{channel}}}", 0, kept)
        passed, figure = await bench.verdict(orders.check)
        assert passed, figure


async def _patterns_that_were_not(bench: Bench) -> None:
    """Of what was planted another size, another share, another score; a run that the tape does not know."""
    planted = {plant["id"]: plant for plant in await bench.simulator.get("/oracle/plants")}
    for kind, finds, lies in (
        ("spoofing", patterns.spoof_of, ({"quantity": "1"}, {"executed_share": 0.04}, {"score": 0.123456})),
        ("stop_triggers", patterns.run_of, ({"quantity": "1", "contracts": "1"}, {"end_price": "1"}, {"level": "1", "level_kind": "swing_low"}, {"confidence": 1.0})),
    ):  # fmt: skip
        row, told = next(
            (row, event) for row, id in bench.trial.patterns for event in bench.events(f"{kind}:{row.exchange}:{row.symbol}")
            if row.market == "okx_spot" and finds(event, planted[id])
        )  # fmt: skip
        for lie in lies:
            lied = bench.client.xadd(f"stream:{{{kind}:{row.exchange}:{row.symbol}}}", {"e": json.dumps(told | lie)})
            n = len(bench.trial.checks)
            await patterns.check(bench.trial)
            failed = [check.figure for check in bench.trial.checks[n:] if not check.passed]
            assert len(failed) == 1 and failed[0].startswith(f"{row.market} {row.symbol}: "), (lie, failed)
            bench.client.xdel(f"stream:{{{kind}:{row.exchange}:{row.symbol}}}", lied)
        channel = f"stream:{{{kind}:{row.exchange}:{row.symbol}}}"
        kept = bench.client.dump(channel)
        bench.client.delete(channel)
        n = len(bench.trial.checks)
        await patterns.check(bench.trial)
        failed = [check.figure for check in bench.trial.checks[n:] if not check.passed]
        assert len(failed) == 1 and failed[0].startswith(f"{row.market} {row.symbol}: "), failed
        bench.client.restore(channel, 0, kept)


async def _ready(trial: Trial) -> bool:
    return not trial.appliance.not_ready()


async def _heard(bench: Bench, kind: str) -> bool:
    return bench.watcher.events[kind] > 0


async def _all_alive(trial: Trial) -> bool:
    """Not yet a verdict: until it would be a good one."""
    return "audits" in trial.watcher.events and all([await channels.alive(trial, one) for one in await channels.wanted(trial)])


async def _insurance_signals(bench: Bench) -> bool:
    """Yesterday's balances are 7 % more: every venue's funds are under HIGH stress, and every instrument's signals know."""
    found = set()
    for row in bench.trial.instruments():
        for event in bench.events(f"signals:{row.exchange}:{row.symbol}"):
            if event.get("signal") == "insurance" and event["state"] == "begins":
                assert event["inputs"]["stress"] in ("HIGH", "CRITICAL") and event["strength"] == pytest.approx(-2 / 3 if event["inputs"]["stress"] == "HIGH" else -1.0, abs=1e-5)
                found.add((row.exchange, row.symbol))
    return len(found) == len(bench.trial.instruments())


def _read_as_the_client_does(client) -> None:
    """Every newest value in Redis is what the contract says, field by field."""
    keys = [key.decode() for key in client.scan_iter("last:{*}", count=1000)]
    assert len(keys) > 200
    for key in keys:
        channel = key.removeprefix("last:{").removesuffix("}")
        event = EventReader(channel).read(client.get(key))
        assert channel.startswith(f"{event.type}:{event.exchange}:{event.symbol}")
