"""What a venue derives from an instrument, beside its book: mark and index price, funding, open interest; and the truth of them for the oracle."""

import zlib
from decimal import Decimal
from typing import NamedTuple

from p9.simulate.history import settled_rate
from p9.simulate.instrument import Instrument
from p9.simulate.scale import plain

MINUTE_MS = 60_000
RATE_PLACES = 8
STEP_NS = 10_000_000


class Funding(NamedTuple):
    """`rate` is what the settlement at `next_ms` will take if nothing changes."""

    rate: Decimal
    next_ms: int
    interval_ms: int


def pays_funding(one: Instrument) -> bool:
    return not one.is_spot and one.listing.expiry_ms is None


def funding(one: Instrument, now_ms: int) -> Funding:
    """The forecast: what will be settled, and a deviation that changes each minute and dies away until then."""
    interval_ms = one.funding_interval_ms
    next_ms = now_ms // interval_ms * interval_ms + interval_ms
    minute = now_ms // MINUTE_MS
    left = Decimal(next_ms // MINUTE_MS - minute) / (interval_ms // MINUTE_MS)
    wobble = Decimal(zlib.crc32(f"{one.market} {one.symbol} {minute}".encode()) % 4001 - 2000).scaleb(-8)
    return Funding((settled_rate(one, next_ms) + wobble * left).quantize(Decimal(1).scaleb(-RATE_PLACES)), next_ms, interval_ms)


def truth(one: Instrument, at_ms: int, since_ms: int | None = None) -> dict:
    """Everything of this module as it was at `at_ms`; open interest as it is now. Prices as the index's path has them, to eight decimals; with `since_ms`
    also [mark, index] of each hundredth of a second from then on."""
    at_ns = at_ms * 1_000_000
    found: dict = {"market": one.market, "venue_symbol": one.symbol, "at_ms": at_ms, "index": f"{one.index_price(at_ns):.8f}"}
    found |= {"tick": one.listing.tick, "lot": one.listing.lot}
    if one.is_spot:
        return found
    if since_ms is not None:
        times_ns = range(since_ms * 1_000_000, at_ns + 1, STEP_NS)
        found["path"] = [[f"{one.mark_price(each_ns):.8f}", f"{one.index_price(each_ns):.8f}"] for each_ns in times_ns]
    found |= {"mark": f"{one.mark_price(at_ns):.8f}", "open_interest": plain(one.qty.value(one.open_interest_lots))}
    found["contract_value"] = plain(one.listing.contract_value)
    if pays_funding(one):
        rate, next_ms, interval_ms = funding(one, at_ms)
        found["funding"] = {"rate": plain(rate), "next_ms": next_ms, "interval_ms": interval_ms}
    return found
