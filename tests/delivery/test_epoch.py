"""Epochs only grow, whatever is lost: the clock, the state file or the bus."""

import asyncio

import redis.asyncio

from p9.delivery.epoch import KEY, next_epoch
from tests.delivery.redis_process import RedisProcess


async def test_the_clock_gives_it_and_the_file_keeps_it_growing(tmp_path):
    path = tmp_path / "state" / "epoch"
    assert await next_epoch(1000, path) == 1000
    assert await next_epoch(2000, path) == 2000
    assert await next_epoch(1500, path) == 2001  # the clock went back


async def test_a_lost_file_is_made_good_by_the_bus(tmp_path):
    with RedisProcess(tmp_path / "redis") as server:
        async with redis.asyncio.Redis(port=server.port) as client:
            assert await next_epoch(5000, tmp_path / "a", client) == 5000
            assert await next_epoch(1000, tmp_path / "b", client) == 5001
            assert int(await client.get(KEY)) == 5001
            await client.set(KEY, "junk")
            assert await next_epoch(6000, tmp_path / "b", client) == 6000


async def test_workers_that_start_at_once_get_epochs_of_their_own(tmp_path):
    with RedisProcess(tmp_path / "redis") as server:
        async with redis.asyncio.Redis(port=server.port) as client:
            epochs = await asyncio.gather(*(next_epoch(7000, tmp_path / str(n), client) for n in range(8)))
            assert sorted(epochs) == list(range(7000, 7008))


async def test_a_bus_that_is_away_and_a_file_of_junk_still_give_one(tmp_path):
    path = tmp_path / "epoch"
    path.write_text("not a number")
    async with redis.asyncio.Redis(port=1, retry=None) as client:
        assert await next_epoch(1234, path, client) == 1234
    assert path.read_text() == "1234\n"


async def test_a_disk_that_refuses_is_said_and_survived(tmp_path):
    (tmp_path / "state").write_text("a file where a folder should be")
    assert await next_epoch(1234, tmp_path / "state" / "epoch") == 1234
