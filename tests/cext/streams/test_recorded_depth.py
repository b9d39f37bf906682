"""What is published of the depth of real books, and of orders posted and withdrawn in them, is what the references make of them (design, 4.1, 4.8, 4.10)."""

import asyncio
import itertools
import json

import numpy as np
import pytest
from cext.clock import Clock
from cext.measures.imbalance import Imbalances
from cext.names import Names
from cext.outbox import Outbox
from cext.pipeline import Pipeline
from cext.streams.book_ticker import BookTicker
from cext.streams.liquidity import Liquidity
from cext.streams.spoofing import Spoofing
from cext.tap import Tap

from p9.capture.recording import merge
from p9.capture.replay import Replay
from p9.venue import market
from tests.cext.streams.test_recorded import LINES
from tests.recordings import recording
from tests.reference import book as depth
from tests.reference import liquidity, postings

LEVELS, BANDS = (1, 5, 10, 20, 50), (10, 25, 50, 100, 200)
SIZES = (10_000, 100_000, 1_000_000)
PLACES = 6  # more than any price here has
EVERY_TICKS, LOOKED = 400, 8  # every 20 s, for as long as a survey may be old


class Looked(Replay):
    """A replay into one instrument's streams. `check(books)` every 20 s: the whole book as it was at each of the last ticks, newest last."""

    def __init__(self, name: str, streams, check=None):
        self.name, self.check, self.streams = name, check, [stream(Names(exchange="x", symbol="BTC", market=name, venue_symbol="BTC")) for stream in streams]
        self.inverse = name.endswith("coinm")
        self.books: list[tuple[list, list]] = []
        self.ticks = self.checks = 0
        self.tap = Tap(1 << 22)
        clock, row = Clock(0), market(name)
        rule = row.sequence
        self.outbox = Outbox(clock, epoch=1)
        super().__init__(
            clock=clock, market_of=lambda line: name, add=self._one, look=self._look,
            pipeline_of=lambda market: Pipeline(
                market=name, exchange=row.exchange, normalizer=row.venue.normalizer(row), outbox=self.outbox, clock=clock, link=rule.link,
                rest_seeded=rule.rest_seeded, repeats_are_stale=rule.repeats_are_stale, restart_id=rule.restart_id, prune=False,
            ),
        )  # fmt: skip

    def _one(self, pipeline: Pipeline, name: bytes, px_scale: int, qty_scale: int, tick: int) -> int:
        ix = pipeline.add(
            venue_symbol=name, symbol=name.decode(), px_scale=px_scale, qty_scale=qty_scale, tick=tick, aliases=(name.lower(),), streams=self.streams,
            contract="inverse" if self.inverse else "base", contract_value="100" if self.inverse else "1",
        )  # fmt: skip
        self.outbox.look(self.streams[0].channel, self.tap)
        return ix

    def _look(self, now_ns: int) -> None:
        self.ticks += 1
        if self.check is None or self.ticks % EVERY_TICKS >= LOOKED or self.name not in self.pipelines:
            return
        now = self.pipelines[self.name].book(0, 1 << 20)
        if now["state"] != "synced":
            return
        self.books.append(tuple([(round(float(px) * 10**PLACES), float(qty)) for px, qty in now[side]] for side in ("bids", "asks")))
        if self.ticks % EVERY_TICKS == LOOKED - 1:
            if len(self.books) == LOOKED:
                self.checks += 1
                self.check(self.books)
            self.books = []


def played(name: str, streams, check=None, lines: int | None = None) -> Looked:
    run = Looked(name, streams, check)
    asyncio.run(run.run(itertools.islice(merge([recording(f"binance/{LINES[name]}")]), lines)))
    return run


def nan(values) -> list[float]:
    return [np.nan if value is None else value for value in values]


@pytest.mark.parametrize("name", LINES)
def test_on_real_books_imbalances_depth_and_slippage_are_the_formulas(name):
    """Distances are surveyed four times a second, so they are those of one of the last ticks; imbalances by levels are those of now."""

    def worth(px: int, qty: float) -> tuple[float, float]:
        return (qty * 100 / (px / 10**PLACES), qty * 100) if run.inverse else (qty, qty * px / 10**PLACES)

    def figures(bids, asks) -> tuple[float, ...]:
        best = bids[0][0], asks[0][0]
        sides = depth.side(bids), depth.side(asks)
        near = [[level for level, kept in zip(side, depth.within([px for px, _ in side], *best, 200), strict=True) if kept] for side in (bids, asks)]
        mid = sum(best) / 2 / 10**PLACES
        return (
            mid, *(depth.imbalance_within(*sides, bps) for bps in BANDS), *liquidity.depth(bids, best, BANDS, worth), *liquidity.depth(asks, best, BANDS, worth),
            *nan(liquidity.slippage(near[n], mid, size, worth, buy=n == 1) for n in (1, 0) for size in SIZES),
        )  # fmt: skip

    def check(books) -> None:
        ticker, stream = run.streams
        imbalances, values = ticker.values()["imbalances"], stream.values()
        now = depth.side(books[-1][0]), depth.side(books[-1][1])
        assert [imbalances["depths"][n] for n in LEVELS] == pytest.approx([depth.imbalance_of_levels(*now, n) for n in LEVELS], abs=1e-12)
        assert imbalances["weighted"] == pytest.approx(depth.imbalance_weighted(*now, LEVELS[-1], 0.5), abs=1e-12)
        told = (
            values["mid"], *(imbalances["bands"][bps] for bps in BANDS), *(values["depth"][side][bps] for side in ("bid", "ask") for bps in BANDS),
            *nan(values["slippage"][word][size] for word in ("buy", "sell") for size in SIZES),
        )  # fmt: skip
        assert any(np.allclose(told, figures(*book), rtol=1e-9, atol=1e-9, equal_nan=True) for book in reversed(books)), told

    run = Looked(name, (lambda names: BookTicker(names, imbalances=Imbalances(depths=LEVELS, bands_bps=BANDS)), lambda names: Liquidity(names, sizes=SIZES)), check)
    asyncio.run(run.run(itertools.islice(merge([recording(f"binance/{LINES[name]}")]), 30_000)))
    assert run.checks >= 4


def test_on_real_books_the_score_of_each_posting_is_the_formula_of_its_evidence():
    """4.8, with every posting told, however slight."""
    run = played("binance_spot", (lambda names: Spoofing(names, least_score=0.0, least_tilt=0.0, least_reverted=0.0),), lines=30_000)
    events = [json.loads(event) for event in run.tap.take()]
    assert len(events) > 100
    for event in events:
        expected = postings.features(
            added=float(event["quantity"]), threshold=event["threshold"], distance_bps=event["distance_bps"], life_s=(event["withdrawn"] - event["posted"]) / 1e9,
            executed_share=event["executed_share"], opposite=event["opposite_volume"], typical=event["opposite_typical"], rho_before=event["imbalance_before"],
            rho_posted=event["imbalance_posted"], rho_withdrawn=event["imbalance_withdrawn"], repeats=event["repeats"],
        )  # fmt: skip
        expected["reverted"] = expected["reverted"] if abs(event["imbalance_posted"] - event["imbalance_before"]) > 1e-3 else event["features"]["reverted"]  # of six digits
        assert event["features"] == pytest.approx(expected, abs=5e-3)
        assert event["score"] == pytest.approx(postings.score(event["features"]), abs=1e-4)
