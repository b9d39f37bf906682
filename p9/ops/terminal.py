"""How it goes, at the foot of a terminal: a table where there is room, one line where there is little. Without a terminal, nothing: the logs say it.

What else is written to standard error (log lines) goes above it: `attach` makes the view stand between.
"""

import os
import shutil
import sys
from collections.abc import Iterable
from typing import Any, TextIO

GREEN, YELLOW, RED, DIM, PLAIN = "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[2m", "\x1b[0m"
LEAST_ROWS_LEFT = 8  # for what is printed above


class Rates:
    """What was counted since the last look, a second."""

    def __init__(self) -> None:
        self._before: dict[str, float] = {}
        self._at_s = 0.0
        self._span_s = 1.0

    def at(self, now_s: float) -> None:
        """A new look."""
        self._span_s, self._at_s = max(now_s - self._at_s, 1e-3), now_s

    def of(self, name: str, count: float) -> float:
        before, self._before[name] = self._before.get(name, 0.0), count
        return (count - before) / self._span_s


class Cell:
    """Text of a table, with a colour that takes no room."""

    def __init__(self, text: Any, colour: str = ""):
        self.text, self.colour = str(text), colour

    def fitted(self, width: int, right: bool, coloured: bool) -> str:
        text = self.text[:width]
        text = text.rjust(width) if right else text.ljust(width)
        return f"{self.colour}{text}{PLAIN}" if coloured and self.colour else text


def table(rows: Iterable[tuple[Any, ...]], coloured: bool) -> list[str]:
    """Columns as wide as their widest cell, the first one to the left, the others to the right."""
    cells = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]
    widths = [max(len(row[n].text) for row in cells) for n in range(len(cells[0]))]
    return ["  ".join(cell.fitted(width, n > 0, coloured) for n, (cell, width) in enumerate(zip(row, widths, strict=True))) for row in cells]


class StatusView:
    """Rewrites itself in place. `clear()` before anything else is printed without `attach`."""

    def __init__(self, out: TextIO | None = None):
        self.out = out or sys.stderr
        self.shown = self.out.isatty()
        self.coloured = self.shown and "NO_COLOR" not in os.environ
        self._rates = Rates()
        self._lines: list[str] = []
        self._drawn = False

    def show(self, status: dict[str, Any], missing: Iterable[str] = ()) -> None:
        """Draw the appliance's status; `missing`: what keeps it from being ready."""
        self._rates.at(status["uptime_s"])
        lines = self.lines(status, list(missing))
        if not self.shown:
            return
        columns, rows = shutil.get_terminal_size()
        if len(lines) > rows - LEAST_ROWS_LEFT:
            lines = lines[:1]
        self._erase()
        self._lines = [_cut(line, columns - 1) for line in lines]
        self._draw()

    def clear(self) -> None:
        if self.shown:
            self._erase()
            self.out.flush()
            self._lines = []

    # A log's file.

    def write(self, text: str) -> int:
        self._erase()
        n = self.out.write(text)
        if text.endswith("\n"):
            self._draw()
        return n

    def flush(self) -> None:
        self.out.flush()

    def isatty(self) -> bool:
        return self.shown

    # What is drawn.

    def lines(self, status: dict[str, Any], missing: list[str]) -> list[str]:
        """The whole view: a line of totals first, then the markets, then delivery."""
        markets, delivery = status["markets"], status["delivery"]
        rate = self._rates.of
        books = [sum(market["books"].values()) for market in markets.values()]
        synced = sum(market["books"].get("synced", 0) for market in markets.values())
        frames = rate("frames", sum(market["frames"]["received"] for market in markets.values()))
        confirmed = rate("confirmed", sum(counts["confirmed"] for counts in delivery["classes"].values()))
        waiting = sum(counts["waiting"] for counts in delivery["classes"].values())
        gaps = sum(market["counters"]["gaps"] for market in markets.values())
        total = (
            f"books {synced}/{sum(books)} · {frames:,.0f} frames/s · {confirmed:,.0f} events/s confirmed · {waiting:,} waiting · {gaps} gaps · "
            f"up {_span(status['uptime_s'])}"
        )
        mood = self._coloured("ready", GREEN) if not missing else self._coloured(f"not ready: {missing[0]}", YELLOW)
        return [f"{total} · {mood}", *self._markets(markets), *self._delivery(delivery)]

    def _coloured(self, text: str, colour: str) -> str:
        return f"{colour}{text}{PLAIN}" if self.coloured else text

    def _markets(self, markets: dict[str, Any]) -> list[str]:
        rows: list[tuple[Any, ...]] = [tuple(Cell(name, DIM) for name in ("market", "books", "frames/s", "trades/s", "lag ms", "gaps", "sockets"))]
        for name, market in markets.items():
            synced, all_books = market["books"].get("synced", 0), sum(market["books"].values())
            lags = [topic["delay_ms"] for topic in market.get("delay", {}).get("topics", {}).values()]
            rows.append((
                name, Cell(f"{synced}/{all_books}", GREEN if synced == all_books else RED),
                f"{self._rates.of(f'{name} frames', market['frames']['received']):,.0f}",
                f"{self._rates.of(f'{name} trades', market['counters'].get('trades', 0)):,.0f}",
                f"{max(lags):,.1f}" if lags else "-", Cell(market["counters"]["gaps"], YELLOW if market["counters"]["gaps"] else ""),
                f"{market.get('sockets', {}).get('live', 0)}/{sum(market.get('sockets', {}).values())}",
            ))  # fmt: skip
        return table(rows, self.coloured)

    def _delivery(self, delivery: dict[str, Any]) -> list[str]:
        rows: list[tuple[Any, ...]] = [tuple(Cell(name, DIM) for name in ("class", "confirmed/s", "waiting", "on disk", "shed"))]
        for name, counts in delivery["classes"].items():
            shed = counts.get("shed", 0)
            rows.append((
                name, f"{self._rates.of(f'{name} confirmed', counts['confirmed']):,.0f}", f"{counts['waiting']:,}",
                f"{counts.get('waiting_on_disk', 0):,}", Cell(f"{shed:,}", RED if shed and name in ("CRITICAL", "HIGH") else ""),
            ))  # fmt: skip
        lanes = " · ".join(
            f"{name} {self._coloured('up', GREEN) if lane['connected'] else self._coloured('down', RED)}, circuit {lane['circuit']['state']}"
            for name, lane in delivery.get("lanes", {}).items()
        )
        return [*table(rows, self.coloured), *([f"bus: {lanes}"] if lanes else [])]

    def _erase(self) -> None:
        if self._drawn:
            self._drawn = False
            up = f"\x1b[{len(self._lines) - 1}A" if len(self._lines) > 1 else ""
            self.out.write(f"\r{up}\x1b[J")

    def _draw(self) -> None:
        if self._lines:
            self._drawn = True
            self.out.write("\n".join(self._lines))
            self.out.flush()


def _cut(line: str, width: int) -> str:
    """The first `width` signs of a line; its colours take none, and end with it."""
    out, n, at = [], 0, 0
    while at < len(line) and n < width:
        if line[at] == "\x1b":
            end = line.index("m", at) + 1
            out.append(line[at:end])
            at = end
            continue
        out.append(line[at])
        n, at = n + 1, at + 1
    return "".join(out) + (PLAIN if "\x1b" in line else "")


def _span(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return (f"{days}d " if days else "") + f"{hours}:{minutes:02d}:{rest:02d}"
