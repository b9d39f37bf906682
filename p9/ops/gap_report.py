"""`p9_microstream gaps`: the gap ledger as a table for people, or as JSON lines."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from p9.capture.ledger import Gap, read


def show(path: Path, options: argparse.Namespace) -> int:
    """Print the ledger at `path`, oldest first; 0, also when there is none."""
    gaps, bad = read(path)
    states = {state for state in ("open", "lost") if getattr(options, state)}
    gaps = [gap for gap in gaps if (not states or gap.state in states) and options.symbol in ("", gap.symbol)]
    if bad:
        print(f"{path}: {bad} lines could not be read and were left out", file=sys.stderr)
    if options.json:
        for gap in gaps:
            print(msgspec.json.encode(gap).decode())
        return 0
    if not gaps:
        print(f"no gaps in {path}" if path.exists() else f"no gaps: {path} is not there (nothing was missing, or the appliance never ran here)")
        return 0
    rows = [("noticed (UTC)", "market", "symbol", "what", "why", "missing", "became", "after", "fetched", "still unknown"), *map(_row, gaps)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _row(gap: Gap) -> tuple[str, ...]:
    noticed = datetime.fromtimestamp(gap.noticed_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    ids = "" if gap.first_id is None else f"{gap.first_id}..{gap.last_id} ({gap.missing})"
    after = "" if gap.settled_ns is None else f"{(gap.settled_ns - gap.noticed_ns) / 1e6:.0f} ms"
    unknown = ""
    if gap.state == "lost":
        unknown = ", ".join(f"{first}..{last}" for first, last in gap.left) if gap.left else f"{gap.kind} of that time"
    elif gap.state == "open":
        unknown = "all of it"
    return (noticed, gap.market, gap.symbol, gap.kind, gap.reason, ids, gap.state, after, str(gap.fetched) if gap.kind == "trades" else "", unknown)
