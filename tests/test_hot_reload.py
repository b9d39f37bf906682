"""pain_21: a configuration that changes under a running appliance, from its file, on simulated venues and real Redis servers."""

import asyncio
import contextlib
import json
import random
import socket

import aiohttp
import pytest
import yaml

from p9.app import Appliance
from p9.config import load, parse
from p9.simulate.server import Simulator
from tests.delivery.redis_process import RedisProcess
from tests.patience import until

MARKETS = {"binance": ("usdm",), "bybit": ("linear",), "okx": ("swap",)}
EVERY = {"binance": "spot usdm coinm option", "bybit": "spot linear inverse option", "okx": "spot swap futures option"}
BOTH = ["BTC-USDT-PERP", "ETH-USDT-PERP"]


class Run:
    """An appliance on three simulated markets, with its file, and what may be asked of it."""

    def __init__(self, folder, **simulated):
        self.folder, self.path = folder, folder / "config.yaml"
        self.simulator = Simulator(**simulated)
        self.redis = RedisProcess(folder / "redis")

    async def __aenter__(self):
        await self.simulator.start()
        await asyncio.to_thread(self.redis.start)
        self.tree = {
            "data_dir": str(self.folder / "data"), "redis": {"url": self.redis.url, "mode": "external"}, "http": {"port": 0},
            "venues": {venue: {line: self._section(venue, line) for line in lines.split()} for venue, lines in EVERY.items()},
        }  # fmt: skip
        self.write()
        self.appliance = Appliance(load(self.path), config_path=self.path)
        await self.appliance.start()
        await self.until(lambda: not self.appliance.not_ready())
        return self

    def _section(self, venue, line):
        if line not in MARKETS[venue]:
            return {"enabled": False}
        place = self.simulator.endpoints[f"{venue}_{line}"]
        return {"symbols": list(BOTH), "rest_url": place["rest"], "ws_url": place["ws"]}

    async def __aexit__(self, *_):
        await self.appliance.stop()
        await self.simulator.stop()
        self.redis.kill()

    def write(self, text=None):
        self.path.write_text(yaml.safe_dump(self.tree) if text is None else text)

    async def until(self, condition):
        await until(condition)

    async def reload(self, text=None):
        """Write the file, and wait until what it says was carried out or refused."""
        reload = self.appliance.reload
        before = reload.reloads + reload.refusals
        self.write(text)
        reload.wake()
        await self.until(lambda: reload.reloads + reload.refusals > before)
        return reload.status()

    def sockets(self):
        """{socket: (reconnects, rotations)}"""
        return {feed.name: (feed.losses, feed.rotations) for capture in self.appliance.captures.values() for feed in capture.feeds}

    def symbols(self, name):
        return sorted(row.symbol for row in self.appliance.captures[name].instruments.values())

    async def trail(self):
        await self.appliance.audit_trail.flush()
        return [json.loads(line)["event"] for line in self.appliance.audit_trail.path.read_text().splitlines()]


def stored(client, channel):
    return [json.loads(fields[b"e"]) for _, fields in client.xrange(f"stream:{{{channel}}}")]


def newest(client, channel):
    return next(iter(stored(client, channel)[-1:]), None)


async def test_pain_21_what_changed_is_carried_out_and_nothing_else_is_touched(tmp_path):
    async with Run(tmp_path) as run:
        appliance, tree = run.appliance, run.tree
        sockets = run.sockets()
        seq = appliance.captures["okx_swap"].pipeline.streams(0)[2].channel.seq

        tree["venues"]["binance"]["usdm"]["symbols"] = ["BTC-USDT-PERP"]
        tree["analytics"] = {"trades": {"publish_channel": "prints"}, "candles": {"enabled": False}, "audits": {"books": "30m"}}
        tree["monitors"] = {"venue_delay_stale": "5s", "calm": "10s", "late_shed_low": "400ms"}
        tree["capture"] = {"rest_share": 0.3, "sockets": {"silent": "40s", "backoff_most": "30s"}, "gaps": {"tries": 9}, "rest": {"attempts": 3}}
        tree["log"] = {"level": "warning"}
        tree["redis"]["retain"] = "2h"
        said = await run.reload()
        assert said["successful"] and said["needs_restart"] == ["redis.retain: 1h -> 2h"]
        assert run.symbols("binance_usdm") == ["BTC-USDT-PERP"] and run.symbols("okx_swap") == BOTH
        client = run.redis.client()
        await run.until(lambda: newest(client, "prints:okx:BTC-USDT-PERP"))
        assert newest(client, "prints:okx:BTC-USDT-PERP")["type"] == "trades"
        assert appliance.captures["bybit_linear"].audits.settings.books_s == 1800
        assert appliance.captures["okx_swap"].delay.settings.stale_s == 5.0 and appliance.lateness.breaker.levels[0] == ("sheds_low", 0.4)
        assert appliance.markets.clients["binance"].status()["budgets"]["binance futures weight"]["ceiling"] == round(0.3 * 2400)
        assert appliance.captures["okx_swap"].backfill.settings.tries == 9 and appliance.markets.clients["okx"].settings.attempts == 3
        cold = [feed for part in appliance.markets.boards.markets.values() if part.live is not None for feed in part.live.feeds]
        every = [*cold, *(feed for capture in appliance.captures.values() for feed in capture.feeds)]
        assert cold and [feed.name for feed in every if feed.settings.backoff_most_s != 30 or (feed.must_speak and feed.settings.silent_s != 40)] == []
        assert run.sockets() == sockets, "no socket was opened or lost for it"
        assert appliance.captures["okx_swap"].pipeline.streams(0)[2].channel.seq >= seq

        tree["venues"]["bybit"]["linear"]["enabled"] = False
        tree["venues"]["binance"]["usdm"]["symbols"] = BOTH
        await run.reload()
        assert "bybit_linear" not in appliance.captures
        tree["venues"]["bybit"]["linear"]["enabled"] = True
        await run.reload()
        await run.until(lambda: not appliance.not_ready())
        assert run.symbols("bybit_linear") == BOTH == run.symbols("binance_usdm")
        assert {name: n for name, n in run.sockets().items() if "bybit" not in name} == {name: n for name, n in sockets.items() if "bybit" not in name}
        assert (await run.trail()).count("configuration applied") == 3


@pytest.mark.parametrize(
    "text, said",
    [
        ("redis: {urll: x}", "did you mean 'url'"),
        ("a: [", "not YAML"),
    ],
)
async def test_a_file_that_is_wrong_changes_nothing_and_is_told(tmp_path, text, said):
    async with Run(tmp_path) as run:
        before, sockets = run.appliance.config, run.sockets()
        status = await run.reload(text)
        assert not status["successful"] and said in status["error"]
        assert run.appliance.config is before and run.sockets() == sockets
        await run.until(lambda: any(event["kind"] == "configuration" for event in stored(run.redis.client(), "integrity:all:-")))
        status = await run.reload(yaml.safe_dump({**run.tree, "monitors": {"calm": "20s"}}))
        assert status["successful"] and status["error"] == "" and (await run.trail()).count("configuration applied") == 1


async def test_a_port_that_is_taken_is_refused_and_the_pages_stay_where_they_are(tmp_path):
    async with Run(tmp_path) as run:
        url = run.appliance.pages.url
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
            run.tree["http"]["port"] = taken.getsockname()[1]
            status = await run.reload()
            assert not status["successful"] and "cannot listen" in status["error"]
        async with aiohttp.ClientSession() as session, session.get(url + "/livez") as answer:
            assert answer.status == 200
        status = await run.reload(yaml.safe_dump(run.tree) + "\n")
        assert status["successful"] and run.appliance.pages.url.endswith(f":{run.tree['http']['port']}")


async def test_another_redis_gets_what_comes_from_now_on_and_what_was_not_confirmed(tmp_path):
    async with Run(tmp_path) as run:
        with RedisProcess(tmp_path / "other") as other:
            channel = "trades:okx:BTC-USDT-PERP"
            await run.until(lambda: newest(run.redis.client(), channel))
            run.tree["redis"]["url"] = other.url
            assert (await run.reload())["successful"]
            await run.until(lambda: newest(other.client(), channel))
            await run.until(lambda: not run.appliance.not_ready())
            first = json.loads(other.client().xrange(f"stream:{{{channel}}}", count=1)[0][1][b"e"])
            last = newest(run.redis.client(), channel)
            assert first["epoch"] == last["epoch"] and first["seq"] <= last["seq"] + 1, "no event lies between the two"
            assert int(other.client().get("p9:epoch")) == run.appliance.outbox.epoch
            other.client().set("p9:epoch", run.appliance.outbox.epoch + 10**6)
            with RedisProcess(tmp_path / "ahead") as ahead:
                ahead.client().set("p9:epoch", run.appliance.outbox.epoch + 10**6)
                run.tree["redis"]["url"] = ahead.url
                status = await run.reload()
                assert status["needs_restart"], "a bus that has seen a greater epoch would take our events for old ones"
                assert run.appliance.publisher.bus.where == other.url.removeprefix("redis://").partition("/")[0]


def any_edit(choice: random.Random, tree: dict) -> str:
    """One change of a valid configuration, or a file that is none."""
    kind = choice.randrange(8)
    if kind == 0:
        return choice.choice(["", " ", "\t:", "]["]) + "{" * choice.randint(1, 3)
    if kind == 1:
        return yaml.safe_dump({**tree, choice.choice(["redis", "venuess", "x"]): choice.choice([1, [], "off", {"a": 1}])})
    if kind == 2:
        return yaml.safe_dump(tree)[: choice.randint(0, 200)] + ": :"
    venue, line = choice.choice([("binance", "usdm"), ("bybit", "linear")])
    section = tree["venues"][venue][line]
    if kind in (3, 4):
        section["symbols"] = choice.sample(BOTH, choice.randint(1, 2))
    elif kind == 5:
        tree["monitors"] = {"calm": f"{choice.randint(1, 60)}s", "venue_delay_degraded": f"{choice.randint(100, 900)}ms"}
    elif kind == 6:
        tree["analytics"] = {choice.choice(["trades", "gaps", "candles", "depth"]): {"enabled": choice.random() < 0.5}}
    else:
        tree["capture"] = {"rest_share": choice.choice([0.3, 0.5, 0.7]), "backfill": choice.random() < 0.5}
    return yaml.safe_dump(tree)


async def test_pain_21_a_thousand_random_edits_cost_the_untouched_market_no_reconnect(tmp_path):
    choice = random.Random(7)
    async with Run(tmp_path) as run:
        okx = run.appliance.captures["okx_swap"]
        sockets, books = {feed.name: (feed.losses, feed.rotations) for feed in okx.feeds}, okx.status()["counters"]["gaps"]
        applied = refused = 0
        for n in range(1000):
            text = any_edit(choice, run.tree)
            try:
                await run.appliance.reconfigure(parse(text))
                applied += 1
            except Exception as error:
                assert type(error).__name__ == "ConfigError", (n, text)
                refused += 1
            if n % 20 == 0:
                await asyncio.sleep(0.01)
        assert applied > 500 and refused > 200
        run.tree.pop("analytics", None)
        await run.appliance.reconfigure(parse(yaml.safe_dump(run.tree)))
        await run.until(lambda: not run.appliance.not_ready())
        assert {feed.name: (feed.losses, feed.rotations) for feed in okx.feeds} == sockets and okx.status()["counters"]["gaps"] == books
        assert not any(capture.faults for capture in run.appliance.captures.values())
        assert {name: n for name, n in run.sockets().items() if n[0]} == {}, "nor any other socket"
        for capture in run.appliance.captures.values():
            wanted = run.appliance.config.venues.markets()[capture.market.name].symbols
            assert sorted(row.symbol for row in capture.instruments.values()) == sorted(wanted)
