"""The options in the whole appliance: from the simulated venues into a real Redis, in its status and metrics, and under another configuration."""

import asyncio

import aiohttp
import msgspec
import yaml

from p9.app import Appliance
from p9.client.event import EventReader
from p9.config import parse
from p9.simulate.server import Simulator
from tests.delivery.redis_process import RedisProcess
from tests.patience import PATIENCE_S

LINES = {"binance": ("spot", "usdm", "coinm"), "bybit": ("spot", "linear", "inverse"), "okx": ("spot", "swap", "futures")}
MARKET = "binance_option"
CHANNEL = "options_iv:binance:BTC-USDT"


class Run:
    """An appliance that captures the options of one simulated venue, and nothing else."""

    def __init__(self, folder):
        self.folder, self.simulator, self.redis = folder, Simulator(seed=21, rate=0.01), RedisProcess(folder / "redis")

    async def __aenter__(self):
        await self.simulator.start()
        await asyncio.to_thread(self.redis.start)
        place = self.simulator.endpoints[MARKET]
        self.tree = {
            "data_dir": str(self.folder / "data"), "redis": {"url": self.redis.url, "mode": "external"}, "http": {"port": 0},
            "venues": {venue: {line: {"enabled": False} for line in (*lines, "option")} for venue, lines in LINES.items()},
            "analytics": {"options_iv_monitor": {"underlyings": ["BTC"]}},
        }  # fmt: skip
        self.tree["venues"]["binance"]["option"] = {"rest_url": place["rest"], "ws_url": place["ws"]}
        self.appliance = Appliance(self.config())
        await self.appliance.start()
        self.client = self.redis.client()
        return self

    def config(self):
        return parse(yaml.safe_dump(self.tree))

    async def __aexit__(self, *_):
        self.client.close()
        await self.appliance.stop()
        await self.simulator.stop()
        self.redis.kill()

    async def last(self, channel, condition=lambda event: True):
        """The newest value of a channel, once it fulfils a condition."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                text = self.client.get(f"last:{{{channel}}}")
                if text is not None and condition(event := EventReader(channel).read(text)):
                    return event
                await asyncio.sleep(0.05)


async def test_a_chain_comes_into_redis_and_shows_itself(tmp_path):
    async with Run(tmp_path) as run:
        event = await run.last(CHANNEL, lambda event: event.maturities[1].atm_iv is not None)
        assert (event.exchange, event.symbol, event.market, event.venue_symbol) == ("binance", "BTC-USDT", MARKET, "BTCUSDT")
        listed = len(run.simulator.chains["BTC"].options(event.ts_event // 10**6))
        assert event.options == listed == sum(len(expiry.rows) for expiry in event.expiries) and event.ts_event <= event.ts_recv <= event.ts_pub
        (chain,) = run.appliance.status()["options"]["binance"]["chains"].values()
        assert chain["options"] == listed and chain["disagreeing"] == 0 and chain["checked"] > 0
        async with aiohttp.ClientSession() as session, session.get(f"{run.appliance.pages.url}/metrics") as answer:
            text = await answer.text()
        assert f'p9_option_chain_options{{exchange="binance",underlying="BTC-USDT"}} {listed}.0' in text
        assert 'p9_option_busy_seconds_total{exchange="binance"}' in text and "p9_option_longest_slice_seconds" in text
        msgspec.json.encode(run.appliance.status())


async def test_another_configuration_is_carried_out_while_it_runs(tmp_path):
    async with Run(tmp_path) as run:
        before = await run.last(CHANNEL)
        run.tree["analytics"]["options_iv_monitor"] = {"underlyings": ["BTC", "ETH"], "maturities": [60], "max_rows": 44}
        assert await run.appliance.reconfigure(run.config()) == []
        after = await run.last(CHANNEL, lambda event: len(event.maturities) == 1)
        assert [row.days for row in after.maturities] == [60] and after.seq > before.seq and after.epoch == before.epoch
        assert 0 < sum(len(expiry.rows) for expiry in after.expiries) <= 44
        assert all(len(expiry.rows) + expiry.left_out == 2 * expiry.strikes and expiry.left_out for expiry in after.expiries)
        await run.last("options_iv:binance:ETH-USDT")
        run.tree["venues"]["binance"]["option"]["enabled"] = False
        assert await run.appliance.reconfigure(run.config()) == []
        assert run.appliance.status()["options"] == {}
