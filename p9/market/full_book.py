"""The deepest order book that a venue gives by REST, fetched when somebody asks for it: beside the books that are kept, never in their way.

It is the venue's own text, number by number; what is no order book (crossed, out of order, no numbers) is an error and never shown.
"""

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from p9.errors import RateLimited, RestError
from p9.instrument import Instrument
from p9.market.rest import Priority, RestClient
from p9.number import decoded
from p9.venue import BookRows, Market

PATIENCE_S = 1.0  # for the budget: who has to wait longer is told to come back
ATTEMPTS = 2
AT_ONCE = 500  # rows between two chances for the loop
_NUMBER = re.compile(r"\d{1,18}(?:\.\d{1,18})?", re.ASCII)

Level = tuple[str, str]  # price, quantity


class FullBook(msgspec.Struct, frozen=True, kw_only=True):
    """As it was at `ts_event` (None: the venue does not tell) or a little before `ts_recv`; quantities are in the venue's native unit."""

    exchange: str
    symbol: str
    market: str
    venue_symbol: str
    update_id: int | None
    ts_event: int | None
    ts_recv: int
    bids: list[Level]  # best first
    asks: list[Level]
    contract_value: str | None = None
    contract_unit: str | None = None


async def fetch(client: RestClient, market: Market, instrument: Instrument, now_ns: Callable[[], int]) -> FullBook:
    """Ask the venue, after everything that the appliance itself has to ask.

    Raises RateLimited where there is no room in the budget now (`retry_after_s` says when), and what RestClient.get raises.
    """
    request = market.venue.full_book_request(market, instrument.venue_symbol)
    wait_s = client.wait_s(request, Priority.BACKFILL)
    if wait_s > PATIENCE_S:
        raise RateLimited("no room in the venue's budget now", where=market.name, retry_after_s=wait_s, hint="books that are kept come first")
    body = await client.get(market, request, Priority.BACKFILL, attempts=ATTEMPTS)
    received_ns = now_ns()
    rows, bids, asks = await asyncio.to_thread(_read, market, body)
    inverse = instrument.contract == "inverse"
    return FullBook(
        exchange=instrument.exchange, symbol=instrument.symbol, market=market.name, venue_symbol=instrument.venue_symbol, update_id=rows.update_id,
        ts_event=rows.ts_event_ns, ts_recv=received_ns, bids=bids, asks=asks,
        contract_value=instrument.contract_value if instrument.contract != "base" else None,
        contract_unit=None if instrument.contract == "base" else "quote" if inverse else "base",
    )  # fmt: skip


def _read(market: Market, body: bytes) -> tuple[BookRows, list[Level], list[Level]]:
    """Raises RestError for what is no order book."""
    try:
        rows = market.venue.read_full_book(decoded(body))
        bids, asks = _side(rows.bids, bids=True), _side(rows.asks, bids=False)
        if bids and asks and Decimal(bids[0][0]) >= Decimal(asks[0][0]):
            raise ValueError(f"crossed: bid {bids[0][0]}, ask {asks[0][0]}")
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise RestError(f"the answer is no order book: {error!r:.200}", where=market.name) from None
    return rows, bids, asks


def _side(rows: Sequence[Any], *, bids: bool) -> list[Level]:
    levels: list[Level] = []
    before: Decimal | None = None
    for n, row in enumerate(rows):
        if n % AT_ONCE == AT_ONCE - 1:
            time.sleep(0)  # let the loop's thread in
        if not isinstance(row, list):
            raise ValueError(f"{row!r:.40} is no level")
        price, quantity = (_plain(text) for text in row[:2])
        if quantity == "0":
            continue
        number = Decimal(price)
        if not number or (before is not None and (number >= before if bids else number <= before)):
            raise ValueError(f"price {price} stands behind {before}")
        before = number
        levels.append((price, quantity))
    return levels


def _plain(text: Any) -> str:
    if not isinstance(text, str) or not _NUMBER.fullmatch(text):
        raise ValueError(f"{text!r:.40} is no number")
    whole, _, fraction = text.partition(".")
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole
