"""The gap ledger: what is written is what is read, whatever the disk does."""

import asyncio

import msgspec

from p9 import line_file
from p9.capture import ledger
from p9.capture.ledger import Gap, Ledger, read

WHERE = {"exchange": "binance", "market": "binance_spot", "symbol": "BTC-USDT"}


async def test_a_gap_is_written_when_it_opens_and_when_it_is_settled_and_read_as_one(tmp_path):
    path = tmp_path / "state" / "gaps.jsonl"
    book = Ledger(path, epoch=7)
    first = book.begin(kind="trades", reason="numbers", noticed_ns=5, first_id=11, last_id=14, **WHERE)
    second = book.begin(kind="book", reason="gap", noticed_ns=3, **WHERE)
    await book.flush()
    assert [row.state for row in read(path)[0]] == ["open", "open"]
    first.left, first.fetched = [(11, 12)], 2
    book.settle(first, "lost", 9)
    book.settle(second, "resynced", 8)
    await book.flush()
    (older, newer), bad = read(path)
    assert (older.kind, older.state, older.settled_ns, older.missing) == ("book", "resynced", 8, None) and bad == 0
    assert (newer.state, newer.left, newer.fetched, newer.missing) == ("lost", [(11, 12)], 2, 4)
    assert book.status() == {"open": 0, "counts": {"trades_numbers": 1, "book_gap": 1, "trades_lost": 1, "book_resynced": 1}}


async def test_runs_do_not_take_each_others_ids_and_a_torn_line_loses_only_itself(tmp_path):
    path = tmp_path / "gaps.jsonl"
    for epoch in (1, 2):
        one = Ledger(path, epoch=epoch)
        one.begin(kind="book", reason="crossed", noticed_ns=epoch, **WHERE)
        await one.flush()
    with path.open("ab") as file:
        file.write(b'{"id":"3-1","kind":"bo\n\xff\n')
    gaps, bad = read(path)
    assert [gap.id for gap in gaps] == ["1-1", "2-1"] and bad == 2


async def test_the_file_is_bounded_and_its_predecessor_still_read(tmp_path, monkeypatch):
    monkeypatch.setattr(ledger, "MAX_FILE", 1000)
    path = tmp_path / "gaps.jsonl"
    one = Ledger(path, epoch=1)
    for n in range(40):
        one.begin(kind="book", reason="gap", noticed_ns=n, **WHERE)
        await one.flush()
    assert path.stat().st_size < 1400 and ledger.older(path).stat().st_size < 1400
    assert [gap.noticed_ns for gap in read(path)[0]][-1] == 39


async def test_a_disk_that_cannot_be_written_delays_nothing_and_loses_nothing_once_it_can(tmp_path):
    said = []
    blocked = tmp_path / "state"
    blocked.write_text("a file where the folder should be")
    one = Ledger(blocked / "gaps.jsonl", epoch=1, log=lambda event, **more: said.append(event))
    one.begin(kind="book", reason="gap", noticed_ns=1, **WHERE)
    await one.flush()
    one.begin(kind="book", reason="gap", noticed_ns=2, **WHERE)
    await one.flush()
    assert one.counts["unwritten"] == 2 and said == ["gap ledger not written"]
    blocked.unlink()
    await one.flush()
    assert [gap.noticed_ns for gap in read(one.path)[0]] == [1, 2]


async def test_memory_is_bounded_and_run_writes_by_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(ledger, "KEPT", 10)
    monkeypatch.setattr(line_file, "FLUSH_S", 0.01)
    one = Ledger(tmp_path / "gaps.jsonl", epoch=1)
    task = asyncio.create_task(one.run())
    for n in range(30):
        one.settle(one.begin(kind="book", reason="gap", noticed_ns=n, **WHERE), "resynced", n)
    while not one.path.exists():
        await asyncio.sleep(0.01)
    task.cancel()
    assert len(one.rows()) == 10 and len(read(one.path)[0]) == 30
    assert isinstance(msgspec.json.decode(msgspec.json.encode(one.rows()[0]), type=Gap), Gap)
