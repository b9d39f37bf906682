"""What a venue says of its options, in our words, and how it is asked.

Quotes are decimal text, the venue's own. Volatilities are fractions of one (0.349 is 34.9 %). Greeks are those of Black and Scholes, in the quote
currency for one coin: vega for one point of volatility (0.01), theta for one day; the `_coin` ones are adjusted for a premium that is paid in coins.
"""

import importlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
from cext.amount import ANY, POSITIVE, UNSIGNED

from p9.instrument import Instrument, Parsed
from p9.venue import Market, Poll, Request

# What may be anything, what may be 0, and what means nothing where it is 0 or less.
FIELDS = {
    "forward": POSITIVE, "index_price": POSITIVE, "rate": ANY,
    "mark_price": POSITIVE, "bid_price": POSITIVE, "bid_quantity": POSITIVE, "ask_price": POSITIVE, "ask_quantity": POSITIVE,
    "mark_iv": POSITIVE, "bid_iv": POSITIVE, "ask_iv": POSITIVE, "open_interest": UNSIGNED,
    "delta": ANY, "gamma": ANY, "vega": ANY, "theta": ANY, "delta_coin": ANY, "gamma_coin": ANY, "vega_coin": ANY, "theta_coin": ANY,
}  # fmt: skip


class Told(NamedTuple):
    """What one frame or answer holds: of each row the venue's symbol, its time in ms and its texts, in the order of `fields`; `refused`: rows that could
    not be read. Of two rows from one `source` the older is passed over."""

    source: str
    fields: tuple[str, ...]
    rows: Sequence[tuple[str, int, tuple[Any, ...]]]
    refused: int = 0


class OptionTopic(NamedTuple):
    """`silent_s`: without a frame for so long something is wrong; 0: it may be silent."""

    name: str
    silent_s: float = 0.0


class OptionMarket(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a venue. `polls` read Told for facts, and have a roster of all that is live.

    `whole(frame)`: it says all that its topic's earlier frames said, so that these need not be read any more.
    """

    market: Market
    route: str
    instrument_requests: Callable[[Market, str], Sequence[Request]]  # by coin
    parse: Callable[[Market, Sequence[Any]], Parsed]  # all answers, as decoded JSON
    topics: Callable[[Sequence[Instrument]], Sequence[OptionTopic]]
    whole: Callable[[bytes], bool]
    read: Callable[[bytes], Told]
    polls: tuple[Poll, ...] = ()


class Rows:
    """Reads the list of `kind` in a frame or an answer: all of it at once; where one row is ill, one by one, so that it costs itself alone."""

    def __init__(self, envelope: Any, kind: type):
        """`envelope`: a generic struct of its rows' kind."""
        self._whole = msgspec.json.Decoder(envelope[kind])
        self._raw = msgspec.json.Decoder(envelope[msgspec.Raw])
        self._one = msgspec.json.Decoder(kind)

    def read(self, payload: bytes, rows_of: Callable[[Any], Sequence[Any]]) -> tuple[Any, list[Any], int]:
        """The frame, its rows, and how many were refused. Raises msgspec.DecodeError where it is no such frame."""
        try:
            frame = self._whole.decode(payload)
            return frame, rows_of(frame), 0
        except msgspec.ValidationError:
            frame, found, refused = self._raw.decode(payload), [], 0
        for raw in rows_of(frame):
            try:
                found.append(self._one.decode(raw))
            except msgspec.DecodeError:
                refused += 1
        return frame, found, refused


def options_of(exchange: str) -> OptionMarket:
    """The options of a venue, from its file of them."""
    return importlib.import_module(f"p9.venues.{exchange}_options").OPTIONS
