"""docs/coverage.md: which feed each market has, live and by REST, written from the rows that the code itself runs on.

    python -m p9.coverage > docs/coverage.md

A market that has not got a feed says why: in its row's `missing`, or because its kind of instrument has no such thing.
"""

from collections.abc import Callable, Iterable
from importlib.util import find_spec

import msgspec

from p9.config import Config, Seconds
from p9.config.venues import Venues
from p9.fact import Roster
from p9.history import KINDS as HISTORY_KINDS
from p9.history import history_of
from p9.instrument import PERPETUAL, Instrument
from p9.option import options_of
from p9.stop_order import accounts_of
from p9.venue import Market, market, topic

HEADER = """\
# Coverage

Which feed is there for which market, written from the rows of `p9/venues` (`python -m p9.coverage > docs/coverage.md`; a test compares). In topics and paths,
SYMBOL, FAMILY and INDEX stand for the venue's words. Intervals are the defaults.

● live and by REST · ◐ live only · ○ by REST only · – the venue has none, or not in public
"""


class Cell(msgspec.Struct, frozen=True):
    """One feed of one market. `why`: it has none."""

    live: tuple[str, ...] = ()
    rest: tuple[str, ...] = ()
    why: str = ""

    @property
    def sign(self) -> str:
        return "●" if self.live and self.rest else "◐" if self.live else "○" if self.rest else "–"


class Feed(msgspec.Struct, frozen=True):
    """One line of the table. `channels` are alive wherever there is the feed, `occasions` when there is cause. `note`: what a reader must know of all markets."""

    name: str
    channels: tuple[str, ...]
    cell: Callable[[Market], Cell]
    note: str = ""
    occasions: tuple[str, ...] = ()


def _sample(row: Market) -> Instrument:
    """An instrument of the market's usual kind, whose names are placeholders."""
    names = [name.split("-") for name in row.default_symbols] or [["A", "B"]]
    kind = "spot" if len(names[0]) == 2 else "perpetual" if names[0][2] == PERPETUAL else "future"
    return Instrument(
        exchange=row.exchange, market=row.name, symbol="A-B", venue_symbol="SYMBOL", base="A", quote="B", settle="B", kind=kind, tick="1", step="1",
        family="FAMILY", index="INDEX",
    )  # fmt: skip


def _missing(row: Market, kind: str) -> str:
    return row.missing.get(kind, "")


def of_topics(kind: str, rest: Callable[[Market], Iterable[str]] = lambda row: ()) -> Callable[[Market], Cell]:
    """A feed of the hot path: the market's topics of a kind, and what repairs or fills them."""

    def cell(row: Market) -> Cell:
        names = tuple(dict.fromkeys(topic(form, "SYMBOL").name for form in row.topics if form.kind == kind))
        return Cell(names, tuple(rest(row)) if names else (), "" if names else _missing(row, kind))

    return cell


def of_facts(section: str, kind: str = "", paths: tuple[str, ...] = ()) -> Callable[[Market], Cell]:
    """A feed of polls and cold topics. `paths`: only the questions that end so, and only live topics that name one of them."""

    def cell(row: Market) -> Cell:
        roster, every_s = Roster([_sample(row)]), float(getattr(Config().analytics, section).poll_interval)
        rest, live = {}, {}
        for poll in row.polls:
            if poll.kind == section:
                for request in poll.requests(row, roster):
                    if not paths or request.path.endswith(paths):
                        rest[f"{request.path} {Seconds(every_s * poll.every)}"] = None
        for form in row.live:
            if section in form.kinds:
                live |= {name: None for name in form.topics(row, roster) if not paths or any(path in name for path in paths)}
        return Cell(tuple(live), tuple(rest), "" if rest or live else _missing(row, kind or section))

    return cell


def blocks(row: Market) -> Cell:
    """Of the hot path, or beside it."""
    hot = of_topics("blocks")(row)
    roster = Roster([_sample(row)])
    live = (*hot.live, *(name for form in row.live if "block_trades" in form.kinds for name in form.topics(row, roster)))
    return Cell(live, why="" if live else hot.why)


def orders(row: Market) -> Cell:
    """What a private stream tells."""
    account = next((account for account in accounts_of(row.exchange) if row.name in account.markets), None)
    if account is None:
        return Cell(why=_missing(row, "orders"))
    key = account.listen_key
    asked = (f"{key.request.method} {key.request.path} {Seconds(key.every_s)}",) if key is not None else ()
    history = account.reconcile.paths if account.reconcile is not None else ()
    live = account.topics or (f"{account.path}/(listen key)" if key is not None else f"{account.path} executionReport",)
    return Cell(live, (*asked, *history))


def instruments(row: Market) -> Cell:
    pushed = of_facts("reference", paths=("contractInfo", "instruments"))(row).live
    every = Config().analytics.reference.instruments_interval
    return Cell(pushed, (f"{row.venue.instruments_request(row).path} {every}",))


def of_history(kind: str) -> Callable[[Market], Cell]:
    def cell(row: Market) -> Cell:
        history = history_of(row)
        series, archive = history.series.get(kind), history.archives.get(kind)
        if series is None and archive is None:
            return Cell(why=history.missing.get(kind, ""))
        told = []
        if series is not None:
            request = f"{series.page} rows a page"
            told.append(request + (f"; {series.limits}" if series.limits else ""))
        if archive is not None:
            told.append("archive of whole " + ("months" if archive.monthly else "days"))
        return Cell(rest=tuple(told))

    return cell


def _image(row: Market) -> list[str]:
    return [f"{row.venue.image_request(row, 'SYMBOL', max(row.image_depths)[0]).path} ({max(row.image_depths)[0]} levels)"]


def _fills(row: Market) -> list[str]:
    form = next(form for form in row.topics if form.kind == "trades")
    request = row.venue.trades_request(row, form, "SYMBOL", None)
    return [request.path] if request is not None else []


def _full_book(row: Market) -> Cell:
    return Cell(rest=(row.venue.full_book_request(row, "SYMBOL").path,))


FEEDS = (
    Feed("Order book", ("depth", "snapshots", "liquidity", "momentum", "integrity"), of_topics("depth", _image), occasions=("signals", "spoofing", "audits")),
    Feed("Order book: as deep as the venue has it", (), _full_book, "Asked for when somebody asks: `GET /books/{exchange}/{symbol}?full`."),
    Feed("Best bid and ask", ("book_ticker",), of_topics("best")),
    Feed(
        "Trades", ("trades", "candles", "candles_open", "cvd", "flow"), of_topics("trades", _fills),
        "REST fills what was missed, as far as the venue remembers.", ("block_trades", "stop_triggers", "gaps"),
    ),
    Feed("Liquidations", (), of_topics("liquidations"), "No venue promises all of them; the first one's are a sample of one a second and symbol.", ("liquidations",)),
    Feed(
        "Block trades", (), blocks, "Prints over the adaptive threshold are told of every market; this is about what the venues mark themselves.",
        ("block_trades",),
    ),
    Feed("Deleveraging", (), of_facts("adl"), "The first venue tells how likely it is, the others whether it is under way.", ("adl",)),
    Feed(
        "One's own stop orders", (), orders,
        "With a key of one's own; nobody tells those of others. By REST, what was triggered while the stream was lost. Runs of others' stops are inferred from trades on every market.",
        ("stop_triggers",),
    ),
    Feed("Mark and index price", ("mark_price",), of_facts("mark_price")),
    Feed("Funding", ("funding",), of_facts("funding")),
    Feed("Open interest", ("open_interest",), of_facts("open_interest")),
    Feed("Insurance fund", ("insurance_fund",), of_facts("insurance_fund_monitor", "insurance_fund"), occasions=("insurance_alerts",)),
    Feed("Reference: instruments", ("reference",), instruments),
    Feed("Reference: risk and fees", ("reference",), of_facts("reference", "risk", ("symbolAdlRisk", "risk-limit", "price-limit", "fee-group-info", "position-tiers"))),
    Feed("Reference: status and calendar", ("reference",), of_facts("reference", "status", ("system/status", "system.status", "tradingSchedule", "status"))),
)  # fmt: skip
HISTORY = tuple(Feed(f"History: {kind.replace('_', ' ')}", ("backfill",), of_history(kind)) for kind in HISTORY_KINDS)


def kinds_of(row: Market, *, occasions: bool = False) -> set[str]:
    """First words of the channels that the market has: those that are alive whatever happens, or those that need a cause."""
    return {kind for feed in FEEDS if feed.cell(row).sign != "–" for kind in (feed.occasions if occasions else feed.channels)}


def rows() -> list[Market]:
    """The markets that are captured live."""
    return [market(name) for name in Venues().markets()]


def render() -> str:
    some = rows()
    lines = [HEADER, "| feed | " + " | ".join(row.name.replace("_", " ") for row in some) + " |", "|---|" + "---|" * len(some)]
    for feed in (*FEEDS, *HISTORY):
        lines.append(f"| {feed.name} | " + " | ".join(feed.cell(row).sign for row in some) + " |")
    for feed in FEEDS:
        lines += ["", f"## {feed.name}", "", " ".join(filter(None, (_channels(feed), feed.note))), ""]
        lines += ["| market | live | by REST |", "|---|---|---|"]
        for row in some:
            cell = feed.cell(row)
            lines.append(f"| `{row.name}` | {_codes(cell.live) if not cell.why else cell.why} | {_codes(cell.rest)} |")
    lines += ["", "## History", "", "By `p9_microstream backfill` ([history.md](history.md)).", "", "| kind | market | |", "|---|---|---|"]
    for feed, kind in zip(HISTORY, HISTORY_KINDS, strict=True):
        for row in some:
            cell = feed.cell(row)
            lines.append(f"| `{kind}` | `{row.name}` | {cell.why or '; '.join(cell.rest)} |")
    lines += ["", "## Options", "", "Channel: `options_iv`, by coin.", "", "| venue | live | by REST |", "|---|---|---|"]
    every_s = float(Config().analytics.options_iv_monitor.poll_interval)
    for exchange in dict.fromkeys(row.exchange for row in some):
        if find_spec(f"p9.venues.{exchange}_options") is not None:
            form = options_of(exchange)
            sample = msgspec.structs.replace(_sample(form.market), kind="option", symbol="A-B-1-C", strike="1", option_type="C", expires_ns=1)
            live = tuple(dict.fromkeys(each.name for each in form.topics([sample])))
            rest = tuple(f"{request.path} {Seconds(every_s * poll.every)}" for poll in form.polls for request in poll.requests(form.market, [sample]))
            lines.append(f"| `{form.market.name}` | {_codes(live)} | {_codes(rest)} |")
    return "\n".join(lines) + "\n"


def _channels(feed: Feed) -> str:
    parts = [f"Channels: {_codes(feed.channels)}" if feed.channels else "", f"{'when there is cause' if feed.channels else 'Channel, when there is cause'}: {_codes(feed.occasions)}" if feed.occasions else ""]
    return "; ".join(filter(None, parts)) + ("." if any(parts) else "")


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    print(render(), end="")
