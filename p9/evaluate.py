"""The evaluate command: recordings through the very same road, every signal scored against what the price did after it (docs/evaluation.md)."""

import argparse
import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
from cext.clock import Clock
from cext.outbox import Outbox
from cext.pipeline import Pipeline

from p9.capture.replay import TICK_NS, Replay
from p9.config import Config, Seconds
from p9.errors import ConfigError
from p9.publication import ROWS
from p9.replay import Road, recognised, referenced, told_market
from p9.venue import market

REPORT = Path("evaluation.html")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", type=Path, nargs="+", metavar="RECORDING")
    parser.add_argument("--market", help="of lines that do not tell it, by its name (venue_line)")
    parser.add_argument("--step", default="500ms", metavar="TIME", help="between two samples, a multiple of 50ms (500ms)")
    parser.add_argument("--seed", type=int, default=1, help="of the bootstrap: the same gives the same figures (1)")
    parser.add_argument("--each", action="store_true", help="a table of each instrument too; the report always has them")
    parser.add_argument("--out", type=Path, default=REPORT, metavar="FILE", help=f"the report with its pictures, in one file ({REPORT})")


async def run(options: argparse.Namespace, config: Config) -> int:
    """Print the table and one line of JSON. 0: done, whatever the figures say; 1: there was no instrument in it."""
    need_numpy()
    from p9.evaluation import panel, report, table, verdict

    step_ns = _step_ns(options.step)
    if options.market is not None:
        market(options.market)
    began = time.perf_counter()
    replay, sampler = await sample(options.files, config, step_ns, options.market)
    tracks = [track for track in sampler.tracks if any(mid == mid for mid in track.mid)]
    if not tracks:
        print("error: no instrument's price is known from these recordings; lines that do not tell their market need --market", file=sys.stderr)
        return 1
    whole = panel.Panel(tracks, step_ns / 1e9)
    scopes = [verdict.judge(whole, verdict.POOLED, options.seed)]
    scopes += [verdict.judge(whole.only(row), track.name, options.seed) for row, track in enumerate(tracks)]
    told = scopes[1:] if len(tracks) == 1 else scopes if options.each else scopes[:1]  # of one instrument, all together says the same
    print(table.text(told))
    if len(told) == 1 and len(tracks) > 1:
        print(f"\neach of the {len(tracks)} instruments: --each, or the report")
    page = report.page(whole, scopes, [path.name for path in options.files], options.seed)
    try:
        options.out.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"the report cannot be written: {error.strerror}: {options.out}", where="--out") from None
    print(f"report: {options.out}")
    print(json.dumps({
        "lines": replay.lines, "instruments": len(tracks), "symbol_hours": round(whole.symbol_hours, 4), "sufficient": scopes[0].sufficient,
        "step_s": whole.step_s, "seed": options.seed, "missed_events": sampler.missed, "seconds": round(time.perf_counter() - began, 3),
        "report": str(options.out), "scopes": verdict.figures(told),
    }))  # fmt: skip
    return 0


def need_numpy() -> None:
    """Raises ConfigError with the remedy where NumPy is missing."""
    try:
        importlib.import_module("numpy")
    except ImportError:
        raise ConfigError(
            "evaluate needs NumPy, which is not here", where="evaluate",
            hint="pip install 'p9-microstream[evaluate]'; the executable never carries it: run it from the sources",
        ) from None  # fmt: skip


def _step_ns(text: str) -> int:
    step_ns = round(float(Seconds(text)) * 1e9)
    if step_ns <= 0 or step_ns % TICK_NS or step_ns > 10 * 10**9:
        raise ConfigError(f"found {text!r}, allowed are multiples of 50ms up to 10s", where="--step")
    return step_ns


def every_stream(config: Config) -> Config:
    """The same configuration with all streams on: a signal wants all its inputs."""
    sections = {row.section: msgspec.structs.replace(getattr(config.analytics, row.section), enabled=True) for row in ROWS}
    return msgspec.structs.replace(config, analytics=msgspec.structs.replace(config.analytics, **sections))


async def sample(files: list[Path], config: Config, step_ns: int, market_name: str | None = None) -> tuple[Replay, Any]:
    """Replay the files, dry; the Sampler that looked on."""
    from p9.evaluation.samples import Sampler

    clock = Clock(0)
    outbox = Outbox(clock, epoch=1)
    sampler = Sampler(outbox, step_ns)
    road = Road(every_stream(config), clock, outbox, depth=0)

    def add(pipeline: Pipeline, *named: Any) -> int:
        ix = road.add(pipeline, *named)
        sampler.meet(f"{pipeline.market} {named[0].decode('utf-8', 'replace')}", pipeline.streams(ix))
        return ix

    replay = Replay(clock=clock, pipeline_of=road.pipeline, market_of=told_market, add=add, look=sampler.look, settle=lambda: _forget(outbox))
    await replay.run(referenced(recognised(files, market_name), road))
    return replay, sampler


async def _forget(outbox: Outbox) -> None:
    """Nobody takes what was published: it is dropped, so that it does not pile up."""
    for lane in (0, 1):
        while outbox.take(lane) is not None:
            outbox.disconnected(lane)
            outbox.abandon(lane)
