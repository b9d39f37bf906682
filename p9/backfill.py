"""The backfill command: history of a venue into files, page by page, verified, within its limits, and to be gone on with after any interruption."""

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from p9.config import Config
from p9.errors import ConfigError, P9Error, Remedy
from p9.history import KINDS, POSITIONING, Kind, history_of, moment, told
from p9.instrument import Instrument
from p9.ops import logs
from p9.ops.progress import Progress
from p9.venue import Market, markets

ALL = ("all", "positioning")
FORMATS = ("csv", "jsonl", "parquet")
SUFFIX = {"csv": ".csv.gz", "jsonl": ".jsonl.gz", "parquet": ".parquet"}
DEFAULT_TIMEFRAME = {"candles": "1m", "mark_price": "1m", "index_price": "1m", "premium": "1m", **dict.fromkeys(POSITIONING, "5m")}

log = logs.get("backfill")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=(*KINDS, *ALL), metavar="KIND", help=f"{', '.join((*KINDS, *ALL))}")
    parser.add_argument("exchange", help="the venue")
    parser.add_argument("symbols", nargs="+", metavar="SYMBOL", help="ours (BTC-USDT-PERP) or the venue's own")
    parser.add_argument("--market", default="", help="where the venue's own symbol is one of several markets, by its name (venue_line)")
    parser.add_argument("--from", dest="since", required=True, metavar="TIME", help="the first moment that is wanted, UTC: 2026-11-01, 2026-11-01T12:30")
    parser.add_argument("--to", dest="until", default="", metavar="TIME", help="the first that is not; without it: now")
    parser.add_argument("--timeframe", default="", help="of candles and computed prices (1m), and of positions (5m)")
    parser.add_argument("--format", default="csv", choices=FORMATS, help="csv and jsonl are compressed; parquet needs the extra p9-microstream[parquet]")
    parser.add_argument("--source", default="auto", choices=("auto", "rest", "archive"), help="auto: whole days from the venue's archive, the rest by REST")
    parser.add_argument("--out", type=Path, default=Path(), metavar="PATH", help="a folder, or the file's name where only one comes out")


async def run(options: argparse.Namespace, config: Config, endpoints: dict[str, dict[str, str]] | None) -> int:
    """0: whole, 1: with holes that the venue leaves, 3: interrupted; the same command goes on."""
    from p9.market.rest import RestClient
    from p9.thresholds import rest_of

    since_ns = moment(options.since)
    until_ns = moment(options.until) if options.until else 0
    progress = Progress()
    holes = 0
    try:
        async with RestClient(options.exchange, settings=rest_of(config)) as client:
            for market, instrument in await _instruments(client, options, config, endpoints):
                for kind in _kinds(options.kind, market):
                    holes += await _harvest(client, market, instrument, kind, since_ns, until_ns, options, config, endpoints, progress)
    except P9Error as error:
        if error.remedy is Remedy.STOP:
            raise
        progress.clear()
        print(f"error: {error}\nThe same command goes on from here.", file=sys.stderr)
        return 3
    finally:
        progress.clear()
    return 1 if holes else 0


def _kinds(wanted: str, market: Market) -> list[Kind]:
    if wanted not in ALL:
        return [wanted]  # type: ignore[list-item]
    return [kind for kind in (POSITIONING if wanted == "positioning" else KINDS) if kind in history_of(market).series]


async def _instruments(client: Any, options: argparse.Namespace, config: Config, endpoints: Any) -> list[tuple[Market, Instrument]]:
    """The market and the row of each symbol. Raises ConfigError for what is not to be found."""
    from p9.market.instruments import Instruments, load

    rows = markets(options.exchange)
    if not rows:
        raise ConfigError(f"{options.exchange} is no venue that we know", where="EXCHANGE", hint=", ".join(config.venues.__struct_fields__))
    if options.market and options.market not in rows:
        raise ConfigError(f"{options.exchange} has no market {options.market!r}", where="--market", hint=", ".join(rows))
    known = Instruments(options.exchange)
    found: dict[str, tuple[Market, Instrument]] = {}
    for name, row in rows.items():
        if len(found) == len(options.symbols):
            break
        if (options.market and name != options.market) or not history_of(row).series:
            continue
        row = _at(row, config, endpoints)
        await load(client, row, known)
        for symbol in options.symbols:
            instrument = known.find(name, symbol)
            if instrument is not None and symbol not in found:
                found[symbol] = (row, instrument)
    unknown = [symbol for symbol in options.symbols if symbol not in found]
    if unknown:
        looked = [options.market] if options.market else [name for name, row in rows.items() if history_of(row).series]
        near = [row.reason for name in looked for row in known.select(name, unknown)[1] if "did you mean" in row.reason]
        raise ConfigError(f"{options.exchange} has no {', '.join(unknown)}", where="SYMBOL", hint="; ".join(dict.fromkeys(near)) or "symbols are BTC-USDT-PERP")
    return [found[symbol] for symbol in options.symbols]


def _at(row: Market, config: Config, endpoints: dict[str, dict[str, str]] | None) -> Market:
    if endpoints is not None:
        return row.at(endpoints[row.name]["rest"])
    section = config.venues.markets().get(row.name)
    return row.at(section.rest_url) if section is not None else row


def _archive_url(row: Market, config: Config, endpoints: dict[str, dict[str, str]] | None) -> str:
    """Where the venue's files are; nowhere, where its REST is somewhere else than the venue's own."""
    if endpoints is not None:
        return endpoints[row.name].get("archive", "")
    section = config.venues.markets().get(row.name)
    if section is not None and (section.archive_url or section.rest_url):
        return section.archive_url
    return history_of(row).archive_url


async def _harvest(
    client: Any, market: Market, instrument: Instrument, kind: Kind, since_ns: int, until_ns: int, options: argparse.Namespace, config: Config,
    endpoints: Any, progress: Progress,
) -> int:  # fmt: skip
    """One file. How many holes it has."""
    from p9.market.archive import Archives
    from p9.market.harvest import Harvest, Order, checked

    history = history_of(market)
    timeframe = (options.timeframe or DEFAULT_TIMEFRAME[kind]) if kind in DEFAULT_TIMEFRAME else ""
    order = Order(kind, since_ns, until_ns or time.time_ns() // 10**9 * 10**9, timeframe, options.format, options.source)
    series, archive = checked(order, history, market.name)
    assert series is not None
    if not until_ns:
        order = msgspec.structs.replace(order, until_ns=_interrupted(options.out, market, instrument, order) or order.until_ns)
    path = _path(options, market, instrument, order)
    url = _archive_url(market, config, endpoints) if archive is not None else ""
    if series.limits:
        print(f"{market.name} {kind}: {series.limits}", flush=True)
    async with contextlib.AsyncExitStack() as stack:
        archives = await stack.enter_async_context(Archives(url)) if url else None
        harvest = Harvest(order, market, instrument, history, client, path, now_ns=time.time_ns, archives=archives, log=_said(progress))
        watching = asyncio.create_task(_watch(progress, harvest, f"{instrument.symbol} {kind}"))
        try:
            manifest = await harvest.run()
        finally:
            watching.cancel()
    progress.clear()
    span = f"{told(manifest.first_ns)} to {told(manifest.last_ns)}" if manifest.first_ns is not None and manifest.last_ns is not None else "nothing"
    odd = {name: n for name, n in harvest.counts.items() if name not in ("pages", "rows") and n}
    print(
        f"{path}: {manifest.rows:,} rows, {span}; {len(manifest.holes)} holes{_first_of(manifest.holes)}; sha256 {manifest.sha256}"
        + (f"; {', '.join(f'{name} {n}' for name, n in sorted(odd.items()))}" if odd else ""),
        flush=True,
    )
    return len(manifest.holes)


def _first_of(holes: list[Any]) -> str:
    return f" ({'; '.join(map(str, holes[:3]))}{' …' if len(holes) > 3 else ''})" if holes else ""


def _said(progress: Progress) -> Callable[..., None]:
    def say(event: str, **more: Any) -> None:
        progress.clear()
        log.warning(event, **more)

    return say


async def _watch(progress: Progress, harvest: Any, name: str) -> None:
    while True:
        await asyncio.sleep(0.25)
        holes = f", {len(harvest.holes)} holes" if harvest.holes else ""
        progress.show(harvest.share, f"{name} {told(harvest.position.time // 10**9 * 10**9)}", f"{harvest.rows:,} rows{holes}")


def _name(market: Market, instrument: Instrument, order: Any) -> str:
    parts = [market.name, instrument.symbol, order.kind, *([order.timeframe] if order.timeframe else [])]
    parts += [told(at_ns).replace(":", "").replace("T000000Z", "") for at_ns in (order.since_ns, order.until_ns)]
    return "_".join(parts) + SUFFIX[order.form]


def _path(options: argparse.Namespace, market: Market, instrument: Instrument, order: Any) -> Path:
    """Raises ConfigError where one name is given for several files."""
    out: Path = options.out
    if out.is_dir() or not out.suffix:
        return out / _name(market, instrument, order)
    if len(options.symbols) > 1 or options.kind in ALL:
        raise ConfigError(f"{out} is one file, and several come out", where="--out", hint="name a folder")
    return out


def _interrupted(out: Path, market: Market, instrument: Instrument, order: Any) -> int:
    """The end of a run without an end that was interrupted in this folder; 0 if there is none."""
    from p9.market.history_file import Checkpoint

    folder = out if out.is_dir() or not out.suffix else out.parent
    wanted = {"market": market.name, "symbol": instrument.symbol, "kind": order.kind, "timeframe": order.timeframe, "since_ns": order.since_ns, "form": order.form}
    for note in sorted(folder.glob("*.checkpoint")) if folder.is_dir() else ():
        try:
            known = msgspec.json.decode(note.read_bytes(), type=Checkpoint).identity
        except (OSError, msgspec.DecodeError):
            continue
        if all(known.get(name) == value for name, value in wanted.items()):
            return int(known["until_ns"])
    return 0
