"""The options of one underlying of one venue: expiry by expiry, what is published of them.

    chain.add(instruments); chain.hear(told, recv_ns); ...; payload = chain.payload(now_ns)

A strike's volatility is that of its option out of the money: the venue's mark, or where it gives none the middle of bid and ask. Strikes whose quotes stand too far
apart, and expiries that are nearly over, are left out of the figures; their rows are published all the same.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec
from cext.black76 import delta, gamma, theta, vega

from p9.analysis.options.quote import Quote, plan_of
from p9.analysis.options.smile import Figures, Smile, calendars, read
from p9.analysis.options.surface import YEAR_S, at_maturity, forward_vol
from p9.instrument import Instrument
from p9.option import Told

DAY_NS = 86_400_000_000_000
GREEKS = ("delta", "gamma", "vega", "theta")
QUOTED = ("mark_iv", "bid_iv", "ask_iv", "mark_price", "bid_price", "bid_quantity", "ask_price", "ask_quantity", "open_interest", *GREEKS)
COIN_GREEKS = ("delta_coin", "gamma_coin", "vega_coin", "theta_coin")
OWN = ("strike", "type", "use", "own_iv", "own_delta")


class ChainSettings(msgspec.Struct, frozen=True):
    """What is left out, what is told."""

    maturities: tuple[int, ...] = (7, 30, 90)  # days
    max_spread: float = 0.25  # of bid and ask volatility, as a share of their middle
    min_life_s: float = 12 * 3600.0  # of an expiry that has figures
    stale_s: float = 90.0  # a quote that is older is not used
    disagreement: float = 0.01  # of the venue's mark volatility with its mark price
    arbitrage_tolerance: float = 0.0005  # error of each volatility that is no arbitrage yet
    max_rows: int = 1000  # options in one event; of each expiry those nearest to the forward stay


class Fact(NamedTuple):
    """What an event told, for whoever listens in this process. `maturities`: {days: figures}; `expiries`: {its ns: figures}."""

    exchange: str
    underlying: str
    at_ns: int
    maturities: dict[int, Figures]
    expiries: dict[int, Figures]


class Expiry:
    """The options that end at one time, by strike."""

    def __init__(self, at_ns: int):
        self.at_ns = at_ns
        self.strikes: dict[float, dict[bool, Quote]] = {}  # {strike: {call?: option}}, ascending
        self.figures = Figures()
        self.smile: Smile | None = None
        self.uses: dict[Quote, str] = {}
        self.forward: float | None = None
        self.forward_text: str | None = None

    def add(self, quote: Quote) -> None:
        self.strikes.setdefault(quote.strike, {})[quote.call] = quote
        self.strikes = dict(sorted(self.strikes.items()))

    def quotes(self) -> Iterator[Quote]:
        for pair in self.strikes.values():
            yield from pair.values()


class Chain:
    """`counts`: what was wrong, by kind."""

    def __init__(self, exchange: str, underlying: str, settings: ChainSettings | None = None):
        self.exchange, self.underlying = exchange, underlying
        self.settings = settings or ChainSettings()
        self.options: dict[str, Quote] = {}  # by the venue's symbol
        self.expiries: dict[int, Expiry] = {}  # by ns, ascending
        self.counts: Counter[str] = Counter()
        self.event_ms = self.recv_ns = 0  # of the newest row
        self.mark_places = 0
        self.heard = 0  # rows since the last event
        self.checked = self.disagreeing = 0  # marks that the newest event compared, and those that do not fit
        self.fact: Fact | None = None
        self.settle = ""
        self.index_price: str | None = None
        self.tells_coin_greeks = False

    def add(self, instruments: Iterable[Instrument]) -> int:
        """Take the options that are not known yet; how many there were."""
        n = 0
        for row in instruments:
            if row.venue_symbol in self.options:
                continue
            self.options[row.venue_symbol] = quote = Quote(row)
            self.expiries.setdefault(row.expires_ns, Expiry(row.expires_ns)).add(quote)
            self.settle = row.settle
            n += 1
        self.expiries = dict(sorted(self.expiries.items()))
        return n

    def drop_expired(self, now_ns: int) -> int:
        """Forget what has ended; how many options."""
        ended = [at_ns for at_ns in self.expiries if at_ns <= now_ns]
        names = [quote.instrument.venue_symbol for at_ns in ended for quote in self.expiries[at_ns].quotes()]
        for at_ns in ended:
            del self.expiries[at_ns]
        for name in names:
            del self.options[name]
        return len(names)

    def hear(self, told: Told, at_ms: int, row: tuple, quote: Quote, recv_ns: int) -> None:
        """A row of one of these options."""
        plan = plan_of(told.fields)
        at_ms = quote.hear(told, plan, at_ms, row, recv_ns, self.counts)
        if not at_ms:
            return
        self.heard += 1
        if at_ms > self.event_ms:
            self.event_ms = at_ms
        if recv_ns > self.recv_ns:
            self.recv_ns = recv_ns
        self.index_price = quote.texts.get("index_price") or self.index_price
        if plan.tells_coin_greeks:
            self.tells_coin_greeks = True
        if plan.tells_mark:
            self.mark_places = max(self.mark_places, quote.mark_places())
            quote.check(self.settings.disagreement, self.mark_places)

    # ---- an event

    def payload(self, now_ns: int) -> bytes:
        """The event's fields, all at once."""
        parts = list(self.compose(now_ns))
        return parts[-1]

    def compose(self, now_ns: int) -> Iterator[bytes]:
        """Make the event piece by piece, so that others may work between them; the last one is the event's fields."""
        self.drop_expired(now_ns)
        self.heard = 0
        some = list(self.expiries.values())
        for expiry in some:
            self._draw(expiry, now_ns)
            yield b""
        columns = OWN + QUOTED + (COIN_GREEKS if self.tells_coin_greeks else ())
        most = max(1, self.settings.max_rows // (2 * len(some))) if sum(len(one.strikes) for one in some) * 2 > self.settings.max_rows else None
        pieces, previous, flagged = [], None, Counter()
        for expiry in some:
            head = self._head(expiry, previous, now_ns, flagged)
            head["rows"], head["left_out"] = self._rows(expiry, columns, most, now_ns)
            pieces.append(msgspec.json.encode(head))
            if expiry.smile is not None:
                previous = expiry
            yield b""
        maturities = self._maturities(some, now_ns)
        self.checked, self.disagreeing = flagged["checked"], flagged["disagreeing"]
        self.fact = Fact(self.exchange, self.underlying, now_ns, maturities, {one.at_ns: one.figures for one in some})
        whole = msgspec.json.encode({
            "price_unit": self.settle, "index_price": self.index_price if now_ns - self.recv_ns <= self.settings.stale_s * 1e9 else None, "options": len(self.options),
            "maturities": [{"days": days, **_figures(figures)} for days, figures in maturities.items()],
            "term_slope": _slope(maturities), "arbitrage": {"butterfly": flagged["butterfly"], "calendar": flagged["calendar"]},
            "checked": self.checked, "disagreeing": self.disagreeing, "columns": columns,
        })  # fmt: skip
        yield whole[:-1] + b',"expiries":[' + b",".join(pieces) + b"]}"

    def _draw(self, expiry: Expiry, now_ns: int) -> None:
        """The expiry's smile, from the strikes that may be used, and what it says."""
        settings = self.settings
        expiry.smile, expiry.figures, expiry.uses = None, Figures(), {}
        fresh_ns = now_ns - round(settings.stale_s * 1e9)
        newest = max((quote for quote in expiry.quotes() if quote.forward is not None and quote.recv_ns >= fresh_ns), key=Quote.newest_ms, default=None)
        expiry.forward = newest.forward if newest is not None else None
        expiry.forward_text = newest.texts.get("forward") if newest is not None else None
        if newest is None:
            expiry.uses = {quote: "stale" if quote.recv_ns else "silent" for quote in expiry.quotes()}
            return
        ending = expiry.at_ns - now_ns < settings.min_life_s * 1e9
        strikes, vols = [], []
        for strike, pair in expiry.strikes.items():
            outer = pair.get(strike >= expiry.forward) or next(iter(pair.values()))
            for quote in pair.values():
                expiry.uses[quote] = "inner" if quote is not outer else "ending" if ending else self._use(quote, fresh_ns)
            if expiry.uses[outer] == "smile":
                strikes.append(strike)
                vols.append(outer.mark if outer.mark is not None else _middle(outer))
        if strikes:
            expiry.smile = Smile(expiry.forward, (expiry.at_ns - now_ns) / (1e9 * YEAR_S), strikes, vols)
            expiry.figures = read(expiry.smile)

    def _use(self, quote: Quote, fresh_ns: int) -> str:
        """smile, or why it is no part of it."""
        if quote.recv_ns < fresh_ns:
            return "stale" if quote.recv_ns else "silent"
        middle = _middle(quote)
        if middle is not None:
            spread = float(quote.texts["ask_iv"]) - float(quote.texts["bid_iv"])
            if spread < 0:
                return "crossed"
            if spread > self.settings.max_spread * middle:
                return "wide"
        return "smile" if quote.mark is not None or middle is not None else "no_iv"

    def _head(self, expiry: Expiry, previous: Expiry | None, now_ns: int, flagged: Counter[str]) -> dict[str, Any]:
        """The figures of an expiry; what is flagged is added up."""
        tolerance = self.settings.arbitrage_tolerance
        smile = expiry.smile
        butterflies = smile.butterflies(tolerance) if smile is not None else []
        crossed = calendars(previous.smile, smile, tolerance) if smile is not None and previous is not None else []
        checked = [quote.agrees for quote in expiry.quotes() if quote.agrees is not None]
        disagreeing = checked.count(False)
        flagged.update(butterfly=len(butterflies), calendar=len(crossed), checked=len(checked), disagreeing=disagreeing)
        uses = Counter(expiry.uses.values())
        forward = None
        if smile is not None and previous is not None:
            forward = forward_vol(previous.smile.years, previous.figures.atm, smile.years, expiry.figures.atm)
        return {
            "expiry": expiry.at_ns, "days": round((expiry.at_ns - now_ns) / DAY_NS, 6), "forward": expiry.forward_text,
            "forward_used": _rounded(expiry.forward, 8), **_figures(expiry.figures), "malz_error": _rounded(expiry.figures.malz), "forward_iv": _rounded(forward),
            "strikes": len(expiry.strikes), "in_smile": uses.pop("smile", 0), "not_used": {why: n for why, n in uses.items() if why != "inner"},
            "checked": len(checked), "disagreeing": disagreeing,
            "butterfly": _worst(butterflies), "calendar": _worst(crossed),
        }  # fmt: skip

    def _rows(self, expiry: Expiry, columns: tuple[str, ...], most: int | None, now_ns: int) -> tuple[list[list[Any]], int]:
        """The options by strike, calls first; of too many strikes those nearest to the forward. How many options are left out."""
        strikes = list(expiry.strikes)
        if most is not None and len(strikes) > most:
            centre = expiry.forward or strikes[len(strikes) // 2]
            strikes = sorted(sorted(strikes, key=lambda strike: abs(math.log(strike / centre)))[:most])
        rows = []
        quoted = columns[len(OWN) :]
        for strike in strikes:
            pair = expiry.strikes[strike]
            for call in (True, False):
                quote = pair.get(call)
                if quote is not None:
                    rows.append(self._row(expiry, quote, quoted, now_ns))
        return rows, sum(len(pair) for pair in expiry.strikes.values()) - len(rows)

    def _row(self, expiry: Expiry, quote: Quote, quoted: tuple[str, ...], now_ns: int) -> list[Any]:
        """Of a quote that is too old nothing is told. A greek that the venue leaves out is ours, of its volatility, and a number."""
        use, years = expiry.uses.get(quote, "silent"), (expiry.at_ns - now_ns) / (1e9 * YEAR_S)
        row = [quote.instrument.strike, quote.instrument.option_type, use]
        if use in ("stale", "silent"):
            return row + [None] * (2 + len(quoted))
        hedge = _rounded(delta(expiry.forward, quote.strike, quote.mark, years, quote.call)) if quote.mark is not None else None
        row += _rounded(quote.own), hedge
        texts = quote.fresh(now_ns - round(self.settings.stale_s * 1e9))
        if quote.mark is not None and None in map(texts.get, GREEKS):
            texts = texts | {name: texts.get(name) or greek for name, greek in _greeks(expiry.forward, quote, years).items()}
        return [*row, *map(texts.get, quoted)]

    def _maturities(self, some: list[Expiry], now_ns: int) -> dict[int, Figures]:
        drawn = [one for one in some if one.smile is not None]
        years, figures = [one.smile.years for one in drawn], [one.figures for one in drawn]
        return {days: at_maturity(years, figures, days / 365) for days in self.settings.maturities}


def _greeks(forward: float, quote: Quote, years: float) -> dict[str, float | None]:
    strike, vol = quote.strike, quote.mark
    return {
        "delta": _rounded(delta(forward, strike, vol, years, quote.call)), "gamma": gamma(forward, strike, vol, years),
        "vega": vega(forward, strike, vol, years, quote.discount), "theta": theta(forward, strike, vol, years, quote.call),
    }  # fmt: skip


def _middle(quote: Quote) -> float | None:
    bid, ask = quote.texts.get("bid_iv"), quote.texts.get("ask_iv")
    return (float(bid) + float(ask)) / 2 if bid is not None and ask is not None else None


def _rounded(value: float | None, digits: int = 6) -> float | None:
    return round(value, digits) if value is not None else None


def _figures(figures: Figures) -> dict[str, float | None]:
    return {
        "atm_iv": _rounded(figures.atm), "call_25_iv": _rounded(figures.call_25), "put_25_iv": _rounded(figures.put_25),
        "risk_reversal_25": _rounded(figures.risk_reversal), "butterfly_25": _rounded(figures.butterfly),
    }  # fmt: skip


def _worst(found: list) -> dict[str, Any] | None:
    """How many, and the greatest."""
    if not found:
        return None
    worst = max(found, key=lambda one: one.excess)
    return {"strikes": len(found), "worst_strike": worst.strike, "worst_excess": float(f"{worst.excess:.6g}")}


def _slope(maturities: dict[int, Figures]) -> float | None:
    """From the shortest to the longest maturity: the volatility at the money of the one less that of the other."""
    known = [figures.atm for _, figures in sorted(maturities.items()) if figures.atm is not None]
    return _rounded(known[-1] - known[0]) if len(known) > 1 else None
