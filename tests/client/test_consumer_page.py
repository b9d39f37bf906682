"""The example of docs/consumer.md, run as it is printed."""

import asyncio
import re
import sys
from pathlib import Path

from cext.clock import Clock
from cext.outbox import Outbox

from p9.delivery.bus import Bus
from p9.delivery.publisher import Publisher
from tests.client.test_subscription import TRADE
from tests.delivery.redis_process import RedisProcess

ROOT = Path(__file__).parents[2]
EXAMPLE = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "consumer.md").read_text(encoding="utf-8"), re.S)[1]
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
        async with asyncio.timeout(20):
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
