"""Pictures as SVG text of our own. Colours come from the page's variables, so that they follow light and dark."""

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from html import escape

import numpy as np

from p9.evaluation.panel import Panel
from p9.evaluation.samples import Episode
from p9.evaluation.score import Interval
from p9.evaluation.table import chance, number, seconds, span
from p9.evaluation.verdict import Score

WIDTH = 960
LEFT = 124  # where names of signals end
LANE = 19
ROUND_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
ROUND_LIFE_S = (0.001, 0.01, 0.1, 1, 10, 60, 600, 3600, 21600, 86400, 604800)
MOST_TIMES = 8
MOST_POINTS = 900
SHORTEST_BAR = 1.5  # pixels: what is shorter is drawn so long


def _svg(width: float, height: float, parts: Iterable[str], label: str) -> str:
    return f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "middle") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _rect(x: float, y: float, width: float, height: float, kind: str, title: str = "") -> str:
    told = f"<title>{escape(title)}</title>" if title else ""
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}">{told}</rect>'


def _dot(x: float, y: float, kind: str, title: str, r: float = 4.0) -> str:
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{r:g}"><title>{escape(title)}</title></circle>'


def round_steps(low: float, high: float, about: int) -> list[float]:
    """Round numbers from low to high, about so many."""
    if not high > low:
        return [low]
    raw = (high - low) / about
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= 0.9 * raw)
    return [i * step for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def price(panel: Panel, row: int, signals: Sequence[str]) -> str:
    """The mid, and below it when each signal was in force, by its direction."""
    mid, n = panel.mid[row], len(panel.at)
    top, height, right = 12, 230, WIDTH - 12
    low, high = float(np.nanmin(mid)), float(np.nanmax(mid))
    pad = (high - low) * 0.06 or high * 1e-4
    low, high = low - pad, high + pad

    def x(column: float) -> float:
        return LEFT + (right - LEFT) * column / max(n - 1, 1)

    def y(value: float) -> float:
        return top + height * (high - value) / (high - low)

    foot = top + height + 14 + LANE * len(signals)
    parts = []
    places = round_steps(low, high, 5)
    decimals = max(0, -math.floor(math.log10(places[1] - places[0]) + 1e-9)) if len(places) > 1 else 2
    for value in places:
        parts += [_line(LEFT, y(value), right, y(value), "grid"), _text(LEFT - 8, y(value) + 4, f"{value:,.{decimals}f}", "soft", "end")]
    for column, label in _times(panel):
        parts += [_line(x(column), top, x(column), foot, "grid"), _text(x(column), foot + 16, label, "soft")]
    for cut in np.flatnonzero(np.diff(panel.piece)) + 1:
        parts.append(_line(x(cut - 0.5), top, x(cut - 0.5), foot, "cut"))
    parts.append(f'<path class="mid" d="{_path(mid, panel.piece, x, y)}"/>')
    for place, signal in enumerate(signals):
        centre = top + height + 14 + LANE * (place + 0.5)
        parts += [_text(LEFT - 8, centre + 4, signal, "name", "end"), _line(LEFT, centre, right, centre, "grid")]
        parts += _bars(panel, [episode for episode in panel.episodes[row] if episode.signal == signal], x, centre)
    return _svg(WIDTH, foot + 24, parts, f"price of {panel.names[row]} and when each signal was in force")


def _path(mid: np.ndarray, piece: np.ndarray, x: Callable[[float], float], y: Callable[[float], float]) -> str:
    """Least and greatest of each pixel's columns; a new stroke after a hole."""
    size = max(1, -(-2 * len(mid) // MOST_POINTS))
    words, pen_up, last = [], True, -1
    for start in range(0, len(mid), size):
        part = mid[start : start + size]
        known = np.flatnonzero(np.isfinite(part))
        if not len(known) or piece[start] != last:
            pen_up, last = True, piece[start]
        if not len(known):
            continue
        for k in sorted({int(known[np.argmin(part[known])]), int(known[np.argmax(part[known])])}):
            words.append(f"{'M' if pen_up else 'L'}{x(start + k):.1f} {y(float(part[k])):.1f}")
            pen_up = False
    return "".join(words)


def _bars(panel: Panel, episodes: Sequence[Episode], x: Callable[[float], float], centre: float) -> list[str]:
    """One bar an episode; those of one direction (ups above the line, downs below it) that touch on the screen are one bar."""
    bars: list[list[float]] = []
    newest: dict[int, list[float]] = {}
    step_ns = panel.step_s * 1e9
    end_ns = (int(panel.at[-1]) + 1) * step_ns
    since_ns = np.array([episode.since_ns for episode in episodes], float)
    until_ns = since_ns + np.array([end_ns if episode.life_ns is None else episode.life_ns for episode in episodes], float)
    starts, stops = np.searchsorted(panel.at.astype(float), np.stack([since_ns, np.minimum(until_ns, end_ns)]) / step_ns)
    for episode, start, stop in zip(episodes, starts, stops, strict=True):
        left, right = x(start), max(x(stop), x(start) + SHORTEST_BAR)
        bar = newest.get(episode.direction)
        if bar is not None and left - bar[1] < 0.5:
            bar[1] = max(bar[1], right)
            bar[3] += 1
        else:
            newest[episode.direction] = bar = [left, right, episode.direction, 1]
            bars.append(bar)
    out = []
    for left, right, direction, count in bars:
        word = "up" if direction > 0 else "down"
        out.append(_rect(left, centre - 6 if direction > 0 else centre, right - left, 6, word, f"{word}{f', {count:g} times' if count > 1 else ''}"))
    return out


def _times(panel: Panel) -> list[tuple[int, str]]:
    """Columns at round times, and what to call them."""
    long_s = len(panel.at) * panel.step_s
    every = next((size for size in ROUND_S if long_s / size <= MOST_TIMES), -(-long_s // (MOST_TIMES * 86_400)) * 86_400)
    form = "%H:%M:%S" if every < 60 else "%H:%M" if long_s <= 86_400 else "%m-%d %H:%M"
    columns = np.flatnonzero((panel.at * round(panel.step_s * 1000)) % round(every * 1000) == 0)
    return [(int(column), datetime.fromtimestamp(int(panel.at[column]) * panel.step_s, UTC).strftime(form)) for column in columns]


def coefficients(scores: Sequence[Score]) -> str:
    """The information coefficient by horizon, one field a signal: dot and interval, before what turned time reaches."""
    columns, gap, top, height = 3, 18, 28, 128
    width = (WIDTH - gap * (columns - 1)) / columns
    reach = max([0.1, *(abs(edge) for score in scores for row in score.coefficients if row.ic is not None and row.interval and row.null
                        for edge in (row.ic, row.interval.low, row.interval.high, row.null.band.low, row.null.band.high))])  # fmt: skip
    reach = min(1.0, reach * 1.15)
    parts = []
    for place, score in enumerate(scores):
        left, head = (place % columns) * (width + gap), (place // columns) * (height + top + 34)
        inner, centre = left + 38, head + top + height / 2
        each = (width - 38) / len(score.coefficients)
        parts += [_text(left, head + 14, score.signal, "name", "start"), _text(left + width, head + 14, score.verdict, "soft", "end")]
        i_own = next(i for i, row in enumerate(score.coefficients) if row.horizon_s == score.horizon_s)
        parts.append(_rect(inner + each * i_own, head + top, each, height, "own"))
        for value in round_steps(-reach, reach, 4):
            y = centre - value / reach * height / 2
            parts += [
                _line(inner, y, left + width, y, "zero" if abs(value) < 1e-9 else "grid"),
                _text(inner - 6, y + 4, f"{value:+.2g}" if value else "0", "soft", "end"),
            ]
        for i, row in enumerate(score.coefficients):
            x = inner + each * (i + 0.5)
            own = row.horizon_s == score.horizon_s
            parts.append(_text(x, head + top + height + 16, seconds(row.horizon_s), "name" if own else "soft"))
            if row.ic is None or row.null is None:
                parts.append(f"<g><title>{escape(row.why)}</title>{_text(x, centre - 5, '–', 'soft')}</g>")
                continue

            def y(value: float, centre: float = centre) -> float:
                return centre - max(-1.0, min(1.0, value / reach)) * height / 2

            band = row.null.band
            parts.append(_rect(x - each * 0.34, y(band.high), each * 0.68, y(band.low) - y(band.high), "band", f"turned time: {span(band, '+.3f')}"))
            if row.interval is not None:
                parts.append(_line(x, y(row.interval.low), x, y(row.interval.high), "interval"))
            told = f"{seconds(row.horizon_s)}: {number(row.ic)}, {span(row.interval, '+.3f')}, p {chance(row.null.p)}, {row.pairs:,} pairs"
            parts.append(_dot(x, y(row.ic), "dot", told))
    rows = -(-len(scores) // columns)
    return _svg(WIDTH, rows * (height + top + 34) - 8, parts, "information coefficient by horizon")


def hit_rates(scores: Sequence[Score]) -> str:
    """Share of begins whose direction the price took, with its interval, and what chance gives."""
    right, each, top = WIDTH - 150, 26, 8

    def x(share: float) -> float:
        return LEFT + (right - LEFT) * share

    foot = top + each * len(scores)
    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts += [_line(x(share), top, x(share), foot, "zero" if share == 0.5 else "grid"), _text(x(share), foot + 16, f"{share:.0%}", "soft")]
    for place, score in enumerate(scores):
        y, hits = top + each * (place + 0.5), score.hits
        parts.append(_text(LEFT - 8, y + 4, score.signal, "name", "end"))
        if hits.interval is None or hits.rate is None:
            parts.append(_text(right + 12, y + 4, f"no begins at {seconds(score.horizon_s)}", "soft", "start"))
            continue
        parts.append(
            _rect(x(hits.interval.low), y - 4, x(hits.interval.high) - x(hits.interval.low), 8, "band", f"95 %: {span(hits.interval, '.0%')}")
        )
        if hits.chance is not None:
            parts.append(_line(x(hits.chance), y - 8, x(hits.chance), y + 8, "chance"))
        parts.append(_dot(x(hits.rate), y, "dot", f"{hits.rate:.1%} of {hits.n}"))
        parts.append(_text(right + 12, y + 4, f"{hits.hits} of {hits.n} at {seconds(score.horizon_s)}", "soft", "start"))
    return _svg(WIDTH, foot + 24, parts, "hit rates")


def lifetimes(scores: Sequence[Score]) -> str:
    """How long each signal stayed in force, on a logarithmic axis: one stroke a time, a ring at the median."""
    right, each, top = WIDTH - 150, 26, 8
    every = [life for score in scores for life in score.turnover.lives_s if life > 0]
    low, high = (min(every), max(every)) if every else (1.0, 10.0)
    low, high = max((at for at in ROUND_LIFE_S if at <= low), default=ROUND_LIFE_S[0]), min((at for at in ROUND_LIFE_S if at > high), default=2 * high)

    def x(life_s: float) -> float:
        return LEFT + (right - LEFT) * math.log(max(life_s, low) / low) / math.log(high / low)

    foot = top + each * len(scores)
    parts = []
    for at in (at for at in ROUND_LIFE_S if low <= at <= high):
        parts += [_line(x(at), top, x(at), foot, "grid"), _text(x(at), foot + 16, seconds(at), "soft")]
    for place, score in enumerate(scores):
        y, lives = top + each * (place + 0.5), sorted(score.turnover.lives_s)
        parts.append(_text(LEFT - 8, y + 4, score.signal, "name", "end"))
        if not lives:
            parts.append(_text(right + 12, y + 4, "never ended", "soft", "start"))
            continue
        strokes = lives if len(lives) <= 400 else [float(value) for value in np.quantile(lives, np.linspace(0, 1, 400))]
        parts += [_line(x(life), y - 7, x(life), y + 7, "stroke") for life in strokes]
        median = float(np.median(lives))
        parts += [
            _dot(x(median), y, "ring", f"median {seconds(median)}", 5),
            _text(right + 12, y + 4, f"{len(lives)}, median {seconds(median)}", "soft", "start"),
        ]
    return _svg(WIDTH, foot + 24, parts, "lifetimes")


def interval_mark(ic: float | None, interval: Interval | None, band: Interval | None, reach: float) -> str:
    """A row's coefficient in small: band of the null, interval, dot, zero."""
    width, height = 150, 20

    def x(value: float) -> float:
        return width / 2 + max(-1.0, min(1.0, value / reach)) * (width / 2 - 5)

    parts = [_line(x(0), 1, x(0), height - 1, "zero")]
    if ic is not None and band is not None:
        parts.append(_rect(x(band.low), 4, x(band.high) - x(band.low), height - 8, "band"))
        if interval is not None:
            parts.append(_line(x(interval.low), height / 2, x(interval.high), height / 2, "interval"))
        parts.append(_dot(x(ic), height / 2, "dot", number(ic), 3.5))
    return f'<span class="mark">{_svg(width, height, parts, f"{number(ic)}, {span(interval)}")}</span>'
