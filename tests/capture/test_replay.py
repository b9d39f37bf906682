"""Replay of the real recordings: the books of an independent rebuild (EXPECTED_final_books.json), to the last digit."""

import asyncio
import json
from decimal import Decimal

import pytest
from cext.clock import Clock
from cext.outbox import Outbox
from cext.pipeline import Pipeline

from p9.capture.recording import merge
from p9.capture.replay import Replay, scales_of
from p9.venue import market
from tests.recordings import FOLDER, recording


def pipeline_of(clock: Clock, name: str) -> Pipeline:
    row = market(name)
    rule = row.sequence
    return Pipeline(
        market=name, exchange=row.exchange, normalizer=row.venue.normalizer(row), outbox=Outbox(clock, epoch=1), clock=clock, link=rule.link,
        rest_seeded=rule.rest_seeded, repeats_are_stale=rule.repeats_are_stale, restart_id=rule.restart_id, trades_numbered=row.trades_numbered, prune=False,
    )  # fmt: skip


def add(pipeline: Pipeline, name: bytes, px_scale: int, qty_scale: int, tick: int) -> int:
    aliases = () if name.lower() == name else (name.lower(),)
    return pipeline.add(venue_symbol=name, symbol=name.decode(), px_scale=px_scale, qty_scale=qty_scale, tick=tick, aliases=aliases)


def replay(market_name: str, *names: str) -> Replay:
    clock = Clock(0)
    run = Replay(clock=clock, pipeline_of=lambda name: pipeline_of(clock, name), market_of=lambda line: market_name, add=add)
    asyncio.run(run.run(merge([recording(name) for name in names])))
    return run


def numbers(levels: list) -> list[tuple[Decimal, Decimal]]:
    return [(Decimal(row[0]), Decimal(row[1])) for row in levels]


BINANCE = json.loads((FOLDER / "binance" / "EXPECTED_final_books.json").read_text()) if FOLDER.exists() else []
OKX = json.loads((FOLDER / "okx" / "EXPECTED_final_books.json").read_text()) if FOLDER.exists() else {}


@pytest.mark.parametrize("expected", BINANCE or [None], ids=lambda row: row["file"] if row else "absent")
def test_binance_recordings_end_in_the_expected_book(expected):
    if expected is None or not (FOLDER / "binance" / expected["file"]).exists():
        pytest.skip("this recording is not there: set P9_RECORDINGS")
    line = next(line for line in ("spot", "usdm", "coinm") if f"_{line}_" in expected["file"])
    run = replay(f"binance_{line}", f"binance/{expected['file']}")
    (book,) = run.books()[f"binance_{line}"].values()
    assert book["state"] == "synced"
    assert (book["last_id"], book["events_applied"], book["events_dropped"]) == (
        expected["last_u"], expected["events_applied"], expected["events_dropped"],
    )  # fmt: skip
    assert (book["gaps"], book["crossed"]) == (0, 0)
    assert (book["bid_levels"], book["ask_levels"]) == (expected["bid_levels"], expected["ask_levels"])
    assert numbers(book["bids"][:10]) == numbers(expected["top10_bids"]) and numbers(book["asks"][:10]) == numbers(expected["top10_asks"])
    assert book["bbo_compared"] > 100 and book["bbo_agreed"] == book["bbo_compared"]


@pytest.mark.parametrize("name", OKX or ["absent"])
def test_okx_recordings_end_in_the_expected_books_with_every_checksum(name):
    if not (FOLDER / "okx" / name).exists():
        pytest.skip("this recording is not there: set P9_RECORDINGS")
    books = replay("okx_spot", f"okx/{name}").books()["okx_spot"]
    for key, expected in OKX[name].items():
        book = books[key.partition("|")[2]]
        assert book["frames"] == expected["messages"] and book["images"] == expected["snapshots"]
        assert (book["bid_levels"], book["ask_levels"]) == (expected["bid_levels"], expected["ask_levels"])
        assert book["checksums"] == book["checksums_matched"] == expected["messages"]
        assert book["final_checksum"] == expected["final_checksum"]
        assert (book["gaps"], book["crossed"]) == (0, 0)
        for side, best in (("bids", "best_bid"), ("asks", "best_ask")):
            assert numbers(book[side][:1]) == numbers([expected[best]] if expected[best] else [])


@pytest.mark.parametrize(
    "name, gaps",
    [("clean", 0), ("gap-line40-dropped", 1), ("keepalive50_reset70", 0)],
)
def test_a_dropped_update_is_a_gap_and_a_reset_is_none(name, gaps):
    run = replay("okx_spot", f"okx/DERIVED_books_BTC-USDT_seqId-injected_{name}.jsonl")
    book = run.books()["okx_spot"]["BTC-USDT"]
    assert book["gaps"] == gaps
    assert book["state"] == ("invalid" if gaps else "synced")
    if not gaps:
        assert book["checksums"] == book["checksums_matched"] > 90


def rebuild(frames: list[dict]) -> dict[str, tuple[dict, dict]]:
    """An order book as simple as can be: {symbol: (bids, asks)} from V5 frames."""
    books: dict[str, tuple[dict, dict]] = {}
    for frame in frames:
        if not str(frame.get("topic", "")).startswith("orderbook."):
            continue
        data = frame["data"]
        if frame["type"] == "snapshot":
            books[data["s"]] = ({}, {})
        for book, rows in zip(books[data["s"]], (data["b"], data["a"]), strict=True):
            for px, qty in rows:
                book.pop(Decimal(px), None)
                if Decimal(qty):
                    book[Decimal(px)] = Decimal(qty)
    return books


@pytest.mark.parametrize(
    "market_name, name",
    [
        ("bybit_linear", "ws_orderbook500_XRPUSDT_linear_2024-12-01.jsonl"),
        ("bybit_linear", "DERIVED_v5shape_linear_8symbols_30s_2021-04-17.jsonl"),
        ("bybit_inverse", "DERIVED_v5shape_inverse_2symbols_30s_2021-04-17.jsonl"),
    ],
)
def test_bybit_recordings_end_in_the_book_of_an_independent_rebuild(market_name, name):
    path = recording(f"bybit/{name}")
    books = replay(market_name, f"bybit/{name}").books()[market_name]
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    expected = rebuild([row.get("msg", row) for row in rows])
    assert set(books) >= set(expected) and expected
    for symbol, (bids, asks) in expected.items():
        book = books[symbol]
        assert (book["state"], book["gaps"], book["crossed"]) == ("synced", 0, 0)
        assert numbers(book["bids"]) == sorted(bids.items(), reverse=True)
        assert numbers(book["asks"]) == sorted(asks.items())


@pytest.mark.parametrize("line", ["usdm", "coinm"])
def test_a_recording_with_its_rest_answers_in_a_file_of_their_own(line):
    run = replay(
        f"binance_{line}", f"binance/rec_{line}_cryptofeed_2021_combined.jsonl.gz",
        f"binance/rec_{line}_cryptofeed_2021_rest_depth_snapshots.jsonl.gz",
    )  # fmt: skip
    books = run.books()[f"binance_{line}"].values()
    assert len(books) >= 4 and all(book["state"] == "synced" for book in books)
    assert sum(book["gaps"] + book["crossed"] for book in books) == 0
    assert sum(book["bbo_compared"] for book in books) == sum(book["bbo_agreed"] for book in books) > 0


def test_scales_come_from_the_numbers_of_the_first_frame():
    frame = b'{"bids":[["0.00000074573","184440410"],["0.00000070","1.5"]]}'
    px_scale, qty_scale, tick = scales_of(frame)
    assert px_scale == 13 and tick == 100 and 1 <= qty_scale <= 8
    assert scales_of(b'{"e":"trade","p":"61837.63","q":"0.02"}')[0] == 4
