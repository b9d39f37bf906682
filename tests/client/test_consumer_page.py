"""The examples of docs/consumer.md, run as they are printed."""

import asyncio
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cext.clock import Clock
from cext.outbox import Outbox

from p9.delivery.bus import Bus
from p9.delivery.publisher import Publisher
from tests.client.test_subscription import TRADE
from tests.delivery.redis_process import RedisProcess
from tests.patience import PATIENCE_S

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "consumer.md").read_text(encoding="utf-8")
EXAMPLE = re.search(r"```python\n(.*?)```", PAGE, re.S)[1]
NODE_EXAMPLE = re.search(r"```js\n(.*?)```", PAGE, re.S)[1]
IMAGE = b'{"first_id":1,"last_id":1,"prev_id":null,"bids":[["99.5","1"]],"asks":[["100","2"]]}'


def test_it_is_as_short_as_it_says():
    assert len([line for line in EXAMPLE.splitlines() if line.strip()]) <= 30


async def test_it_runs_and_prints_what_comes(tmp_path):
    script = tmp_path / "example.py"
    script.write_text(EXAMPLE, encoding="utf-8")
    with RedisProcess(tmp_path / "redis") as server:
        outbox = Outbox(Clock(), epoch=1)
        publisher = Publisher(outbox, Bus(server.url))
        trades = outbox.channel("trades", "venue", "A-USDT", "venue_spot", "AUSDT", 1)
        depth = outbox.channel("depth", "venue", "A-USDT", "venue_spot", "AUSDT", 3, queued=True)
        await publisher.start()
        example = await asyncio.create_subprocess_exec(
            sys.executable, str(script), server.url, "3", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={"PYTHONPATH": str(ROOT)}
        )
        async with asyncio.timeout(PATIENCE_S):
            while not server.client().pubsub_numpat():
                assert example.returncode is None
                await asyncio.sleep(0.02)
            outbox.emit(depth, IMAGE, flags=1)
            outbox.emit(trades, TRADE)
            outbox.emit(trades, TRADE)
            out, err = await example.communicate()
        await publisher.stop()
        await publisher.bus.close()
    assert example.returncode == 0, err.decode()
    lines = sorted(set(out.decode().splitlines()))
    assert lines == ["book venue A-USDT 99.5 / 100", "trade venue A-USDT buy 2 at 1.5"]


@pytest.mark.skipif(not (shutil.which("node") and shutil.which("npm")), reason="no Node on this machine")
async def test_the_one_for_node_drops_repeats_and_fills_holes(tmp_path):
    for name in ("package.json", "package-lock.json"):
        shutil.copy(Path(__file__).parent / "node" / name, tmp_path)
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], cwd=tmp_path, check=True, timeout=120)
    (tmp_path / "example.mjs").write_text(NODE_EXAMPLE, encoding="utf-8")
    with RedisProcess(tmp_path / "redis") as server:
        outbox = Outbox(Clock(), epoch=1)
        publisher = Publisher(outbox, Bus(server.url))
        trades = outbox.channel("trades", "venue", "A-USDT", "venue_spot", "AUSDT", 1)
        await publisher.start()
        example = await asyncio.create_subprocess_exec("node", "example.mjs", server.url, "trades:*", "4", cwd=tmp_path, stdout=asyncio.subprocess.PIPE)
        client = server.client()
        reader = client.pubsub()
        reader.subscribe("trades:venue:A-USDT")

        def payload() -> bytes:
            while (message := reader.get_message(timeout=PATIENCE_S))["type"] != "message":
                pass
            return message["data"]

        async with asyncio.timeout(PATIENCE_S):
            while not client.pubsub_numpat():
                assert example.returncode is None
                await asyncio.sleep(0.02)
            outbox.emit(trades, TRADE)
            first = await asyncio.to_thread(payload)
            client.publish("trades:venue:A-USDT", first)  # a repeat
            client.xadd("stream:{trades:venue:A-USDT}", {"e": first.replace(b'"seq":1,', b'"seq":2,').replace(b'"1.5"', b'"2.5"')})
            client.publish("trades:venue:A-USDT", first.replace(b'"seq":1,', b'"seq":3,').replace(b'"1.5"', b'"3.5"'))  # 2 was not heard
            client.publish("trades:venue:A-USDT", first.replace(b'"epoch":1,', b'"epoch":2,').replace(b'"1.5"', b'"4.5"'))  # a new writer
            out, _ = await example.communicate()
        await publisher.stop()
        await publisher.bus.close()
    assert out.decode().splitlines() == [f"trades venue A-USDT buy 2 at {price}" for price in ("1.5", "2.5", "3.5", "4.5")]
