"""The verdicts and figures as text for a terminal."""

from p9.evaluation.score import Interval
from p9.evaluation.verdict import LEAST_SYMBOL_HOURS, UNKNOWN, Scope, Score

HEAD = ("signal", "horizon", "IC", "95 %", "p", "hits", "95 %", "by chance", "begins/h", "in force", "life", "verdict")


def seconds(value: float | None) -> str:
    """In the unit that a person would take."""
    if value is None:
        return "–"
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if value >= 1.5 * size or value == size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g} s"


def number(value: float | None, form: str = "+.3f") -> str:
    return "–" if value is None else format(value, form)


def span(interval: Interval | None, form: str = "+.2f") -> str:
    return "–" if interval is None else f"{interval.low:{form}} … {interval.high:{form}}"


def chance(p: float) -> str:
    return "<0.001" if p < 0.0005 else f"{p:.3f}"


def shortage(scope: Scope) -> str:
    """What is to be said before any figure; nothing where there is enough."""
    if scope.sufficient:
        return ""
    return (
        f"INSUFFICIENT: {scope.symbol_hours:.2f} symbol-hours; at least {LEAST_SYMBOL_HOURS:g} are needed before a figure says anything. "
        "What follows shows the method, not what a signal is worth."
    )


def _row(score: Score) -> tuple[str, ...]:
    own, hits, turnover = score.own, score.hits, score.turnover
    return (
        score.signal, seconds(score.horizon_s), number(own.ic), span(own.interval), chance(own.null.p) if own.null else "–",
        f"{hits.hits}/{hits.n}", span(hits.interval, ".0%"), number(hits.chance, ".0%"), number(turnover.begins_an_hour, ".1f"),
        number(turnover.share_in_force, ".1%"), seconds(turnover.mean_life_s), score.verdict + (f" ({own.why})" if own.why and own.why != score.verdict else ""),
    )  # fmt: skip


def text(scopes: list[Scope]) -> str:
    """Signals that are not in a recording in one line."""
    return "\n\n".join(_scope(scope) for scope in scopes)


def _scope(scope: Scope) -> str:
    rows = [HEAD, *(_row(score) for score in scope.scores if score.verdict != UNKNOWN)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    lines = [f"{scope.name}: {scope.symbol_hours:.2f} symbol-hours"]
    lines += [line for line in (shortage(scope),) if line]
    lines += [
        "  ".join(
            cell.ljust(width) if i in (0, len(HEAD) - 1) else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    unknown = [score.signal for score in scope.scores if score.verdict == UNKNOWN]
    if unknown:
        lines.append(f"{UNKNOWN}: {', '.join(unknown)}")
    return "\n".join(lines)
