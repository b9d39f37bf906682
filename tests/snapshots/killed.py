"""Stores books as fast as it can until it is killed; one line of standard output for each second that is on disk. For test_kills.py.

    python -m tests.snapshots.killed FOLDER EPOCH FIRST_TURN
"""

import asyncio
import random
import sys
from pathlib import Path

from p9.snapshots.keeper import Keeper, KeeperSettings
from p9.snapshots.shelf import Shelf
from tests.snapshots.books import INSTRUMENT, Book, S, shoot


def book_of(turn: int, epoch: int) -> Book:
    """The same for the same second and run, wherever it is asked for."""
    rng = random.Random(f"{turn} {epoch}")
    bids = sorted({1000 - rng.randrange(300): 1 + rng.randrange(10**6) for _ in range(150)}.items(), reverse=True)
    asks = sorted({1001 + rng.randrange(300): 1 + rng.randrange(10**6) for _ in range(150)}.items())
    return Book(bids, asks, turn * S, update_id=turn)


async def main(folder: Path, epoch: int, turn: int) -> None:
    shelf = Shelf(folder, epoch=epoch, max_bytes=1 << 30, keep_ms=1 << 50)
    keeper = Keeper(epoch=epoch, settings=KeeperSettings(key_ms=10_000), shelf=shelf)
    film = keeper.film_of(INSTRUMENT)
    while True:
        for _ in range(3):
            shoot(film, book_of(turn, epoch), turn)
            turn += 1
        await keeper.flush()
        print(turn - 1, flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
