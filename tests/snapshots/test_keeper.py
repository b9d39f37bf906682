"""Snapshots into files and into a real Redis: the same records in both, kept for as long as they must be; a Redis that is away, full, or back."""

import asyncio
import json

import msgspec
import pytest
from redis.asyncio import Redis

from p9.client import SnapshotMissing, stored_snapshot
from p9.client.film import SnapshotDamaged, read_record
from p9.client.stored import stored_spans
from p9.delivery.cluster import ClusterBus
from p9.snapshots import library
from p9.snapshots.keeper import Keeper, KeeperSettings
from p9.snapshots.shelf import Shelf
from p9.storage import max_memory_of
from tests.delivery.redis_forms import ClusterForm
from tests.delivery.redis_process import RedisProcess
from tests.patience import until
from tests.snapshots.books import INSTRUMENT, Book, S, same, shoot

FIRST = 1_700_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RedisProcess(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
async def redis(server):
    client = Redis.from_url(server.url)
    await client.flushall()
    yield client
    await client.aclose()


def books(n: int, since: int = FIRST, phase_ms: int = 0) -> list[Book]:
    """`phase_ms`: how long before its turn each is taken."""
    return [
        Book([(100 + turn % 7, 5)], [(120 + turn % 5, turn + 1)], (since + turn) * S - phase_ms * 10**6, update_id=turn) for turn in range(n)
    ]  # fmt: skip


def film_all(film, made: list[Book], since: int = FIRST) -> None:
    for turn, book in enumerate(made):
        assert shoot(film, book, since + turn)


@pytest.mark.parametrize("phase_ms", [0, 950])
async def test_every_second_is_in_redis_and_shown_from_there(redis, phase_ms):
    keeper = Keeper(epoch=7, settings=KeeperSettings(key_ms=20_000), redis=redis)
    made = books(50, phase_ms=phase_ms)
    film_all(keeper.film_of(INSTRUMENT), made)
    await keeper.flush()
    assert keeper.status()["set"] == 50 and await redis.dbsize() == 50
    for book in made:
        for later_ns in (0, 1, S - 1):
            assert same(await stored_snapshot(redis, "venue", "BTC-USDT", book.taken_ns + later_ns), book)
    for at_ns in (made[0].taken_ns - 1, made[-1].taken_ns + 2 * S):
        with pytest.raises(SnapshotMissing):
            await stored_snapshot(redis, "venue", "BTC-USDT", at_ns)
    with pytest.raises(SnapshotMissing):
        await stored_snapshot(redis, "venue", "ETH-USDT", made[0].taken_ns)


async def test_the_keys_have_the_turn_in_their_name_and_live_as_long_as_their_minute_is_needed(redis):
    keeper = Keeper(epoch=7, settings=KeeperSettings(key_ms=20_000, redis_keep_ms=30_000), redis=redis)
    film_all(keeper.film_of(INSTRUMENT), books(3))
    await keeper.flush()
    keys = sorted(await redis.keys("*"))
    assert keys == [b"snapshot:venue:BTC-USDT:%d" % ((FIRST + n) * 1000) for n in range(3)]
    for key in keys:
        assert 49_000 < await redis.pttl(key) <= 50_000
    assert read_record(await redis.get(keys[1])).at_ms == (FIRST + 1) * 1000


async def test_the_end_of_a_book_is_in_redis_too(redis):
    keeper = Keeper(epoch=7, redis=redis)
    film = keeper.film_of(INSTRUMENT)
    made = books(3)
    film_all(film, made)
    film.end_word(b"crossed", made[-1].taken_ns + 100_000_000)
    await keeper.flush()
    assert same(await stored_snapshot(redis, "venue", "BTC-USDT", made[-1].taken_ns + 99_999_999), made[-1])
    with pytest.raises(SnapshotMissing, match="crossed"):
        await stored_snapshot(redis, "venue", "BTC-USDT", made[-1].taken_ns + 100_000_000)


async def test_what_redis_holds_is_told_to_the_minute(redis):
    keeper = Keeper(epoch=7, redis=redis)
    film = keeper.film_of(INSTRUMENT)
    since = FIRST // 60 * 60
    film_all(film, books(181, since), since)
    film_all(film, books(70, since + 600), since + 600)
    await keeper.flush()
    spans = await stored_spans(redis, "venue", "BTC-USDT", (since - 100) * S, (since + 3600) * S)
    assert spans == [(since * S, (since + 180) * S), ((since + 600) * S, (since + 660) * S)]


async def test_a_lost_or_damaged_key_is_never_papered_over(redis):
    keeper = Keeper(epoch=7, settings=KeeperSettings(key_ms=10_000), redis=redis)
    made = books(30)
    film_all(keeper.film_of(INSTRUMENT), made)
    await keeper.flush()
    await redis.delete(f"snapshot:venue:BTC-USDT:{(FIRST + 14) * 1000}")
    key = f"snapshot:venue:BTC-USDT:{(FIRST + 3) * 1000}"
    await redis.set(key, (await redis.get(key))[:-1] + b"\0")
    for n, book in enumerate(made):
        scene = range(n // 10 * 10, n + 1)
        if 3 in scene or (14 in scene and n != 14) or n == 2:  # what follows it may have been taken before its turn, and does not say
            with pytest.raises(SnapshotDamaged):
                await stored_snapshot(redis, "venue", "BTC-USDT", book.taken_ns)
        elif n == 14:
            assert same(await stored_snapshot(redis, "venue", "BTC-USDT", book.taken_ns), made[13]), "half a second more, and it is missing"
            with pytest.raises(SnapshotMissing):
                await stored_snapshot(redis, "venue", "BTC-USDT", book.taken_ns + S * 6 // 10)
        else:
            assert same(await stored_snapshot(redis, "venue", "BTC-USDT", book.taken_ns), book)


async def test_disk_and_redis_hold_the_same_records(redis, tmp_path):
    keeper = Keeper(epoch=7, shelf=Shelf(tmp_path, epoch=7, max_bytes=1 << 30, keep_ms=1 << 50), redis=redis)
    made = books(20)
    film_all(keeper.film_of(INSTRUMENT), made)
    await keeper.flush()
    stored = b"".join([await redis.get(f"snapshot:venue:BTC-USDT:{(FIRST + n) * 1000}") for n in range(20)])
    (path,) = (tmp_path / "venue" / "BTC-USDT").iterdir()
    assert path.read_bytes() == stored and path.name == f"{FIRST * 1000}-7.p9s"
    assert same(library.find(tmp_path, "venue", "BTC-USDT"), made[-1])
    status = keeper.status()
    assert (status["packed"], status["key_frames"] + status["change_frames"], status["disk"]["records"], status["packed_bytes"]) == (20, 20, 20, len(stored))


async def test_it_runs_by_itself_and_keeps_the_last_ones_at_a_stop(redis, tmp_path):
    keeper = Keeper(
        epoch=7, settings=KeeperSettings(flush_s=0.02), shelf=Shelf(tmp_path, epoch=7, max_bytes=1 << 30, keep_ms=1 << 50), redis=redis,
        now_ns=lambda: FIRST * S,
    )  # fmt: skip
    film = keeper.film_of(INSTRUMENT)
    running = asyncio.create_task(keeper.run())
    made = books(10)
    film_all(film, made[:5])
    await until(lambda: keeper.status()["set"] == 5 and keeper.status()["disk"]["records"] == 5)  # the first five are kept
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    for turn, book in enumerate(made[5:], 5):
        shoot(film, book, FIRST + turn)
    await keeper.stop()
    assert keeper.status()["set"] == 10
    for book in made:
        assert same(library.find(tmp_path, "venue", "BTC-USDT", book.taken_ns), book)


async def test_a_disk_that_refuses_costs_what_it_refused_and_then_a_key_frame_comes(tmp_path):
    root = tmp_path / "snapshots"
    root.write_text("no folder")
    keeper = Keeper(epoch=7, shelf=Shelf(root, epoch=7, max_bytes=1 << 30, keep_ms=1 << 50))
    film = keeper.film_of(INSTRUMENT)
    made = books(6)
    film_all(film, made[:3])
    await keeper.flush()
    assert (keeper.status()["disk_lost"], keeper.status()["disk"]["error"]) == (3, "Not a directory")
    root.unlink()
    for turn, book in enumerate(made[3:], 3):
        shoot(film, book, FIRST + turn)
    await keeper.flush()
    assert keeper.status()["disk"]["error"] == "" and keeper.status()["key_frames"] == 2
    for book in made[3:]:
        assert same(library.find(root, "venue", "BTC-USDT", book.taken_ns), book)


async def test_where_redis_is_the_only_place_what_it_did_not_take_waits_for_it(tmp_path):
    with RedisProcess(tmp_path) as server:
        redis = Redis.from_url(server.url, socket_timeout=1, retry=None)
        keeper = Keeper(epoch=7, settings=KeeperSettings(retries=True), redis=redis)
        film = keeper.film_of(INSTRUMENT)
        made = books(40)
        film_all(film, made[:10])
        await keeper.flush()
        server.kill()
        for turn, book in enumerate(made[10:], 10):
            shoot(film, book, FIRST + turn)
        await keeper.flush()
        assert (keeper.status()["redis_waiting"], keeper.status()["redis_lost"]) == (30, 0) and "ConnectionError" in keeper.error
        server.start()
        await keeper.flush()
        assert keeper.status()["redis_waiting"] == 0 and keeper.error == ""
        for book in made[20:]:
            with pytest.raises(SnapshotDamaged, match="without the record before"):  # their key frame was forgotten with the server's memory
                await stored_snapshot(redis, "venue", "BTC-USDT", book.taken_ns)
        shoot(film, made[0]._replace(taken_ns=(FIRST + 60) * S), FIRST + 60)
        await keeper.flush()
        assert (await stored_snapshot(redis, "venue", "BTC-USDT", (FIRST + 60) * S)).update_id == 0
        await redis.aclose()


async def test_what_waits_for_redis_is_bounded_and_the_oldest_go_first(tmp_path):
    with RedisProcess(tmp_path) as server:
        redis = Redis.from_url(server.url, socket_timeout=1, retry=None)
        keeper = Keeper(epoch=7, settings=KeeperSettings(retries=True, waiting_bytes=2000), redis=redis)
        film = keeper.film_of(INSTRUMENT)
        server.kill()
        for turn, book in enumerate(books(50)):
            shoot(film, book, FIRST + turn)
            await keeper._keep()
        status = keeper.status()
        assert 10 < status["redis_waiting"] < 40 and status["redis_waiting"] + status["redis_lost"] == 50
        server.start()
        await keeper.flush()
        assert await redis.dbsize() == status["redis_waiting"] and await redis.exists(f"snapshot:venue:BTC-USDT:{(FIRST + 49) * 1000}")
        await redis.aclose()


async def test_beside_the_disk_what_redis_did_not_take_is_let_go(tmp_path):
    with RedisProcess(tmp_path / "redis", "--maxmemory", "1", "--maxmemory-policy", "noeviction") as server:
        redis = Redis.from_url(server.url)
        keeper = Keeper(epoch=7, shelf=Shelf(tmp_path / "disk", epoch=7, max_bytes=1 << 30, keep_ms=1 << 50), redis=redis)
        made = books(5)
        film_all(keeper.film_of(INSTRUMENT), made)
        await keeper.flush()
        status = keeper.status()
        assert (status["redis_lost"], status["redis_waiting"], status["set"]) == (5, 0, 0) and "maxmemory" in keeper.error
        assert same(library.find(tmp_path / "disk", "venue", "BTC-USDT"), made[-1])
        await redis.aclose()


async def test_in_a_cluster_each_key_has_its_own_slot(tmp_path):
    with ClusterForm(tmp_path) as form:
        bus = ClusterBus(form.hosts[:1])
        keeper = Keeper(epoch=7, redis=bus.client)
        made = books(70)
        film_all(keeper.film_of(INSTRUMENT), made)
        await keeper.flush()
        assert keeper.status()["set"] == 70 and all(server.client().dbsize() > 5 for server in form.masters), "spread over all"
        for book in made[::9]:
            assert same(await stored_snapshot(bus.client, "venue", "BTC-USDT", book.taken_ns), book)
        assert await max_memory_of(bus) == 0
        for server in form.masters:
            server.client().config_set("maxmemory", "64mb")
        assert await max_memory_of(bus) == 3 * (64 << 20)
        await bus.close()


async def test_what_is_on_its_way_to_redis_is_neither_dropped_nor_lost_when_the_bound_is_met():
    class Slow:
        """A Redis whose answers come when they are let."""

        def __init__(self):
            self.keys, self.go = [], asyncio.Event()

        def pipeline(self, transaction):
            return self

        async def __aenter__(self):
            self.some = []
            return self

        async def __aexit__(self, *_):
            pass

        def execute_command(self, command, key, *_):
            self.some.append(key)

        async def execute(self, raise_on_error):
            some = list(self.some)
            await self.go.wait()
            self.keys += some
            return [b"OK"] * len(some)

    redis = Slow()
    keeper = Keeper(epoch=7, settings=KeeperSettings(retries=True, waiting_bytes=2000), redis=redis)
    film = keeper.film_of(INSTRUMENT)
    made = books(120)
    film_all(film, made[:20])
    await keeper._keep()
    setting = asyncio.create_task(keeper._set())
    await asyncio.sleep(0)
    for turn, book in enumerate(made[20:], 20):
        assert shoot(film, book, FIRST + turn)
        if turn % 10 == 9:
            await keeper._keep()
    redis.go.set()
    await setting
    status = keeper.status()
    assert status["set"] == len(redis.keys) == len(set(redis.keys)) and status["set"] + status["redis_lost"] == 120 > status["set"] and status["redis_waiting"] == 0
    assert keeper._unset_bytes == 0 and redis.keys[-1].endswith(str((FIRST + 119) * 1000))


def test_a_film_asked_for_again_takes_the_place_of_the_first(tmp_path):
    keeper = Keeper(epoch=7, shelf=Shelf(tmp_path, epoch=7, max_bytes=1 << 30, keep_ms=1 << 50))
    first, again = keeper.film_of(INSTRUMENT), keeper.film_of(INSTRUMENT)
    assert (first.book, again.book, keeper.status()["books"]) == (0, 0, 1)
    made = books(6)
    film_all(first, made[:3])
    for turn, book in enumerate(made[3:], 3):
        shoot(again, book, FIRST + turn)
    asyncio.run(keeper.flush())
    for book in made:
        assert same(library.find(tmp_path, "venue", "BTC-USDT", book.taken_ns), book)


def test_the_head_says_what_a_contract_is_worth():
    row = msgspec.structs.replace(INSTRUMENT, contract="inverse", contract_value="100", venue_symbol="BTC-ÄÖ")
    head = json.loads(Keeper(epoch=7).film_of(row).head)
    assert head == {
        "v": 1, "exchange": "venue", "symbol": "BTC-USDT", "market": "venue_spot", "venue_symbol": "BTC-ÄÖ", "epoch": 7, "interval_ms": 1000,
        "contract_value": "100", "contract_unit": "quote",
    }  # fmt: skip
