"""How fast the three servers are: start, PUBLISH and XADD in pipelines of 1000, one client on loopback. Prints JSON.

Run from the root: PYTHONPATH=.:tests/delivery python tests/bench/redis_speed.py
Stands for: one publisher flushing batches of 250-byte events. The client packs beforehand and only counts replies.
"""

import json
import statistics
import tempfile
import time
from pathlib import Path

import redis

from tests.delivery.redis_servers import KINDS, RawClient, pack, running

BATCH = 1000
BATCHES = 30
PAYLOAD = "x" * 250


def rate(client: RawClient, batches: list[bytes], n_replies: int) -> int:
    """Commands per second, the median batch."""
    took_s = []
    for batch in batches:
        began = time.perf_counter()
        client.send(batch)
        for _ in range(n_replies):
            client.reply()
        took_s.append(time.perf_counter() - began)
    return round(BATCH / statistics.median(took_s))


def publishes() -> list[bytes]:
    return [pack("PUBLISH", "trades:x:BTC-USDT", PAYLOAD) * BATCH] * BATCHES


def entries(transaction: bool) -> list[bytes]:
    batches = []
    for b in range(BATCHES):
        ms = 1_700_000_000_000 + b + (BATCHES if transaction else 0)
        key = "stream:{trades:x:BTC-USDT}"
        body = b"".join(pack("XADD", key, "MAXLEN", "~", 100_000, f"{ms}-{n}", "p", PAYLOAD) for n in range(BATCH))
        batches.append(pack("MULTI") + body + pack("EXEC") if transaction else body)
    return batches


def measure(kind: str, folder: Path) -> dict[str, object]:
    began = time.perf_counter()
    with running(kind, folder) as port:
        db = redis.Redis(port=port)
        db.ping()
        result: dict[str, object] = {"start_ms": round((time.perf_counter() - began) * 1000)}
        with RawClient(port) as client, RawClient(port) as listener:
            result["publish_per_s"] = rate(client, publishes(), BATCH)
            result["xadd_per_s"] = rate(client, entries(transaction=False), BATCH)
            result["xadd_in_multi_per_s"] = rate(client, entries(transaction=True), BATCH + 2)
            listener.ask("PSUBSCRIBE", "trades:*")
            began = time.perf_counter()
            for batch in publishes():
                client.send(batch)
                for _ in range(BATCH):
                    client.reply()
                    listener.reply()
            result["publish_to_one_subscriber_per_s"] = round(BATCH * BATCHES / (time.perf_counter() - began))
        status = Path(f"/proc/{db.info('server')['process_id']}/status")
        if status.exists():
            rss_kb = next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmRSS"))
            result["rss_mb"] = round(int(rss_kb) / 1024, 1)
        result["used_memory_mb"] = round(db.info("memory")["used_memory"] / (1 << 20), 1)
    return result


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps({kind: measure(kind, Path(name, kind)) for kind in KINDS}, indent=1))
