"""The report as one page: no script, nothing fetched, light and dark as the reader's machine is."""

from collections.abc import Sequence
from html import escape

from p9 import __version__
from p9.evaluation import plots
from p9.evaluation.panel import Panel
from p9.evaluation.table import chance, number, seconds, shortage, span
from p9.evaluation.verdict import CONTRARY, EVIDENCE, LEAST_HORIZONS, UNKNOWN, Scope, Score

MARKS = {EVIDENCE: "yes", CONTRARY: "against", "no evidence": "none"}
OPEN_INSTRUMENTS = 2  # the rest is folded

STYLE = """
:root { color-scheme: light dark; --page: #f5f6f8; --panel: #fff; --ink: #1b2130; --soft: #5d6778; --line: #e4e7ed; --zero: #aab2c0; --band: #d9dfea;
  --accent: #2f55cf; --up: #0a7d78; --down: #c2470f; --warn: #8a5a00; --warn-fill: #fff4d9; --warn-line: #ecd08a; --own: #f1f4fd; }
@media (prefers-color-scheme: dark) { :root { --page: #0f131a; --panel: #171c25; --ink: #e7eaf1; --soft: #9ba5b6; --line: #262d3a; --zero: #566073;
  --band: #333d50; --accent: #8aabff; --up: #34c9bb; --down: #f78f4b; --warn: #f3c969; --warn-fill: #2b2412; --warn-line: #5b4a1c; --own: #1c2333; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1160px; margin: 0 auto; padding: 36px 24px 72px; }
h1 { font-size: 27px; line-height: 1.2; letter-spacing: -.015em; margin: 0 0 6px; }
h2 { font-size: 20px; letter-spacing: -.01em; margin: 44px 0 4px; overflow-wrap: anywhere; }
h3 { font-size: 15px; margin: 0 0 2px; }
p { margin: 0 0 12px; max-width: 74ch; }
.soft, figcaption { color: var(--soft); }
.facts { display: flex; flex-wrap: wrap; gap: 2px 22px; margin: 0 0 22px; color: var(--soft); font-size: 13.5px; }
.facts b { color: var(--ink); font-weight: 600; font-variant-numeric: tabular-nums; }
.facts span { overflow-wrap: anywhere; }
.short { background: var(--warn-fill); border: 1px solid var(--warn-line); border-radius: 10px; padding: 14px 18px; margin: 0 0 20px; }
.short b { color: var(--warn); letter-spacing: .02em; }
.short p { margin: 0; max-width: none; }
.lead { font-size: 16.5px; margin: 0 0 18px; }
section, figure, .panel { background: var(--panel); border: 1px solid var(--line); border-radius: 10px; margin: 14px 0; padding: 16px 18px; }
figcaption { font-size: 13.5px; margin: 0 0 12px; max-width: 86ch; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
.scroll { overflow-x: auto; margin: 14px 0; padding: 6px 18px; background: var(--panel); border: 1px solid var(--line); border-radius: 10px; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; font-variant-numeric: tabular-nums; }
th { font-weight: 500; color: var(--soft); text-align: right; padding: 9px 7px 7px; white-space: nowrap; border-bottom: 1px solid var(--line); }
td { text-align: right; padding: 7px 7px; white-space: nowrap; border-bottom: 1px solid var(--line); }
tr:last-child td { border-bottom: 0; }
th:first-child, td:first-child { text-align: left; padding-left: 0; font-weight: 600; }
th:nth-child(2), td:nth-child(2) { text-align: left; }
th:last-child, td:last-child { padding-right: 0; }
td small { color: var(--soft); font-size: 12px; display: block; line-height: 1.2; }
.mark { display: inline-block; width: 128px; vertical-align: middle; }
.chip { display: inline-block; margin: 1px 0 3px; border-radius: 20px; padding: 1px 10px; font-size: 12.5px; background: var(--page); color: var(--soft); border: 1px solid var(--line); }
.chip.yes { color: var(--up); border-color: currentColor; } .chip.against { color: var(--down); border-color: currentColor; }
details { margin: 20px 0; } summary { cursor: pointer; font-size: 18px; font-weight: 600; }
text { font-size: 12px; fill: var(--ink); font-family: inherit; } text.soft { fill: var(--soft); font-size: 11.5px; } text.name { font-weight: 600; }
.grid { stroke: var(--line); } .zero { stroke: var(--zero); } .cut { stroke: var(--zero); stroke-dasharray: 3 4; }
.mid { fill: none; stroke: var(--ink); stroke-width: 1.3; stroke-linejoin: round; } .band { fill: var(--band); } .own { fill: var(--own); }
.interval { stroke: var(--accent); stroke-width: 2; stroke-linecap: round; } .dot { fill: var(--accent); stroke: var(--panel); stroke-width: 1.2; }
.ring { fill: var(--panel); stroke: var(--accent); stroke-width: 2; } .stroke { stroke: var(--accent); stroke-opacity: .35; stroke-width: 1.4; }
.chance { stroke: var(--down); stroke-width: 2; } .up { fill: var(--up); } .down { fill: var(--down); }
.legend { white-space: nowrap; margin-right: 12px; }
.key { display: inline-block; width: 12px; height: 8px; border-radius: 2px; margin-right: 5px; }
.key.round { border-radius: 50%; width: 8px; } .key.thin { width: 3px; height: 12px; vertical-align: -2px; }
li { margin: 0 0 6px; max-width: 82ch; }
@media (max-width: 700px) { main { padding: 22px 12px 48px; } figure { overflow-x: auto; } figure svg { min-width: 640px; } .legend { white-space: normal; } }
@media print { body { background: none; } figure, .scroll { break-inside: avoid; } }
"""


def _key(kind: str, colour: str, text: str) -> str:
    return f'<span class="legend"><span class="key {kind}" style="background: var(--{colour})"></span>{text}</span>'


def _lead(scope: Scope) -> str:
    measured = [score for score in scope.scores if score.verdict != UNKNOWN]
    if not scope.sufficient:
        return f"{len(measured)} of {len(scope.scores)} signals were measured. None can be judged on so little."
    found = [f"<b>{score.signal}</b> ({score.verdict})" for score in measured if score.verdict in (EVIDENCE, CONTRARY)]
    if not found:
        return f"Of {len(measured)} signals that were measured, <b>none shows evidence</b> that it knows where the price goes."
    return f"Of {len(measured)} signals that were measured, {len(found)} {'shows' if len(found) == 1 else 'show'} something: {', '.join(found)}."


def _table(scope: Scope) -> str:
    shown = [score for score in scope.scores if score.verdict != UNKNOWN]
    reach = max([0.1, *(abs(edge) for score in shown if score.own.interval and score.own.null
                        for edge in (score.own.interval.low, score.own.interval.high, score.own.null.band.low, score.own.null.band.high))])  # fmt: skip
    rows = "".join(_row(score, reach) for score in shown)
    unknown = [score.signal for score in scope.scores if score.verdict == UNKNOWN]
    rest = f'<p class="soft">Not in the recording: {", ".join(unknown)}.</p>' if unknown else ""
    label = escape(f"signals of {scope.name}")
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{label}"><table><thead><tr><th>signal</th><th>verdict</th><th>horizon</th>'
        '<th colspan="2">information coefficient</th><th>p</th><th>hits</th><th>by chance</th><th>begins/h</th><th>in force</th><th>life</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{rest}"
    )


def _row(score: Score, reach: float) -> str:
    own, hits, turnover = score.own, score.hits, score.turnover
    p = "–" if own.null is None else escape(chance(own.null.p))
    if score.p_adjusted is not None:
        p += f"<small>all: {escape(chance(score.p_adjusted))}</small>"
    hit = "–" if hits.rate is None else f"{hits.rate:.0%} of {hits.n}<small>{span(hits.interval, '.0%')}</small>"
    why = f"<small>{escape(own.why)}</small>" if own.why and own.why != score.verdict else ""
    cells = (
        escape(score.signal), f'<span class="chip {MARKS.get(score.verdict, "")}">{escape(score.verdict)}</span>{why}', seconds(score.horizon_s),
        "–" if own.ic is None else f"{number(own.ic)}<small>{span(own.interval)}</small>",
        plots.interval_mark(own.ic, own.interval, own.null.band if own.null else None, reach), p, hit, number(hits.chance, ".0%"),
        number(turnover.begins_an_hour, ".1f"), number(turnover.share_in_force, ".1%"), seconds(turnover.mean_life_s),
    )  # fmt: skip
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _figure(title: str, caption: str, picture: str) -> str:
    return f"<figure tabindex='0'><h3>{title}</h3><figcaption>{caption}</figcaption>{picture}</figure>"


def _pictures(scope: Scope) -> str:
    shown = [score for score in scope.scores if score.verdict != UNKNOWN]
    varied = [score for score in shown if any(row.ic is not None for row in score.coefficients)]
    begun = [score for score in shown if score.turnover.begins]
    parts = []
    if varied:
        parts.append(_figure(
            "Information coefficient by horizon",
            f"Rank correlation of strength with the return that follows, over five horizons and the signal's own, which is tinted: it alone is judged. A dash: fewer "
            f"than {LEAST_HORIZONS} horizons long.<br>{_key('round', 'accent', 'coefficient and its 95 % interval')} "
            f"{_key('', 'band', 'where 95 % of the turned times lie: what knowing nothing reaches')}",
            plots.coefficients(varied),
        ))  # fmt: skip
    if begun:
        parts.append(_figure(
            "Hit rate",
            f"Begins whose direction the price had taken at the signal's horizon, one a horizon at most.<br>{_key('round', 'accent', 'rate')} "
            f"{_key('', 'band', '95 % (Wilson)')} {_key('thin', 'down', 'the same directions at any time')}",
            plots.hit_rates(begun),
        ))  # fmt: skip
        parts.append(_figure("Lifetimes", "How long each time in force lasted, from begin to end; a ring at the median.", plots.lifetimes(begun)))
    return "".join(parts)


def _instrument(panel: Panel, row: int, scope: Scope, pictures: bool) -> str:
    signals = [score.signal for score in scope.scores if score.verdict != UNKNOWN]
    seen = _figure(
        "Price, and signals in force",
        f"The mid, and below it each time a signal was in force, by the direction that it began with. Times are UTC.<br>{_key('', 'up', 'said up')} {_key('', 'down', 'said down')}",
        plots.price(panel, row, signals),
    )  # fmt: skip
    short = f'<p class="soft">{shortage(scope)}</p>' if pictures and not scope.sufficient else ""
    return seen + (short + _table(scope) + _pictures(scope) if pictures else "")


def page(panel: Panel, scopes: Sequence[Scope], files: Sequence[str], seed: int) -> str:
    """`scopes`: the pooled one, then one an instrument in the panel's order."""
    pooled, each = scopes[0], scopes[1:]
    alone = len(each) == 1
    facts = (
        f"<span><b>{pooled.symbol_hours:.2f}</b> symbol-hours</span><span><b>{len(each)}</b> {'instrument' if alone else 'instruments'}</span>"
        f"<span>a sample every <b>{seconds(panel.step_s)}</b></span><span>seed <b>{seed}</b></span><span>version <b>{__version__}</b></span>"
        f"<span>{escape(', '.join(files))}</span>"
    )
    body = [f"<h1>What the signals are worth</h1><div class='facts'>{facts}</div>"]
    if not pooled.sufficient:
        body.append(f'<div class="short"><p><b>INSUFFICIENT</b>{escape(shortage(pooled).removeprefix("INSUFFICIENT"))}</p></div>')
    body.append(f'<p class="lead">{_lead(pooled)}</p>{_table(pooled)}')
    if alone:
        body.append(f"<h2>{escape(each[0].name)}</h2>{_instrument(panel, 0, each[0], False)}{_pictures(each[0])}")
    else:
        body.append(f"<h2>All instruments together</h2>{_pictures(pooled)}")
        for row, scope in enumerate(each):
            inside = _instrument(panel, row, scope, True)
            name = f"{escape(scope.name)}, {scope.symbol_hours:.2f} symbol-hours"
            body.append(f"<h2>{name}</h2>{inside}" if row < OPEN_INSTRUMENTS else f"<details><summary>{name}</summary>{inside}</details>")
    body.append(f'<h2>How to read this</h2><div class="panel">{METHOD}</div>')
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>What the signals are worth</title><style>{STYLE}</style></head><body><main>{''.join(body)}</main></body></html>\n"
    )


METHOD = f"""<ul>
<li><b>Judged once.</b> A signal is judged at the horizon that it speaks of. Evidence needs both: turned time reaches as far with a chance of at most 5 %, after
correcting for all signals of the table (Holm), and the 95 % interval does not hold zero. Anything less is no evidence. The other horizons are there to look at.</li>
<li><b>Turned time.</b> The null is the same signal against the same prices, shifted by every possible time: it keeps how long signals last, how returns overlap and
how instruments move together, and breaks only that one comes before the other. The p of a short recording cannot be small.</li>
<li><b>Intervals.</b> Those of coefficients come from a bootstrap in blocks of three horizons; those of hit rates are Wilson's. A figure needs {LEAST_HORIZONS} horizons.</li>
<li><b>What it cannot show.</b> Returns of the mid are not money: neither spread, fees nor delay are paid. One stretch of time is one mood of the market. Signals that
polled figures make (funding, basis, insurance, skew) are not in recorded frames.</li></ul>"""
