"""Reference data that change while a market is captured: read again on a timer and when the venue says so, and carried out on what runs.

Another tick, step or contract size: the instrument begins anew, with its new scale, on the sockets where it was. Delisted: it is unsubscribed. Renamed: its
successor takes its place. Newly listed: it is added if the configuration's patterns mean it. Nothing of this is noticed by the others of the market.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

from cext.streams.integrity import Integrity

from p9.capture.capture import Capture
from p9.errors import MarketRefused, RestError
from p9.market.instruments import read
from p9.market.listings import Change, Listings
from p9.market.rest import Priority, RestClient

SCALES = ("tick", "step", "contract", "contract_value")  # what a book and its sums are counted in
SOON_S = 2.0  # pushes come in swarms: one reading answers them
LEAST_S = 15.0  # between two readings
AGAIN_S = 20.0  # an instrument that was missing in one answer is looked for again


class Relisting:
    """`on_changes(changes)` hears them first, and answers with them numbered."""

    def __init__(
        self, capture: Capture, client: RestClient, *, every_s: float, on_changes: Callable[[Sequence[Change]], list[Change]],
        log: Callable[..., None] | None = None,
    ):  # fmt: skip
        self.capture, self.every_s = capture, every_s
        self.listings = Listings(capture.market, capture.known)
        self.reason = ""  # why the last reading brought nothing
        self._client, self._on_changes = client, on_changes
        self._nudged = asyncio.Event()
        self._log = log or (lambda *_, **__: None)

    def nudge(self) -> None:
        """The venue says that something changed."""
        self._nudged.set()

    async def run(self) -> None:
        """For ever, until cancelled."""
        while True:
            wait_s = self.every_s * random.uniform(0.9, 1.1)
            if self.listings.missing:
                wait_s = min(wait_s, AGAIN_S)
            await asyncio.sleep(min(LEAST_S, wait_s))
            try:
                async with asyncio.timeout(max(0.0, wait_s - LEAST_S)):
                    await self._nudged.wait()
                    await asyncio.sleep(SOON_S)
            except TimeoutError:
                pass
            self._nudged.clear()
            await self.look()

    async def look(self) -> list[Change]:
        """One reading, carried out."""
        try:
            parsed = await read(self._client, self.capture.market, Priority.POLL)
        except (RestError, MarketRefused) as error:
            if not self.reason:
                self._log("instruments not read again", market=self.capture.market.name, reason=str(error))
            self.reason = str(error)
            return []
        self.reason = ""
        changes = self._on_changes(self.listings.take(parsed, self.capture.pipeline.clock.now()))
        self._carry_out(changes)
        return changes

    def _carry_out(self, changes: Sequence[Change]) -> None:
        capture = self.capture
        here = {row.venue_symbol: ix for ix, row in capture.instruments.items()}
        scaled: dict[int, list[str]] = {}
        for change in changes:
            ix = here.get(change.venue_symbol)
            if ix is None:
                continue
            if change.kind in ("delisted", "renamed"):
                self._tell(ix, change.kind, f"{change.venue_symbol} {'is now ' + str(change.after) if change.kind == 'renamed' else 'is delisted'}")
                capture.remove(ix)
                del here[change.venue_symbol]
                if change.kind == "renamed":
                    self._add(str(change.after))
            elif change.kind == "changed":
                self._tell(ix, "relisted", f"{change.field} was {change.before}, is {change.after}")
                if change.field in SCALES:
                    scaled.setdefault(ix, []).append(change.venue_symbol)
        for ix, (name, *_) in scaled.items():
            if ix in capture.instruments:
                capture.remove(ix)
                self._add(name)
        if any(change.kind == "listed" for change in changes):
            self._add_wanted()
        self._refresh()

    def _add(self, venue_symbol: str) -> None:
        row = self.capture.known.find(self.capture.market.name, venue_symbol)
        if row is not None:
            self.capture.add(row)

    def _add_wanted(self) -> None:
        """Who fits the configuration's patterns now and is not here yet."""
        capture = self.capture
        chosen, _ = capture.known.select(capture.market.name, capture.settings.symbols or capture.market.default_symbols)
        here = {row.venue_symbol for row in capture.instruments.values()}
        for row in chosen:
            if row.venue_symbol not in here:
                capture.add(row)

    def _refresh(self) -> None:
        """What else changed of an instrument (its status, its last day) is known to whoever asks."""
        for ix, row in self.capture.instruments.items():
            self.capture.instruments[ix] = self.capture.known.find(row.market, row.venue_symbol) or row

    def _tell(self, ix: int, kind: str, detail: str) -> None:
        pipeline = self.capture.pipeline
        self._log(kind, market=self.capture.market.name, symbol=self.capture.instruments[ix].symbol, detail=detail)
        for stream in pipeline.streams(ix):
            if isinstance(stream, Integrity):
                stream.finding(kind, detail, pipeline.clock.now())

    def status(self) -> dict[str, Any]:
        return {"instruments": len(self.listings.rows), "reason": self.reason, "counts": dict(self.listings.counts)}
