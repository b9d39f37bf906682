"""Derived streams on real recordings: what they say is what the references make of the same frames, parsed here a second time; and how often they alarm."""

import asyncio
import itertools
import json
import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from cext.clock import Clock
from cext.measures.vpin import estimates
from cext.names import Names
from cext.outbox import Outbox
from cext.pipeline import Pipeline
from cext.streams.cvd import Cvd
from cext.streams.flow import Flow
from cext.streams.momentum import Momentum

from p9.capture.recording import Recorded, merge
from p9.capture.replay import Replay
from p9.venue import market
from tests.recordings import recording
from tests.reference import cvd, momentum, ofi, sizes, vpin

S = 1_000_000_000
EVERY_NS = 2 * S  # between two comparisons
LEVELS = 10
FLOORS = (50_000.0, 250_000.0, 1_000_000.0)  # of a major
LINES = {
    "binance_spot": "rec_spot_btcusdt_depth100ms_bookTicker_trade_20240808.txt.gz",
    "binance_usdm": "rec_usdm_btcusdt_depth0ms_bookTicker_trade_20240808.txt.gz",
    "binance_coinm": "rec_coinm_btcusdperp_depth0ms_bookTicker_trade_20240808.txt.gz",
}


class Watched(Replay):
    """A replay into the three streams that keeps what the references need, by its own reading of the frames."""

    def __init__(self, name: str, check):
        self.name, self.check = name, check
        self.inverse = name.endswith("coinm")
        self.streams = [stream(Names(exchange="x", symbol="BTC", market=name, venue_symbol="BTC")) for stream in (Cvd, _flow, _momentum)]
        self.books: list[tuple[int, list, list]] = []  # (ns, bids, asks) as they changed
        self.trades: list[tuple[int, int, Decimal | Fraction, Decimal | Fraction, int]] = []  # (received ns, venue's ms, price, quantity, sign)
        self.due_ns, self.now_ns, self.checks = 0, 0, 0
        clock = Clock(0)
        row = market(name)
        rule = row.sequence
        super().__init__(
            clock=clock, market_of=lambda line: name, add=self._one,
            pipeline_of=lambda market: Pipeline(
                market=name, exchange=row.exchange, normalizer=row.venue.normalizer(row), outbox=Outbox(clock, epoch=1), clock=clock, link=rule.link,
                rest_seeded=rule.rest_seeded, repeats_are_stale=rule.repeats_are_stale, restart_id=rule.restart_id, prune=False,
            ),
        )  # fmt: skip

    def _one(self, pipeline: Pipeline, name: bytes, px_scale: int, qty_scale: int, tick: int) -> int:
        return pipeline.add(
            venue_symbol=name, symbol=name.decode(), px_scale=px_scale, qty_scale=qty_scale, tick=tick, aliases=(name.lower(),), streams=self.streams,
            contract="inverse" if self.inverse else "base", contract_value="100" if self.inverse else "1",
        )  # fmt: skip

    def _feed(self, line: Recorded) -> None:
        super()._feed(line)
        self.now_ns = line.recv_ns
        if self.check is None or b"bookTicker" in line.raw:
            return
        data = json.loads(line.raw).get("data", {})
        if data.get("e") == "trade" and data.get("X", "MARKET") == "MARKET" and float(data["p"]) > 0:
            exact = Fraction if self.inverse else Decimal  # sums of products are exact in both
            self.trades.append((line.recv_ns, data["T"], exact(data["p"]), exact(data["q"]), -1 if data["m"] else 1))
        elif line.rest or data.get("e") == "depthUpdate":
            book = self.pipelines[self.name].book(0, LEVELS)
            if book["state"] == "synced":
                self.books.append((line.recv_ns, book["bids"], book["asks"]))
        if line.recv_ns >= self.due_ns:
            self.due_ns = line.recv_ns + EVERY_NS
            if len(self.books) > 10 and len(self.trades) > 10:
                self.checks += 1
                self.check(self)


def _flow(names: Names) -> Flow:
    return Flow(names, floors=FLOORS)


def _momentum(names: Names) -> Momentum:
    return Momentum(names, jump_window=60)  # seconds: the recordings are of six minutes


def check_ofi(run: Watched) -> None:
    row = run.streams[1].values(run.now_ns)["ofi"]
    first = next(i for i, book in enumerate(run.books) if book[0] > run.now_ns - 62 * S)
    recent = run.books[max(first - 1, 0) :]
    value = 100 if run.inverse else 1
    sides = [
        [ofi.padded([(float(px), float(Decimal(qty) * value)) for px, qty in book[1 + n]], LEVELS, (-math.inf, math.inf)[n]) for book in recent] for n in (0, 1)
    ]
    arrays = tuple(np.array([side[part] for side in sides[n]]) for n in (0, 1) for part in (0, 1))
    for name, window_s in {"1s": 1, "10s": 10, "1m": 60}.items():
        if run.now_ns - run.books[0][0] < (window_s + 1) * S:
            continue  # frames that were held for the image changed the book unseen
        n, flow, depth = ofi.window(np.array([book[0] for book in recent]), arrays, window_s, run.now_ns)
        assert row[name]["changes"] == n
        assert row[name]["ofi"] == pytest.approx(flow[0], rel=1e-7, abs=1e-6)
        if n:
            assert row[name]["levels"] == pytest.approx(list(flow / (2 * depth)), rel=1e-7, abs=1e-7)


def check_cvd(run: Watched) -> None:
    values = run.streams[0].values()
    at_s, signs = [trade[1] // 1000 for trade in run.trades], [trade[4] for trade in run.trades]
    base, quote = cvd.amounts(
        [trade[2] for trade in run.trades], [trade[3] for trade in run.trades], contract="inverse" if run.inverse else "base", value=100 if run.inverse else 1
    )  # fmt: skip
    now_s = max(max(at_s), run.now_ns // S - 2)
    for name, seconds in {"1s": 1, "1m": 60, "1d": 86_400}.items():
        expected = cvd.spans(at_s, signs, base, seconds, now_s)
        assert Fraction(values[name]["delta"]) == (Fraction(round(expected["delta"] * 10**8), 10**8) if run.inverse else expected["delta"]), name
        assert Fraction(values[name]["quote_rolling"]) == cvd.spans(at_s, signs, quote, seconds, now_s)["rolling"], name


def check_momentum(run: Watched) -> None:
    row = run.streams[2].values(run.now_ns)
    at = np.array([book[0] for book in run.books])
    price = np.log([(float(bids[0][0]) + float(asks[0][0])) / 2 for _, bids, asks in run.books])
    for name, seconds in {"1s": 1, "10s": 10}.items():
        _, z = momentum.trend(momentum.sampled(at, price, seconds * S // 10, int(at[0]), run.now_ns)[1])
        assert row["horizons"][name]["z"] == (None if math.isnan(z) else pytest.approx(z, rel=1e-5, abs=1e-8)), name
    told, _ = momentum.statistics(np.diff(momentum.sampled(at, price, S, int(at[0]), run.now_ns)[1]), 60)
    last = told[-1] if len(told) else math.nan
    assert row["jumps"]["1s"]["l"] == (None if math.isnan(last) else pytest.approx(last, rel=1e-5, abs=1e-8))
    assert row["jumps"]["1s"]["count"] == int((np.abs(told) > momentum.limit(86_400)).sum())


def check_prints(run: Watched) -> None:
    """All that traded is in some class: less the print that may be open."""
    row = run.streams[1].values(run.now_ns)["classes"]["1h"]
    total = sum(Fraction(row[name]["volume"]) for name in sizes.CLASSES)
    amounts = [trade[3] * 100 if run.inverse else trade[2] * trade[3] for trade in run.trades]
    assert sum(amounts[:-300]) <= total <= sum(amounts)


def played(name: str, check, lines: int | None = None) -> Watched:
    run = Watched(name, check)
    asyncio.run(run.run(itertools.islice(merge([recording(f"binance/{LINES[name]}")]), lines)))
    return run


@pytest.mark.parametrize("name", LINES)
def test_on_real_frames_the_streams_are_the_formulas(name):
    """Momentum every two seconds, the rest every twenty."""

    def check(run: Watched) -> None:
        check_momentum(run)
        if run.checks % 10 == 0:
            check_ofi(run)
            check_prints(run)
            check_cvd(run)

    assert played(name, check, 15_000).checks >= 25


@pytest.mark.parametrize("name", LINES)
def test_on_real_trades_vpin_is_the_formula(name):
    """4.5: of a bucket volume that fits six minutes. The stream itself tells nothing of so short a time, and no impact (4.6) of fewer than ten minutes."""
    run = played(name, lambda run: None, 15_000)
    quantity, bought = np.array([int(trade[3] * 10**5) for trade in run.trades]), np.array([trade[4] > 0 for trade in run.trades])
    volume = int(quantity.sum()) // 130
    got = estimates([(int(q), bool(b), float(trade[2])) for q, b, trade in zip(quantity, bought, run.trades, strict=True)], daily=50 * volume)
    for i in (len(quantity) // 10, len(quantity) // 2, len(quantity)):
        assert got[i - 1] == pytest.approx(vpin.vpin(quantity[:i], bought[:i], volume), rel=1e-9)
    row = run.streams[1].values(run.now_ns)
    assert (row["vpin"], row["kyle_lambda"], row["amihud"]) == (None, None, None)


def test_alarms_per_symbol_hour_on_real_frames_are_printed(capsys):
    """As they are: nobody knows which of them were false. A price that stands still in most seconds has a small volatility, so moves of seconds alarm far
    more often than the one day in a hundred of returns that are normal."""
    told = []
    for name in LINES:
        run = played(name, None)
        begun, ended = run.streams[1].values(run.now_ns)["ofi_since"], run.now_ns
        hours = (ended - begun) / S / 3600
        counted = run.streams[1].counters() | run.streams[2].counters()
        told.append(f"{name}, {hours:.3f} symbol-hours, an hour: " + ", ".join(f"{key} {n / hours:.0f} ({n})" for key, n in counted.items()))
        assert hours > 0.09 and counted["prints"] > 500
        assert counted["large_prints"] + counted["whale_prints"] + counted["mega_prints"] < 0.03 * counted["prints"]
        assert counted["jumps"] + counted["spikes"] < 200 * hours
    with capsys.disabled():
        print("\n" + "\n".join(told))
