"""What a configuration will take, told before anything runs: sockets, questions by REST, frames, memory.

The instruments are made up from the configured names, the rest are the very rows and rules that the capture goes by. The bytes of a book are measured
(docs/packaging.md), the rates of frames are estimates: depth as recordings have it, the others assumed. Disk and Redis: p9/storage.py.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from p9.boards import INSURANCE, sections_of
from p9.budget import Budget
from p9.capture.capture import CaptureSettings
from p9.capture.live import MOST_TOPICS
from p9.capture.sockets import spread
from p9.config import Config
from p9.fact import Roster
from p9.instrument import Instrument
from p9.option import options_of
from p9.snapshots import size
from p9.storage import names_of
from p9.venue import Market, Poll, Request, market

BASE_BYTES = 77_000_000  # resident without a book
BOOK_BYTES = 830_000  # of each book with all that is measured on it, to a thousand levels a side
OPTION_BYTES = 12_400
OPTIONS_A_CHAIN = 750  # the largest of September 2026 had 752
WORTH_SAYING = 0.1  # of what is ours of a limit
FRAMES = {"depth": 10.0, "best": 20.0, "trades": 6.0}  # a second, of a busy instrument, estimated; a quiet one has a tenth
OPTION_FRAMES = 1.0  # a second, of each topic


class Line(NamedTuple):
    """One market, or the options of one venue. `weights`: {budget: weight at the start}, `polled`: {budget: weight a minute from then on}."""

    name: str
    books: int
    sockets: int
    frames_a_second: float
    weights: Mapping[Budget, float]
    polled: Mapping[Budget, float]


def _made_up(row: Market, names: Iterable[str]) -> dict[int, Instrument]:
    """Instruments that are called so, as long as real ones in all that is sent."""
    found = {}
    for ix, name in enumerate(names):
        base, quote, *suffix = [*name.split("-"), "USDT"] if "-" not in name else name.split("-")
        kind = "perpetual" if suffix and suffix[0] == "PERP" else "future" if suffix and suffix[0][:1].isdigit() else "spot"
        inverse = kind != "spot" and quote == "USD"
        found[ix] = Instrument(
            exchange=row.exchange, market=row.name, symbol=name, venue_symbol="".join((base, quote, *suffix)), base=base, quote=quote, settle=base if inverse else quote,
            kind=kind, tick="0.1", step="0.001", contract="inverse" if inverse else "base" if kind == "spot" else "linear", family=f"{base}-{quote}", index=f"{base}-{quote}",
        )  # fmt: skip
    return found


def _weights(requests: Iterable[Request], times: float = 1.0) -> Counter[Budget]:
    found: Counter[Budget] = Counter()
    for request in requests:
        found[request.budget] += request.weight * times  # type: ignore[assignment]
    return found


def _a_minute(row: Market, roster: Roster, polls: Iterable[Poll], every_s: Mapping[str, float]) -> Counter[Budget]:
    found: Counter[Budget] = Counter()
    for poll in polls:
        found += _weights(poll.requests(row, roster), 60 / (every_s[poll.kind] * poll.every))
    return found


def _sockets_of(topics: Iterable[str], most_topics: int, most_chars: int) -> int:
    topics = list(topics)
    return math.ceil(len(topics) / max(1, min(most_topics, most_chars // max(map(len, topics), default=1))))


def _market(config: Config, name: str, owned: set[tuple[str, str]]) -> Line:
    """`owned`: (exchange, kind) of what another market of the exchange asks for all of them."""
    section, row = config.venues.markets()[name], market(name)
    analytics = config.analytics
    forms = row.choose(depth=section.depth, speed=section.speed, trades=section.trades, also=CaptureSettings().also)
    instruments = _made_up(row, names_of(section.symbols or row.default_symbols))
    roster = Roster(instruments.values())
    sockets = sum(len(spread(row, [form for form in forms if form.route == route], instruments)) for route in {form.route for form in forms})
    wanted = {kind: section for kind, section in sections_of(config).items() if section.enabled}
    every_s = {kind: float(one.poll_interval) for kind, one in wanted.items() if kind != INSURANCE or row.exchange in wanted[INSURANCE].exchanges}
    told = {kind for kind in every_s if wanted[kind].live} | ({"block_trades"} if analytics.block_trades.enabled else set())
    live: dict[str, list[str]] = {}
    for form in row.live:
        if told & set(form.kinds) and (not form.of_exchange or (row.exchange, form.kinds[0]) not in owned):
            live.setdefault(form.route, []).extend(form.topics(row, roster))
    sockets += sum(_sockets_of(topics, MOST_TOPICS, row.limits.socket_chars) for topics in live.values())
    polls = [poll for poll in row.polls if poll.kind in every_s and (not poll.of_exchange or (row.exchange, poll.kind) not in owned)]
    owned |= {(row.exchange, poll.kind) for poll in polls if poll.of_exchange} | {(row.exchange, form.kinds[0]) for form in row.live if form.of_exchange}
    first = [row.venue.instruments_request(row)]
    if row.sequence.rest_seeded:
        levels = row.image_levels(section.depth)
        first += [row.venue.image_request(row, one.venue_symbol, levels) for one in instruments.values()]
    frames = len(instruments) * sum(FRAMES.values()) + sum(map(len, live.values()))
    return Line(name, len(instruments), sockets, frames, _weights(first), _a_minute(row, roster, polls, every_s))


def _options(config: Config, exchange: str) -> Line:
    wanted = config.analytics.options_iv_monitor
    source = options_of(exchange)
    row = source.market
    rows = [
        Instrument(
            exchange=exchange, market=row.name, symbol=f"{coin}-260925-{n}-C", venue_symbol=f"{coin}-25SEP26-{100_000 + n}-C-USDT", base=coin, quote="USDT", settle="USDT",
            kind="option", tick="0.1", step="0.01", contract="linear", family=f"{coin}USDT", index=f"{coin}-USDT", expires_ns=1, strike=str(n), option_type="C",
        )
        for coin in dict.fromkeys(name.partition("-")[0] for name in wanted.underlyings) for n in range(OPTIONS_A_CHAIN)
    ]  # fmt: skip
    topics = [one.name for one in source.topics(rows)]
    sockets = _sockets_of(topics, row.limits.instruments_per_socket, row.limits.socket_chars)
    first = [request for coin in {one.base for one in rows} for request in source.instrument_requests(row, coin)]
    every_s = {poll.kind: float(wanted.poll_interval) for poll in source.polls}
    return Line(row.name, 0, sockets, len(topics) * OPTION_FRAMES, _weights(first), _a_minute(row, Roster(rows), source.polls, every_s))


def lines_of(config: Config) -> list[Line]:
    """Of every market that is captured, then of every venue's options. Raises ConfigError for what a market does not offer."""
    owned: set[tuple[str, str]] = set()
    found = [_market(config, name, owned) for name in config.venues.markets()]
    if config.analytics.options_iv_monitor.enabled and config.analytics.options_iv_monitor.underlyings:
        found += [_options(config, exchange) for exchange in config.venues.options()]
    return found


def memory_of(config: Config, lines: Iterable[Line]) -> int:
    """Resident bytes, without Redis."""
    lines = list(lines)
    chains = sum(line.books == 0 for line in lines) * len(config.analytics.options_iv_monitor.underlyings)
    return BASE_BYTES + sum(line.books for line in lines) * BOOK_BYTES + chains * OPTIONS_A_CHAIN * OPTION_BYTES


def report(config: Config) -> Iterator[str]:
    """For people."""
    lines = lines_of(config)
    by_name = ", ".join(f"{line.name} {line.sockets}" for line in lines)
    yield f"sockets: {sum(line.sockets for line in lines)} ({by_name})"
    yield f"frames: up to some {sum(line.frames_a_second for line in lines):,.0f} a second, if every instrument is a busy one"
    first: Counter[Budget] = Counter()
    polled: Counter[Budget] = Counter()
    for line in lines:
        first.update(line.weights)
        polled.update(line.polled)
    small = 0
    for budget in sorted(first.keys() | polled.keys(), key=lambda budget: budget.name):
        ours = max(1.0, budget.limit * config.capture.rest_share)
        then = polled[budget] * budget.span_s / 60
        if max(first[budget], then) < WORTH_SAYING * ours:
            small += 1
            continue
        line = f"by REST, {budget.name}: {first[budget]:,.0f} at the start, then {then:,.1f} in {budget.span_s:g} s, of {ours:,.0f} (the venue allows {budget.limit:,})"
        if first[budget] > ours:
            line += f"; the start takes {first[budget] / ours * budget.span_s:,.0f} s"
        if then > ours:
            line += "; warning: the polls alone are more, lengthen their poll_interval"
        yield line
    yield f"by REST, {small} other limits: less than {WORTH_SAYING:.0%} of each"
    yield f"memory: about {size.words(memory_of(config, lines))}, without Redis"
