"""Every channel that a venue has, by the coverage table, is alive: a consumer heard it, or its stream or newest value lies in Redis."""

from collections import Counter, defaultdict
from typing import Any, NamedTuple

from p9 import coverage
from p9.instrument import Instrument
from p9.quicktest.trial import Trial

# where a channel's section of the configuration has another name
SECTIONS = {
    "book_ticker": "book_ticker_aggregator", "candles_open": "candles", "snapshots": "periodic_snapshots", "options_iv": "options_iv_monitor",
    "insurance_fund": "insurance_fund_monitor", "insurance_alerts": "insurance_fund_monitor",
}  # fmt: skip
OF_VENUE = ("insurance_fund", "reference")


class Wanted(NamedTuple):
    """A channel that has to be alive. An empty `symbol`: any; one that ends with a hyphen: any that begins so."""

    kind: str
    exchange: str
    symbol: str = ""

    def met_by(self, heard: set[tuple[str, str]]) -> bool:
        if self.symbol and not self.symbol.endswith("-"):
            return (self.exchange, self.symbol) in heard
        return any(exchange == self.exchange and symbol.startswith(self.symbol) for exchange, symbol in heard)

    def __str__(self) -> str:
        return ":".join(filter(None, self))


async def check(trial: Trial) -> None:
    wanted = [*standing(trial), *(await assets(trial)), *occasions(trial)]
    missing = [one for one in wanted if not await _alive(trial, one)]
    counts = Counter(one.kind for one in wanted)
    figure = f"{len(wanted)} of {len(counts)} kinds: " + ", ".join(f"{kind} {n}" for kind, n in sorted(counts.items()))
    assert trial.watcher is not None
    events = ", ".join(f"{kind} {n:,}" for kind, n in sorted(trial.watcher.events.items()))
    trial.note("every channel is alive", wanted and not missing, f"silent: {', '.join(map(str, missing[:8]))} ({len(missing)})" if missing else figure)
    trial.note("events of every kind", trial.watcher.events, events)


def standing(trial: Trial) -> list[Wanted]:
    """Those that are alive whatever happens. On live venues each kind is asked of the venue: an instrument may well be quiet for a while."""
    found: dict[Wanted, None] = {}
    venues: dict[str, set[str]] = defaultdict(set)
    for capture in trial.appliance.captures.values():
        kinds = {kind for kind in coverage.kinds_of(capture.market) if _enabled(trial, kind, capture.market.exchange)}
        for row in capture.instruments.values():
            venues[row.symbol].add(row.exchange)
            for kind in sorted(kinds):
                if _has(row, kind):
                    symbol = "-" if kind == "reference" else row.symbol if trial.simulator and kind not in OF_VENUE else ""
                    found[Wanted(kind, row.exchange, symbol)] = None
    if _enabled(trial, "book_ticker"):
        found |= {Wanted("book_ticker", "all", symbol): None for symbol, some in sorted(venues.items()) if len(some) > 1}
    options = trial.appliance.config.analytics.options_iv_monitor
    if options.enabled and trial.appliance.markets is not None:
        for row in trial.appliance.markets.options.rows():
            found |= {Wanted("options_iv", row.exchange, f"{name.partition('-')[0]}-"): None for name in options.underlyings}
    return list(found)


async def assets(trial: Trial) -> list[Wanted]:
    """On simulated venues each asset that has a fund."""
    if trial.simulator is None:
        return []
    rows = await trial.simulator.get("/oracle/insurance")
    return [Wanted("insurance_fund", *key) for key in sorted({(row["venue"], row["asset"]) for row in rows}) if _enabled(trial, "insurance_fund", key[0])]


def occasions(trial: Trial) -> list[Wanted]:
    """What was planted has to be told where it was."""
    return [Wanted(kind, exchange, symbol) for kind, exchange, symbol in sorted(trial.caused) if _enabled(trial, kind, exchange)]


def _has(row: Instrument, kind: str) -> bool:
    return kind != "funding" or row.kind == "perpetual"


def _enabled(trial: Trial, kind: str, exchange: str = "") -> bool:
    section = getattr(trial.appliance.config.analytics, SECTIONS.get(kind, kind))
    return section.enabled and exchange in ("", *getattr(section, "exchanges", (exchange,)))


def word_of(trial: Trial, kind: str) -> str:
    """The first word of a kind's channels."""
    section: Any = getattr(trial.appliance.config.analytics, SECTIONS.get(kind, kind))
    return (section.alerts_channel if kind == "insurance_alerts" else section.publish_channel) or kind


async def _alive(trial: Trial, one: Wanted) -> bool:
    assert trial.watcher is not None
    if one.met_by(trial.watcher.heard.get(one.kind, set())):
        return True
    channel = f"{word_of(trial, one.kind)}:{one.exchange}:{one.symbol}"
    if one.symbol not in ("", "-") and not one.symbol.endswith("-"):
        return await trial.last(channel) is not None or bool(await trial.stream(channel))
    async for key in trial.client.scan_iter(f"*:{{{channel}*", count=1000):
        name = key.decode().partition("{")[2].removesuffix("}")
        if await trial.last(name) is not None if key.startswith(b"last:") else await trial.stream(name):
            return True
    return False
