"""`p9_microstream snapshot`: a stored book as a ladder for people, or as one line of JSON."""

import argparse
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from p9.client.film import Snapshot, SnapshotDamaged, SnapshotMissing
from p9.errors import ConfigError
from p9.snapshots.moment import moment_ns, moment_text

SPANS_SHOWN = 10

LookUp = Callable[[str, str, int | None], Awaitable[Snapshot]]


async def show(options: argparse.Namespace, look_up: LookUp) -> int:
    """Print it; 1 where there is none, and which there are. Raises ConfigError for a time or a depth that is none."""
    if options.depth < 0:
        raise ConfigError(f"found {options.depth}, allowed is a number of levels, 0 for all", where="--depth")
    at_ns = moment_ns(options.at) if options.at else None
    try:
        snapshot = await look_up(options.exchange, options.symbol, at_ns)
    except SnapshotMissing as error:
        print(f"error: {error}", file=sys.stderr)
        for line in _spans(error.spans):
            print(line, file=sys.stderr)
        return 1
    except (SnapshotDamaged, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(msgspec.json.encode(snapshot.plain()).decode())
    else:
        print("\n".join(_ladder(snapshot.plain(options.depth))))
    return 0


def _spans(spans: list[tuple[int, int]]) -> list[str]:
    lines = [f"  {moment_text(first)} to {moment_text(last)}" for first, last in spans[-SPANS_SHOWN:]]
    if len(spans) > SPANS_SHOWN:
        lines.insert(0, f"  and {len(spans) - SPANS_SHOWN} stretches before that")
    return ["there is:", *lines] if lines else []


def _ladder(book: dict[str, Any]) -> list[str]:
    """Asks above bids, best beside best."""
    known = " ".join(f"{name} {book[name]}" for name in ("update_id", "depth_epoch", "depth_seq", "valid_bid", "valid_ask") if book[name] is not None)
    lines = [f"{book['exchange']} {book['symbol']} ({book['market']} {book['venue_symbol']}), taken {moment_text(book['taken_ns'])}", known]
    if "contract_unit" in book:
        lines.append(f"quantities are contracts of {book['contract_value']} {book['contract_unit']} coins")
    rows = [("ask", *level) for level in reversed(book["asks"])] + [("bid", *level) for level in book["bids"]]
    widths = [max((len(row[n]) for row in rows), default=0) for n in range(3)]
    return lines + [f"{side}  {price.rjust(widths[1])}  {amount.rjust(widths[2])}" for side, price, amount in rows]
