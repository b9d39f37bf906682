"""Where snapshots are kept and looked up as the configuration says, and whether there is room for them."""

import asyncio
import sys

import msgspec
import pytest

from p9 import __main__ as command_line
from p9 import storage
from p9.client.film import SnapshotMissing
from p9.config import parse
from p9.confirmation import redis_of
from p9.delivery.bus import Bus
from p9.errors import BusAway, ConfigError
from tests.delivery.redis_process import RedisProcess, free_port
from tests.snapshots.books import INSTRUMENT, S, same, shoot
from tests.snapshots.test_keeper import FIRST, books

SECTION = "analytics: {periodic_snapshots: {%s}}"
OTHERS = {"bybit": ("spot", "linear", "inverse"), "okx": ("spot", "swap", "futures"), "binance": ("usdm", "coinm")}


def only(symbols: str) -> str:
    """One market with these symbols, and no other."""
    off = {venue: ", ".join(f"{line}: {{enabled: false}}" for line in lines) for venue, lines in OTHERS.items()}
    return f"venues: {{bybit: {{{off['bybit']}}}, okx: {{{off['okx']}}}, binance: {{{off['binance']}, spot: {{symbols: [{symbols}]}}}}}}"


HUNDRED = only(", ".join(f"A{n}-USDT" for n in range(100)))


def keeper_of(config, folder, bus, **more):
    return storage.keeper_of(config, folder, bus, epoch=9, now_ns=lambda: FIRST * S, **{"simulated": False, **more})


@pytest.fixture
def bus():
    return Bus("redis://127.0.0.1:1/0")


@pytest.mark.parametrize("text, message", [
    ("interval: 1500us", "duration with its unit"), ("interval: 100.5ms", "interval: found 100.5ms, allowed are whole milliseconds"),
    ("interval: 50ms", "100ms to 1h"), ("key_interval: 500ms", "1s to 1h"), ("interval: 2m", r"key_interval: found 1m, allowed is the interval \(2m\) or more"),
    ("storage: off", "allowed is disk, redis, none"), ("storage: Disk", "allowed is disk, redis, none"), ("max_bytes: 1kB", "16MB to 16384GB"), ("redis_newest: 2h", "0ms to 1h"),
])  # fmt: skip
def test_what_cannot_be_is_refused_with_what_can(text, message):
    with pytest.raises(ConfigError, match=message) as error:
        parse(SECTION % text)
    assert "periodic_snapshots" in error.value.where


@pytest.mark.parametrize("text", ["storage: none", "enabled: false"])
async def test_where_nothing_is_stored_that_is_said(tmp_path, bus, text):
    config = parse(SECTION % text)
    assert (keeper_of(config, tmp_path, bus) is None) == ("none" in text), "what is switched on later finds its keeper"
    with pytest.raises(SnapshotMissing, match=r"none are being stored: analytics\.periodic_snapshots"):
        await storage.look_up(config.analytics.periodic_snapshots, tmp_path, None, "venue", "BTC-USDT", None, simulated=False)


async def test_what_was_stored_before_storing_was_switched_off_is_still_shown(tmp_path, bus):
    keeper = keeper_of(parse(SECTION % "redis_newest: 0s"), tmp_path, bus)
    film = keeper.film_of(INSTRUMENT)
    (book,) = books(1)
    shoot(film, book, FIRST)
    await keeper.stop()
    for text in ("storage: none", "enabled: false"):
        assert same(await storage.look_up(parse(SECTION % text).analytics.periodic_snapshots, tmp_path, None, "venue", "BTC-USDT", None, simulated=False), book)


async def test_disk_is_the_default_and_keeps_the_newest_minute_in_redis_too(tmp_path, bus):
    keeper = keeper_of(parse(""), tmp_path, bus)
    settings, shelf = keeper.settings, keeper.shelf
    assert (shelf.root, shelf.max_bytes, shelf.min_free, shelf.keep_ms, shelf.epoch) == (tmp_path / "snapshots", 16 << 30, 2 << 30, 86_400_000, 9)
    assert (settings.interval_ms, settings.key_ms, settings.redis_keep_ms, settings.retries, settings.waiting_bytes) == (1000, 60_000, 60_000, False, 16 << 20)
    keeper = keeper_of(parse(SECTION % "storage: redis, storage_duration: 2h, interval: 500ms, key_interval: 30s"), tmp_path, bus)
    settings = keeper.settings
    assert keeper.shelf is None and (settings.interval_ms, settings.key_ms, settings.redis_keep_ms, settings.retries) == (500, 30_000, 7_200_000, True)


async def test_made_up_books_have_a_place_of_their_own_that_begins_empty(tmp_path, bus):
    config = parse(SECTION % "redis_newest: 0s")
    made = books(3)
    for simulated in (True, False):
        keeper = keeper_of(config, tmp_path, bus, simulated=simulated)
        film = keeper.film_of(INSTRUMENT)
        for turn, book in enumerate(made):
            shoot(film, book, FIRST + turn)
        if simulated:
            await keeper.stop()
            with pytest.raises(SnapshotMissing, match="what the simulation stored is shown with --simulate"):
                await storage.look_up(config.analytics.periodic_snapshots, tmp_path, None, "venue", "BTC-USDT", None, simulated=False)
    await keeper.stop()
    for simulated in (True, False):
        assert same(await storage.look_up(config.analytics.periodic_snapshots, tmp_path, None, "venue", "BTC-USDT", made[1].taken_ns, simulated=simulated), made[1])
    keeper_of(config, tmp_path, bus, simulated=True)
    with pytest.raises(SnapshotMissing):
        await storage.look_up(config.analytics.periodic_snapshots, tmp_path, None, "venue", "BTC-USDT", None, simulated=True)
    assert same(await storage.look_up(config.analytics.periodic_snapshots, tmp_path, None, "venue", "BTC-USDT", None, simulated=False), made[2])


async def test_looked_up_in_redis_where_that_is_the_storage(tmp_path):
    config = parse(SECTION % "storage: redis")
    with RedisProcess(tmp_path / "redis") as server:
        bus = Bus(server.url)
        keeper = keeper_of(config, tmp_path, bus)
        film = keeper.film_of(INSTRUMENT)
        made = books(3)
        for turn, book in enumerate(made):
            shoot(film, book, FIRST + turn)
        await keeper.stop()
        assert same(await storage.look_up(config.analytics.periodic_snapshots, tmp_path, bus.client, "venue", "BTC-USDT", made[1].taken_ns, simulated=False), made[1])
        for exchange, symbol in (("venue", "../x"), ("..", "BTC-USDT"), ("venue", "*")):
            with pytest.raises(SnapshotMissing):
                await storage.look_up(config.analytics.periodic_snapshots, tmp_path, bus.client, exchange, symbol, None, simulated=False)
        await bus.close()
    assert not (tmp_path / "snapshots").exists()


# ---- room


def test_the_need_grows_with_books_time_and_interval():
    need = storage.need_of(parse(HUNDRED))
    assert (need.books, need.guessed) == (100, 0)
    assert 100 * 86_400 * 500 < need.disk < 100 * 86_400 * 800, "650 bytes a second and book, as measured"
    assert need.redis > 256 << 20 and need.redis - (256 << 20) < 40 << 20
    doubled = storage.need_of(parse(HUNDRED + "\n" + SECTION % "storage_duration: 48h"))
    assert 1.9 < doubled.disk / need.disk < 2.0
    slower = storage.need_of(parse(HUNDRED + "\n" + SECTION % "interval: 4s"))
    assert slower.disk / need.disk == pytest.approx(0.5, rel=0.01), "a quarter as many, twice as large"
    redis = storage.need_of(parse(HUNDRED + "\n" + SECTION % "storage: redis"))
    assert redis.disk == 0 and 100 * 86_400 * 800 < redis.redis < 100 * 86_400 * 1000
    none = storage.need_of(parse(HUNDRED + "\n" + SECTION % "storage: none"))
    assert none.disk == 0 and need.redis - none.redis == pytest.approx(100 * 120 * 880, rel=0.01)
    need = storage.need_of(parse(only("'*-USDT', BTC-USDT, ETH-USDT-2*")))
    assert (need.books, need.guessed) == (107, 106)


def test_a_disk_bound_that_is_too_small_for_the_day_is_said():
    config = parse(HUNDRED + "\n" + SECTION % "max_bytes: 1GB")
    first, warning = storage.room_report(config, storage.need_of(config))
    assert "100 books" in first and "5.4 GB" in first
    assert warning == "warning: analytics.periodic_snapshots.max_bytes (1GB) holds about 4.4 hours of them, not 24h"


@pytest.mark.parametrize("text, limit, where", [
    (SECTION % "storage: redis", 4 << 30, "analytics.periodic_snapshots.storage"), ("", 256 << 20, "redis.max_stream_bytes"),
])  # fmt: skip
def test_what_maxmemory_cannot_hold_is_refused(text, limit, where):
    config = parse(HUNDRED + "\n" + text)
    need = storage.need_of(config)
    with pytest.raises(ConfigError, match=r"100 books need about .* the one at x may use") as error:
        storage.check_room(config, need, limit, "the one at x")
    assert error.value.where == where and error.value.hint
    storage.check_room(config, need, 0, "one without a limit")
    storage.check_room(config, need, 100 << 30, "a large one")


async def test_the_maxmemory_of_a_real_redis_and_of_the_embedded_one(tmp_path):
    with RedisProcess(tmp_path, "--maxmemory", "100mb") as server:

        async def there():
            return await redis_of(parse(f"redis: {{url: '{server.url}'}}"), tmp_path, simulated=False, mode="external")

        assert await storage.room_of(parse(""), there) == (100 << 20, f"the one at {server.url}")
        bus = Bus(server.url)
        with pytest.raises(ConfigError, match="may use 100 MB"):
            await storage.check_start(parse(SECTION % "storage: redis"), bus, "the external one")
        await storage.check_start(parse(""), bus, "the external one")  # only said
        await bus.close()

    async def away():
        raise BusAway("nobody there")

    assert await storage.room_of(parse(""), away) == (512 << 20, "the embedded one")
    assert await storage.room_of(parse("redis: {mode: embedded}"), away) == (512 << 20, "the embedded one")
    with pytest.raises(BusAway):
        await storage.room_of(parse("redis: {mode: external}"), away)


def test_check_config_says_the_size_and_refuses_what_does_not_fit(p9, capsys, tmp_path):
    assert p9("--check-config") == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("the defaults: good") and "books" in out[1] and "snapshots on disk" in out[1]
    path = tmp_path / "full.yaml"
    path.write_text("redis: {mode: embedded}\n" + SECTION % "storage: redis")
    assert p9("--check-config", "--config", str(path)) == 2
    said = capsys.readouterr()
    assert said.out == "" and "analytics.periodic_snapshots.storage" in said.err and "512 MB (maxmemory)" in said.err
    path.write_text(f"redis: {{mode: external, url: 'redis://127.0.0.1:{free_port()}/0'}}")
    assert p9("--check-config", "--config", str(path)) == 0
    assert "room in Redis is not checked" in capsys.readouterr().out


# ---- the command line


@pytest.fixture
def p9(monkeypatch, tmp_path):
    """Runs the command line with its state in tmp_path: the exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("P9_CONFIG", raising=False)
    monkeypatch.setenv("P9__DATA_DIR", str(tmp_path))

    def run(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["p9_microstream", *words])
        return command_line.main()

    return run


def test_the_command_shows_a_second_as_a_ladder_and_as_json(p9, capsys, tmp_path, bus):
    made = books(3)

    async def store() -> None:
        keeper = keeper_of(parse(SECTION % "redis_newest: 0s"), tmp_path, bus)
        film = keeper.film_of(msgspec.structs.replace(INSTRUMENT, contract="linear", contract_value="0.01"))
        for turn, book in enumerate(made):
            shoot(film, book, FIRST + turn)
        await keeper.stop()

    asyncio.run(store())
    assert p9("snapshot", "venue", "BTC-USDT", "--at", str(FIRST + 1)) == 0
    assert capsys.readouterr().out.splitlines() == [
        "venue BTC-USDT (venue_spot BTCUSDT), taken 2023-11-14T22:13:21.000Z", "update_id 1", "quantities are contracts of 0.01 base coins",
        "ask  1.21  0.002", "bid  1.01  0.005",
    ]  # fmt: skip
    assert p9("snapshot", "venue", "BTC-USDT", "--json") == 0
    shown = msgspec.json.decode(capsys.readouterr().out)
    assert (shown["update_id"], shown["at_ms"], shown["contract_unit"]) == (2, (FIRST + 2) * 1000, "base")
    assert p9("snapshot", "venue", "BTC-USDT", "--at", "2020-01-01") == 1
    said = capsys.readouterr().err
    assert "nothing is stored of venue BTC-USDT at that time" in said and "  2023-11-14T22:13:20.000Z to 2023-11-14T22:13:22.000Z" in said
    assert p9("snapshot", "venue", "../../etc/passwd") == 1
    assert "there is: venue BTC-USDT" in capsys.readouterr().err
    for words in (("--at", "noon"), ("--depth", "-1")):
        assert p9("snapshot", "venue", "BTC-USDT", *words) == 2
        assert words[0] in capsys.readouterr().err


def test_without_the_redis_that_has_them_the_command_says_where_else(p9, capsys, tmp_path):
    path = tmp_path / "redis.yaml"
    path.write_text(f"redis: {{url: 'redis://127.0.0.1:{free_port()}/0'}}\n" + SECTION % "storage: redis")
    assert p9("--config", str(path), "snapshot", "venue", "BTC-USDT") == 3
    assert "GET /snapshots" in capsys.readouterr().err
