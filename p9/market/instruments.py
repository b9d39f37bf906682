"""The instruments of an exchange: which there are, which of them a configuration means, and that no two share a name."""

import difflib
import fnmatch
import re
from collections.abc import Iterable, Sequence

from p9.errors import MarketRefused, RestError, RestRefused
from p9.instrument import Instrument, Parsed, Refused
from p9.market.rest import Priority, RestClient
from p9.venue import Market, decoded

MAX_PAGES = 100  # a cursor that never ends is not followed for ever
MAX_SUGGESTIONS = 3


class Instruments:
    """What is known of one exchange's instruments, over all of its markets."""

    def __init__(self, exchange: str):
        self.exchange = exchange
        self.refused: list[Refused] = []
        self._by_symbol: dict[str, Instrument] = {}
        self._by_venue_symbol: dict[tuple[str, str], Instrument] = {}

    def add(self, rows: Iterable[Instrument]) -> list[Refused]:
        """Take new or changed rows; the answer are those that were refused because another instrument has their symbol.

        A row that replaces its own earlier self (same market and venue symbol) is an update. Of two in one answer the live one comes first.
        """
        refused = []
        for row in sorted(rows, key=lambda row: not row.trading):
            known = self._by_symbol.get(row.symbol)
            if known is not None and (known.market, known.venue_symbol) != (row.market, row.venue_symbol):
                refused.append(Refused(row.market, row.venue_symbol, f"{row.symbol} is already {known.venue_symbol} of {known.market}"))
                continue
            before = self._by_venue_symbol.get((row.market, row.venue_symbol))
            if before is not None and before.symbol != row.symbol:
                del self._by_symbol[before.symbol]
            self._by_symbol[row.symbol] = self._by_venue_symbol[row.market, row.venue_symbol] = row
        self.refused += [row for row in refused if row not in self.refused]  # told again at every reading
        return refused

    def drop(self, row: Instrument) -> None:
        """It is not listed any more."""
        self._by_venue_symbol.pop((row.market, row.venue_symbol), None)
        if self._by_symbol.get(row.symbol) == row:
            del self._by_symbol[row.symbol]

    def of(self, market: str) -> list[Instrument]:
        return [row for (name, _), row in self._by_venue_symbol.items() if name == market]

    def find(self, market: str, name: str) -> Instrument | None:
        """By the venue's symbol or by ours."""
        row = self._by_venue_symbol.get((market, name)) or self._by_symbol.get(name)
        return row if row is not None and row.market == market else None

    def select(self, market: str, names: Sequence[str]) -> tuple[list[Instrument], list[Refused]]:
        """The instruments of `market` that `names` mean (ours, the venue's, or a pattern such as *-USDT-PERP), each once, and what was refused.

        A pattern takes only what is trading; a name that is not trading, or that nobody knows, is refused by itself.
        """
        chosen: dict[str, Instrument] = {}
        refused = []
        rows = self.of(market)
        for name in names:
            if re.search(r"[*?\[]", name):
                found = [row for row in rows if row.trading and fnmatch.fnmatchcase(row.symbol, name)]
                if not found:
                    refused.append(Refused(market, name, "no trading instrument fits this pattern"))
                chosen |= {row.venue_symbol: row for row in found}
                continue
            row = self.find(market, name)
            if row is None:
                known = [row.symbol for row in rows] + [row.venue_symbol for row in rows]
                near = difflib.get_close_matches(name, known, MAX_SUGGESTIONS, 0.6)
                refused.append(Refused(market, name, "unknown symbol" + (f"; did you mean {', '.join(near)}?" if near else "")))
            elif not row.trading:
                refused.append(Refused(market, name, f"not trading: {row.status}"))
            else:
                chosen[row.venue_symbol] = row
        return list(chosen.values()), refused


async def read(client: RestClient, market: Market, priority: Priority) -> Parsed:
    """Ask the venue for all instruments of `market`. Raises RestError where it cannot be asked, MarketRefused where it will not answer."""
    pages = []
    request = market.venue.instruments_request(market)
    while request is not None and len(pages) < MAX_PAGES:
        try:
            answer = await client.get(market, request, priority)
        except RestRefused as error:
            raise MarketRefused(f"no instruments: {error.message}", where=market.name, hint="check rest_url and the product") from error
        page = decoded(answer)
        if page is None:
            raise RestError("the instruments are no JSON", where=market.name)
        pages.append(page)
        request = market.venue.next_page(request, pages[-1])
    parsed = market.venue.parse_instruments(market, pages)
    if not parsed.instruments:
        raise MarketRefused("the venue lists no instrument that can be read", where=market.name, hint="check rest_url")
    return parsed


async def load(client: RestClient, market: Market, known: Instruments) -> list[Refused]:
    """Read all instruments of `market` and add them to `known`; the answer are the rows that cannot be used. Raises as `read`."""
    parsed = await read(client, market, Priority.RECOVERY)
    refused = parsed.refused + known.add(parsed.instruments)
    known.refused += parsed.refused
    return refused
