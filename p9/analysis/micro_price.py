"""Fits the micro-prices, off the loop, and keeps what was learnt over restarts.

Each ticker counts its quotes itself. Once it has counted enough, a fit is made of a copy in a thread; from then on once in `refit`, and what was
counted before then weighs half. The counts and the fits are written to one file of the data directory, and taken up by the next run.
"""

import asyncio
import os
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
from cext.measures.micro_price import Fit, fit_of
from cext.streams.book_ticker import BookTicker

from p9.config import Section
from p9.instrument import Instrument

LOOK_S = 10.0  # between two looks at what was counted
VERSION = 1


class Learnt(msgspec.Struct, kw_only=True):
    """One instrument's counts and its newest fit."""

    market: str
    venue_symbol: str
    tick: str  # states are counted in ticks: of another one they would be others
    buckets: int
    spreads: int
    counts: bytes  # MicroPrice.learnt
    fitted_ns: int | None = None
    g_star: tuple[float | None, ...] = ()
    samples: int = 0


class File(msgspec.Struct):
    version: int
    learnt: list[Learnt]


class MicroPrices:
    """`tickers()`: what is published now. `wanted()`: the section of the configuration that is in force."""

    def __init__(
        self, path: Path, *, tickers: Callable[[], Iterable[tuple[Instrument, BookTicker]]], wanted: Callable[[], Section], now_ns: Callable[[], int],
        log: Callable[..., None] | None = None,
    ):  # fmt: skip
        self.path = path
        self.counts: Counter[str] = Counter()
        self._tickers, self._wanted, self._now_ns = tickers, wanted, now_ns
        self._log = log or (lambda *_, **__: None)
        self._known: dict[tuple[str, str], Learnt] = {}
        self._met: dict[tuple[str, str], Any] = {}  # the MicroPrice that has been given what was known
        self._saved_ns = now_ns()

    async def run(self) -> None:
        await self.load()
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def load(self) -> None:
        """Read what earlier runs learnt. A file that cannot be used is told and left out: learning begins anew."""
        try:
            file = await asyncio.get_running_loop().run_in_executor(None, _read, self.path)
            if file.version != VERSION:
                raise ValueError(f"version {file.version}, not {VERSION}")
        except FileNotFoundError:
            return
        except (OSError, ValueError, zlib.error, msgspec.MsgspecError) as error:
            self.counts["files_refused"] += 1
            self._log("what micro-prices had learnt cannot be read, and is learnt anew", file=str(self.path), error=str(error))
            return
        self._known = {(row.market, row.venue_symbol): row for row in file.learnt}

    async def look(self) -> None:
        """One round: give new tickers what is known of them, fit what is due, save when it is time."""
        wanted, now_ns = self._wanted(), self._now_ns()
        for instrument, ticker in list(self._tickers()):
            micro, key = ticker.micro_price, (instrument.market, instrument.venue_symbol)
            if micro is None:
                continue
            if self._met.get(key) is not micro:
                self._met[key] = micro
                self._recall(micro, instrument)
            known = self._known.get(key)
            due = not micro.fitted or known is None or known.fitted_ns is None or now_ns - known.fitted_ns >= wanted.refit * 1e9
            if due and micro.samples >= wanted.samples:
                await self._fit(micro, instrument)
        if now_ns - self._saved_ns >= wanted.save * 1e9:
            await self.save()

    def _recall(self, micro: Any, instrument: Instrument) -> None:
        known = self._known.get((instrument.market, instrument.venue_symbol))
        if known is None or (known.tick, known.buckets, known.spreads) != (instrument.tick, *micro.states):
            return
        try:
            micro.learn(known.counts)
        except ValueError as error:
            self.counts["rows_refused"] += 1
            self._log("what a micro-price had learnt cannot be used", symbol=instrument.venue_symbol, error=str(error))
            return
        self.counts["recalled"] += 1
        if known.fitted_ns is not None and len(known.g_star) == micro.states[0] * micro.states[1]:
            micro.adopt(Fit(known.g_star, (), (), 0, 0.0, known.samples, ""))

    async def _fit(self, micro: Any, instrument: Instrument) -> None:
        states = micro.states
        fit = await asyncio.get_running_loop().run_in_executor(None, fit_of, micro.learnt(), *states)
        if fit.refused or micro.states != states:  # it may have been configured meanwhile
            self.counts["fits_refused"] += 1
            self._log("a micro-price was not fitted", symbol=instrument.venue_symbol, reason=fit.refused or "its states are others now")
            return
        micro.adopt(fit)
        self._note(micro, instrument, fitted_ns=self._now_ns(), g_star=fit.g_star, samples=fit.samples)
        micro.forget_half()
        self.counts["fits"] += 1
        self._log("micro-price fitted", market=instrument.market, symbol=instrument.venue_symbol, samples=fit.samples, rounds=fit.rounds)

    def _note(self, micro: Any, instrument: Instrument, **fit: Any) -> None:
        key = (instrument.market, instrument.venue_symbol)
        known, (buckets, spreads) = self._known.get(key), micro.states
        if not fit and known is not None and (known.tick, known.buckets, known.spreads) == (instrument.tick, buckets, spreads):
            fit = {"fitted_ns": known.fitted_ns, "g_star": known.g_star, "samples": known.samples}
        self._known[key] = Learnt(
            market=instrument.market, venue_symbol=instrument.venue_symbol, tick=instrument.tick, buckets=buckets, spreads=spreads,
            counts=micro.learnt(), **fit,
        )  # fmt: skip

    async def save(self) -> None:
        """Write what was learnt, whole or not at all. A disk that refuses is counted: the next round tries again."""
        self._saved_ns = self._now_ns()
        for instrument, ticker in list(self._tickers()):
            if ticker.micro_price is not None and self._met.get((instrument.market, instrument.venue_symbol)) is ticker.micro_price:
                self._note(ticker.micro_price, instrument)
        try:
            await asyncio.get_running_loop().run_in_executor(None, _write, self.path, File(VERSION, list(self._known.values())))
            self.counts["saved"] += 1
        except OSError as error:
            self.counts["saves_failed"] += 1
            self._log("what micro-prices learnt cannot be written", file=str(self.path), error=str(error))

    def status(self) -> dict[str, Any]:
        """How many learn, how many are fitted, and what was done."""
        micros = [ticker.micro_price for _, ticker in self._tickers() if ticker.micro_price is not None]
        return {"learning": len(micros), "fitted": sum(micro.fitted for micro in micros), **self.counts}


def _read(path: Path) -> File:
    return msgspec.msgpack.decode(zlib.decompress(path.read_bytes()), type=File)


def _write(path: Path, whole: File) -> None:
    data = zlib.compress(msgspec.msgpack.encode(whole), 1)
    fresh = path.with_suffix(".new")
    with open(fresh, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)
