"""Micro-prices over time: fitted once enough was seen, kept over restarts, never taken from a file that does not fit."""

import asyncio
import json
import random

import msgspec
import pytest
from cext.measures.micro_price import MicroPrice
from cext.streams.book_ticker import BookTicker

from p9.analysis.micro_price import MicroPrices
from p9.config import parse
from p9.instrument import Instrument
from tests.cext.measures.test_micro_price import queues
from tests.cext.streams.desk import Desk

HOUR = 3_600 * 10**9
INSTRUMENT = Instrument(
    exchange="venue", market="venue_spot", symbol="BTC-USDT", venue_symbol="BTCUSDT", base="BTC", quote="USDT", settle="USDT", kind="spot", tick="0.01",
    step="0.00001",
)  # fmt: skip


class Run:
    """One run of the appliance's part: a desk with a learning ticker, and who fits it."""

    def __init__(self, path, samples=2_000, instrument=INSTRUMENT, **states):
        self.desk = Desk(lambda names: BookTicker(names, micro_price=MicroPrice(**states)), tick=100)
        self.ticker = self.desk.streams[0]
        self.now_ns = 0
        self.said = []
        section = parse(json.dumps({"analytics": {"book_ticker_aggregator": {"micro_price": {"samples": samples, "save": "1h"}}}}))
        self.fitter = MicroPrices(
            path, tickers=lambda: [(instrument, self.ticker)], wanted=lambda: section.analytics.book_ticker_aggregator.micro_price,
            now_ns=lambda: self.now_ns, log=lambda event, **more: self.said.append((event, more)),
        )  # fmt: skip
        self.id = 0

    def quotes(self, n, seed=1):
        for bid, bid_size, ask, ask_size in queues(random.Random(seed), n):
            self.id += 1
            self.desk.bbo(self.id, f"{bid / 100}", str(bid_size), f"{ask / 100}", str(ask_size))

    def event(self, bid_size, ask_size):
        self.id += 1
        self.desk.bbo(self.id, "100.01", str(bid_size), "100.02", str(ask_size))
        return self.desk.published("book_ticker:venue:BTC-USDT")[-1]


async def test_before_enough_was_seen_the_weighted_mid_stands_in_and_says_so(tmp_path):
    """4.3: at least 50k samples (here fewer), else W."""
    run = Run(tmp_path / "micro.bin", samples=2_000)
    run.quotes(1_990)
    await run.fitter.look()
    event = run.event(30, 10)
    assert (event["micro_price"], event["micro_price_stoikov"], event["micro_price_fitted"]) == ("100.0175", "100.0175", False)
    run.quotes(20)
    await run.fitter.look()
    event = run.event(30, 10)
    assert event["micro_price_fitted"] is True and event["micro_price"] == "100.0175"
    figures = run.ticker.values()
    assert float(event["micro_price_stoikov"]) == pytest.approx(figures["stoikov"], abs=1e-6) and figures["fitted"]
    assert 100.015 < figures["stoikov"] < 100.02, "more is bid than asked for: above the mid"
    mirrored = run.event(10, 30)
    assert float(mirrored["micro_price_stoikov"]) - 100.015 == pytest.approx(100.015 - float(event["micro_price_stoikov"]), abs=2e-6)
    assert run.fitter.status() == {"learning": 1, "fitted": 1, "fits": 1}


async def test_what_was_learnt_survives_a_restart(tmp_path):
    first = Run(tmp_path / "micro.bin")
    first.quotes(3_000)
    await first.fitter.look()
    event = first.event(30, 10)
    await first.fitter.save()
    second = Run(tmp_path / "micro.bin")
    await second.fitter.load()
    await second.fitter.look()
    again = second.event(30, 10)
    assert (again["micro_price_stoikov"], again["micro_price_fitted"]) == (event["micro_price_stoikov"], True)
    assert second.ticker.micro_price.samples == first.ticker.micro_price.samples > 1_400, "half of what the fit was made of, and what came since"
    assert second.fitter.status()["recalled"] == 1 and not (tmp_path / "micro.new").exists()


async def test_a_fit_is_renewed_once_a_day_and_what_was_before_counts_half(tmp_path):
    run = Run(tmp_path / "micro.bin", samples=1_000)
    run.quotes(3_000)
    for hours, fits in ((0, 1), (23, 1), (24, 2), (25, 2)):
        run.now_ns = hours * HOUR
        await run.fitter.look()
        assert run.fitter.counts["fits"] == fits
        run.quotes(1_000, seed=hours)
    assert run.ticker.micro_price.samples == ((2_999 // 2 + 2_000) // 2) + 2_000


@pytest.mark.parametrize("change", [{"tick": "0.1"}, {"venue_symbol": "ETHUSDT"}])
async def test_of_another_tick_or_instrument_nothing_is_taken(tmp_path, change):
    first = Run(tmp_path / "micro.bin")
    first.quotes(3_000)
    await first.fitter.look()
    await first.fitter.save()
    second = Run(tmp_path / "micro.bin", instrument=msgspec.structs.replace(INSTRUMENT, **change))
    await second.fitter.load()
    await second.fitter.look()
    assert second.ticker.micro_price.samples == 0 and not second.ticker.micro_price.fitted


@pytest.mark.parametrize("damage", [lambda data: data[:-7], lambda data: b"", lambda data: b"x" * 100, lambda data: data[:40] + b"\0\0\0" + data[43:]])
async def test_a_damaged_file_is_told_and_left_out(tmp_path, damage):
    first = Run(tmp_path / "micro.bin")
    first.quotes(3_000)
    await first.fitter.look()
    await first.fitter.save()
    path = tmp_path / "micro.bin"
    path.write_bytes(damage(path.read_bytes()))
    second = Run(path)
    await second.fitter.load()
    await second.fitter.look()
    assert second.fitter.counts["files_refused"] == 1 and "learnt anew" in second.said[0][0]
    assert second.ticker.micro_price.samples == 0


async def test_a_disk_that_refuses_is_counted_and_nothing_else_suffers(tmp_path):
    run = Run(tmp_path / "absent" / "micro.bin")
    run.quotes(3_000)
    await run.fitter.look()
    run.now_ns = HOUR
    await run.fitter.look()
    assert run.fitter.counts["saves_failed"] == 1 and run.ticker.micro_price.fitted


async def test_quotes_in_which_nothing_moves_give_no_fit(tmp_path):
    run = Run(tmp_path / "micro.bin", samples=1_000)
    for n in range(1_200):
        run.event(10 + n % 2, 10)
    await run.fitter.look()
    assert not run.ticker.micro_price.fitted and run.fitter.counts["fits_refused"] == 1
    assert "no move" in run.said[0][1]["reason"]


async def test_it_runs_until_it_is_stopped(tmp_path):
    run = Run(tmp_path / "micro.bin", samples=1_000)
    run.quotes(1_500)
    task = asyncio.create_task(run.fitter.run())
    async with asyncio.timeout(30):
        while not run.ticker.micro_price.fitted:
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
