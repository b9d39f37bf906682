"""A consumer of books, for test_recovery.py: what docs/consumer.md shows, and its books on request.

    python -m tests.client.consumer URL     a line on standard input asks; a line of JSON on standard output answers
"""

import asyncio
import json
import sys

from p9.client import Books, NewEpoch, subscribe

LEVELS = 300


async def main(url: str) -> None:
    books, names = Books(), set()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    async def answer() -> None:
        while await reader.readline():
            told = {}
            for exchange, symbol in sorted(names):
                book = books.book(exchange, symbol)
                sides = [[[f"{price:f}", f"{quantity:f}"] for price, quantity in side] for side in (book.bids(LEVELS), book.asks(LEVELS))]
                told[f"{exchange} {symbol}"] = {"synced": book.synced, "reason": book.reason, "epoch": book.epoch, "seq": book.seq, "sides": sides, "losses": book.losses}
            print(json.dumps(told), flush=True)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(answer())
        async with subscribe(url, "depth:*", "snapshots:*") as events:
            async for event in events:
                if books.take(event) is not None and not isinstance(event, NewEpoch):
                    names.add((event.exchange, event.symbol))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
