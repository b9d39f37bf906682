"""The fuse command: files of history of one instrument and kind on one timeline, with what the sources tell differently."""

import argparse
import sys
from pathlib import Path
from typing import Any

import msgspec

from p9.errors import ConfigError
from p9.history import SECONDS, Row, TradeRow, history_of
from p9.venue import market

SOURCES = {"live": "what was seen live", "gapfill": "what was fetched", "archive": "what the venue published: the last word"}
BATCH_ROWS = 1_000
SAME = ("exchange", "market", "symbol", "kind", "timeframe")


class Report(msgspec.Struct):
    """What became of it, beside the file as `.fusion.json`."""

    watermark: str | None
    rows: int
    shared: int
    conflicts: int
    told_conflicts: list[Any]
    seams: list[Any]
    segments: list[Any]
    holes: list[Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    for source, text in SOURCES.items():
        parser.add_argument(f"--{source}", type=Path, nargs="+", default=[], metavar="FILE", help=f"{text}: a file of `backfill`")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the timeline, as .csv.gz or .jsonl.gz")


def run(options: argparse.Namespace) -> int:
    """0: whole and of one mind, 1: with holes or conflicts; the same command goes on after an interruption."""
    from p9.market.fusion import Fusion, Source
    from p9.market.history_file import Form, HistoryFile, finished, read, write_through

    files = [(Source[name.upper()], path) for name in SOURCES for path in getattr(options, name)]
    if not files:
        raise ConfigError("there is nothing to fuse", where="fuse", hint="name files with --live, --gapfill, --archive")
    manifests = [_manifest(path) for _, path in files]
    of = {name: manifests[0].identity.get(name) for name in SAME}
    for (_, path), manifest in zip(files, manifests, strict=True):
        if {name: manifest.identity.get(name) for name in SAME} != of:
            raise ConfigError(f"{path} is of another instrument, kind or timeframe than {files[0][1]}", where="fuse")
    series = history_of(market(of["market"])).series[of["kind"]]
    row: type[Row] = series.row
    step_ns = SECONDS[of["timeframe"]] * 10**9 if of["timeframe"] else 0
    fusion = Fusion(step_ns=0 if series.sparse else step_ns, numbered=row is TradeRow and series.locate is not None)
    form: Form = "jsonl" if ".jsonl" in options.out.suffixes else "csv"
    identity = of | {"form": form, "fused": [f"{source.name.lower()} {manifest.sha256}" for (source, _), manifest in zip(files, manifests, strict=True)]}
    report_path = options.out.with_name(options.out.name + ".fusion.json")
    manifest = finished(options.out)
    if manifest is not None and manifest.identity == identity and report_path.exists():
        report = msgspec.json.decode(report_path.read_bytes(), type=Report)
        print(f"{options.out}: {report.rows:,} rows, fused before; {report.conflicts} conflicts, {len(report.holes)} holes")
        return 1 if report.conflicts or report.holes else 0
    sources = [(source, read(path, row)) for source, path in files]
    if manifest is not None and manifest.identity == identity:  # only what is said of it is missing
        for _ in fusion.fuse(sources):
            pass
    else:
        file = HistoryFile(options.out, identity, form, row, step_ns=step_ns, by_id=fusion.numbered)
        file.open()
        try:
            _write(file, fusion, sources)
            manifest = file.finish(fusion.holes)
        finally:
            file.close()
    counts = fusion.counts
    report = Report(
        fusion.watermark, counts["rows"], counts["shared"], counts["conflicts"], fusion.conflicts, fusion.seams, fusion.segments, fusion.holes
    )
    write_through(report_path, msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    for conflict in fusion.conflicts[:10]:
        print(f"conflict at {conflict.key}: {conflict.earlier} and {conflict.later} differ in {conflict.detail}", file=sys.stderr)
    for seam in fusion.seams[:10]:
        if not seam.proven:
            print(f"seam at {seam.key}: {seam.before} and {seam.after} share {seam.overlap} rows only", file=sys.stderr)
    print(
        f"{options.out}: {manifest.rows:,} rows, {counts['shared']:,} of them from several sources; {counts['conflicts']} conflicts, {len(fusion.holes)} holes; "
        f"whole to {fusion.watermark}; sha256 {manifest.sha256}"
    )
    return 1 if counts["conflicts"] or fusion.holes else 0


def _manifest(path: Path) -> Any:
    from p9.market.history_file import finished

    manifest = finished(path)
    if manifest is None:
        raise ConfigError(f"{path} is no finished file of backfill", where="fuse", hint="its .manifest.json must stand beside it, and fit it")
    return manifest


def _write(file: Any, fusion: Any, sources: Any) -> None:
    """The rows that are not on disk yet: the same files fuse the same way each time."""
    done, n = file.checkpoint.rows, 0
    batch: list[Row] = []
    for fused in fusion.fuse(sources):
        n += 1
        if n <= done or file.checkpoint.done:
            continue
        batch.append(fused.row)
        if len(batch) >= BATCH_ROWS:
            file.add(batch, fusion.holes)
            batch = []
    if batch:
        file.add(batch, fusion.holes)
