"""Every channel that a venue has, by the coverage table, is alive: a consumer heard it, or its stream or newest value lies in Redis.

What is asked for is derived: the coverage table says which market has which channel, and whether it needs a cause (then something is planted). A channel that
comes into docs/events.md and is not asked for here fails tests/quicktest/test_channels.py.
"""

from collections import Counter, defaultdict
from typing import NamedTuple

from cext.grid import SECONDS

from p9 import coverage
from p9.instrument import Instrument
from p9.quicktest.trial import Trial

OF_VENUE = ("insurance_fund", "insurance_alerts", "reference")
OF_SYMBOL = ("book_ticker", "signals")  # which have a channel over all venues too
TIMED = ("candles", "candles_open", "cvd")  # a channel for each timeframe
# what a run of less than Trial.FULL_S seconds is not asked for, by the names of docs/events.md: the one place that says so
LATER = {
    "spoofing": "what is large is known only after many additions to a book",
    "signals:all": "venues agree when news moves all of them, and momentum needs a minute of quotes before it",
    "gaps": "a line of every market is cut, one after the other, and what was missed is fetched",
    "audits": "where a venue has forgotten its trades, candles are whole once its own first minute is over",
    "candles": "(longer ones than 5 s) they are not over",
    "signals": "(of every instrument, instead of every venue) news moves all of them",
    "stop_triggers": "(inferred runs of stops) a run needs a swing of the price to go beyond, and a calm around it",
}


class Wanted(NamedTuple):
    """A channel that has to be alive. An empty `symbol`: any; one that ends with a hyphen: any that begins so. A timeframe stands behind the symbol."""

    kind: str
    exchange: str
    symbol: str = ""

    @property
    def pattern(self) -> str:
        """Its name in docs/events.md."""
        if self.symbol == "-":
            return f"{self.kind}:{'{exchange}' if self.exchange != 'all' else 'all'}:-"
        return f"{self.kind}:all" if self.exchange == "all" else self.kind

    @property
    def exact(self) -> bool:
        return self.symbol == "-" or (bool(self.symbol) and not self.symbol.endswith("-"))

    def met_by(self, heard: set[tuple[str, str]]) -> bool:
        if self.exact:
            return (self.exchange, self.symbol) in heard
        return any(exchange == self.exchange and symbol.startswith(self.symbol) for exchange, symbol in heard)

    def __str__(self) -> str:
        return ":".join(filter(None, self))


async def check(trial: Trial) -> None:
    some = await wanted(trial)
    missing = [one for one in some if not await alive(trial, one)]
    counts = Counter(one.pattern for one in some)
    figure = f"{len(some)} of {len(counts)} kinds: " + ", ".join(f"{kind} {n}" for kind, n in sorted(counts.items()))
    assert trial.watcher is not None
    events = ", ".join(f"{kind} {n:,}" for kind, n in sorted(trial.watcher.events.items()))
    trial.note("every channel is alive", some and not missing, f"silent: {', '.join(map(str, missing[:8]))} ({len(missing)})" if missing else figure)
    trial.note("events of every kind", trial.watcher.events, events)


def not_asked(trial: Trial) -> dict[str, str]:
    """What a run as short as this is not asked for, and why."""
    return {} if trial.full or trial.simulator is None else dict(LATER)


async def wanted(trial: Trial) -> list[Wanted]:
    return list(dict.fromkeys([*standing(trial), *(await assets(trial)), *occasions(trial)]))


def standing(trial: Trial) -> list[Wanted]:
    """Those that are alive whatever happens. On live venues each kind is asked of the venue: an instrument may well be quiet for a while."""
    found: list[Wanted] = []
    for capture in trial.appliance.captures.values():
        kinds = {kind for kind in coverage.kinds_of(capture.market) if trial.enabled(kind, capture.market.exchange)}
        for row in capture.instruments.values():
            for kind in sorted(kinds):
                if kind != "funding" or row.kind == "perpetual":
                    found += [Wanted(kind, row.exchange, symbol) for symbol in _symbols(trial, row, kind)]
    if trial.enabled("book_ticker"):
        found += [Wanted("book_ticker", "all", symbol) for symbol in shared(trial)]
    if trial.enabled("integrity"):
        found.append(Wanted("integrity", "all", "-"))  # a wrong configuration was refused
    options = trial.appliance.config.analytics.options_iv_monitor
    if options.enabled and trial.appliance.markets is not None:
        for one in trial.appliance.markets.options.rows():
            found += [Wanted("options_iv", one.exchange, f"{name.partition('-')[0]}-") for name in options.underlyings]
    return found


def _symbols(trial: Trial, row: Instrument, kind: str) -> list[str]:
    if kind == "reference":
        return ["-"]
    if trial.simulator is None or kind in OF_VENUE:
        return [""]
    return [f"{row.symbol}:{name}" for name, seconds in SECONDS.items() if kind != "candles" or seconds <= longest_s(trial)] if kind in TIMED else [row.symbol]


def longest_s(trial: Trial) -> float:
    """A candle so long was closed meanwhile for certain."""
    return 60.0 if trial.full else 5.0 if trial.seconds >= 10 else 1.0


def shared(trial: Trial) -> list[str]:
    """Symbols that several venues have."""
    venues: dict[str, set[str]] = defaultdict(set)
    for row in trial.instruments():
        venues[row.symbol].add(row.exchange)
    return sorted(symbol for symbol, some in venues.items() if len(some) > 1)


async def assets(trial: Trial) -> list[Wanted]:
    """On simulated venues each asset that has a fund."""
    if trial.simulator is None:
        return []
    rows = await trial.simulator.get("/oracle/insurance")
    return [Wanted("insurance_fund", *key) for key in sorted({(row["venue"], row["asset"]) for row in rows}) if trial.enabled("insurance_fund", key[0])]


def occasions(trial: Trial) -> list[Wanted]:
    """What was planted has to be told where it was. In a full run whatever the coverage table gives a market when there is cause: on its first instrument, and
    what is planted everywhere, everywhere."""
    found = [Wanted(kind, exchange, symbol) for kind, exchange, symbol in sorted(trial.caused) if trial.enabled(kind, exchange)]
    if not trial.full:
        return found
    for capture in trial.appliance.captures.values():
        rows = list(capture.instruments.values())
        for kind in sorted(coverage.kinds_of(capture.market, occasions=True)):
            if trial.enabled(kind, capture.market.exchange):
                some = rows if kind in ("signals", "audits") else rows[:1]
                found += [Wanted(kind, row.exchange, "" if kind in OF_VENUE else row.symbol) for row in some]
    if trial.enabled("signals"):
        found += [Wanted("signals", "all", symbol) for symbol in shared(trial)]
    return found


async def alive(trial: Trial, one: Wanted) -> bool:
    assert trial.watcher is not None
    if one.met_by(trial.watcher.heard.get(one.kind, set())):
        return True
    channel = f"{trial.word(one.kind)}:{one.exchange}:{one.symbol}"
    if one.exact:
        return await trial.last(channel) is not None or bool(await trial.stream(channel))
    async for key in trial.client.scan_iter(f"*:{{{channel}*", count=1000):
        name = key.decode().partition("{")[2].removesuffix("}")
        if await trial.last(name) is not None if key.startswith(b"last:") else await trial.stream(name):
            return True
    return False
