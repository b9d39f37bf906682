"""What Prometheus reads about delivery: every accepted event is in exactly one of its ends, or waits."""

import asyncio

from cext.clock import Clock
from cext.outbox import CLASS_NAMES, Outbox
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from p9.capture.ledger import Ledger
from p9.delivery.bus import Bus
from p9.delivery.disk import Disk
from p9.delivery.publisher import Confirmer, Publisher
from p9.delivery.spool import Spool
from p9.ops.metrics import Status
from p9.snapshots.keeper import Keeper
from p9.snapshots.shelf import Shelf
from tests.delivery.redis_process import RedisProcess
from tests.snapshots.books import INSTRUMENT, Book, S, shoot

ENDS = ("confirmed", "conflated", "shed", "quarantined", "waiting")


class Delivery(Collector):
    """The part of the page that is about delivery."""

    def __init__(self, publisher):
        self.publisher = publisher

    def collect(self):
        return Status(dict)._delivery(self.publisher.stats())


def scraped(publisher):
    registry = CollectorRegistry()
    registry.register(Delivery(publisher))
    found = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            found[sample.name, *sorted(sample.labels.items())] = sample.value
    return found


def of_class(found, name, cls):
    return next(found[key] for key in ((f"p9_events_{name}{end}", ("class", cls)) for end in ("_total", "")) if key in found)


async def test_the_ends_add_up_and_latency_counts_what_is_confirmed(tmp_path):
    server = RedisProcess(tmp_path / "redis")
    spool = Spool(Disk(tmp_path / "spool"))
    await spool.recover()
    outbox = Outbox(Clock(), epoch=1, journals=spool.journals, items=(10, 10, 0, 10))
    bus = Bus(server.url)
    publisher = Publisher(outbox, bus, Confirmer(max_retries=0), spool=spool)
    await publisher.start()
    channels = [outbox.channel("kind", "venue", name, "venue_spot", "", cls) for cls, name in enumerate(CLASS_NAMES)]
    channels.append(outbox.channel("depth", "venue", "S", "venue_spot", "", 3, queued=True))
    try:
        for _ in range(100):
            for channel in channels:
                outbox.emit(channel, b"{}")
        while publisher.lanes[0].circuit.state == "closed":
            await asyncio.sleep(0.01)
        found = scraped(publisher)
        for cls in CLASS_NAMES:
            assert of_class(found, "accepted", cls) == sum(of_class(found, end, cls) for end in ENDS) == (200 if cls == "LOW" else 100)
        assert of_class(found, "waiting_on_disk", "HIGH") == 90 and of_class(found, "shed", "LOW") > 80
        assert found["p9_circuit_opened_total", ("lane", "urgent")] == 1 and found["p9_bus_connected", ("lane", "urgent")] == 0
        await asyncio.to_thread(server.start)
        while outbox.waiting():
            await asyncio.sleep(0.01)
        found = scraped(publisher)
        for cls in CLASS_NAMES:
            assert of_class(found, "accepted", cls) == sum(of_class(found, end, cls) for end in ENDS)
            assert found["p9_events_confirm_seconds_count", ("class", cls)] == of_class(found, "confirmed", cls)
        assert of_class(found, "success_ratio", "HIGH") == 1.0 and 0 < of_class(found, "success_ratio", "LOW") < 1
        assert found["p9_circuit_state", ("lane", "urgent"), ("state", "closed")] == 1 and found["p9_spool_unread",] == 0
        slowest = max(value for key, value in found.items() if key[0] == "p9_events_confirm_seconds_sum")
        assert 0.01 < slowest < 100 * 60
    finally:
        await publisher.stop()
        await bus.close()
        server.kill()


def test_what_is_stored_of_snapshots_is_scraped(tmp_path):
    keeper = Keeper(epoch=7, shelf=Shelf(tmp_path, epoch=7, max_bytes=1 << 30, keep_ms=1 << 50))
    film = keeper.film_of(INSTRUMENT)
    for turn in range(3):
        shoot(film, Book([(100, 5)], [(101, turn + 1)], turn * S), turn)
    asyncio.run(keeper.flush())

    class Snapshots(Collector):
        def collect(self):
            return Status(dict)._snapshots(keeper.status())

    registry = CollectorRegistry()
    registry.register(Snapshots())
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode()) for sample in family.samples
    }  # fmt: skip
    size = sum(path.stat().st_size for path in tmp_path.rglob("*.p9s"))
    assert samples == {
        ("p9_snapshot_frames_total", "key"): 1, ("p9_snapshot_frames_total", "changes"): 2, ("p9_snapshot_packed_bytes_total",): size,
        ("p9_snapshots_lost_total", "memory"): 0, ("p9_snapshots_lost_total", "disk"): 0, ("p9_snapshots_lost_total", "redis"): 0,
        ("p9_snapshot_errors_total", "redis"): 0, ("p9_snapshot_errors_total", "disk"): 0, ("p9_snapshot_waiting_bytes",): 0,
        ("p9_snapshot_disk_bytes",): size,
    }  # fmt: skip


def test_a_gap_of_stop_triggers_is_counted_under_its_whole_name():
    # it was told as a gap of kind "stop" that "triggers_lost"
    ledger = Ledger(None, epoch=1)
    gap = ledger.begin(kind="stop_triggers", reason="disconnect", noticed_ns=1, exchange="binance", market="binance_usdm", symbol="BTC-USDT-PERP")
    ledger.settle(gap, "lost", 2)
    _, changes = Status(dict)._gaps(ledger.status())
    found = {tuple(sample.labels.values()): sample.value for sample in changes.samples}
    assert found == {("stop_triggers", "disconnect"): 1, ("stop_triggers", "lost"): 1}
