"""Swing highs and lows against a slow model, and by hand (design, 4.13)."""

from cext.measures.swings import crossed
from hypothesis import given, settings
from hypothesis import strategies as st

S = 1_000_000_000
T0 = 1_786_233_600 * S
BAR = 10 * S
HOUR = 3600 * S


def model(prints, start, end, since, *, bar_ns, width, lookback_ns):
    """Bars first, then every fractal that was known by the end, with all that was traded after its bar."""
    bars: list[list] = []
    for low, high, at in prints:
        if bars and at // bar_ns <= bars[-1][0]:
            bars[-1][1:] = [min(bars[-1][1], low), max(bars[-1][2], high)]
        else:
            bars.append([at // bar_ns, low, high])
    known = bars[:-1]  # the newest bar is still forming
    standing = {1: [], -1: []}
    best = None
    for i in range(width, len(known) - width):
        slot = known[i][0]
        for sign in (1, -1):
            value = [sign * (bar[2] if sign > 0 else bar[1]) for bar in known[i - width : i + width + 1]]
            if not (all(v < value[width] for v in value[:width]) and all(v <= value[width] for v in value[width + 1 :])):
                continue
            px = known[i][2] if sign > 0 else known[i][1]
            noted_by = next(n for n, (_, _, at) in enumerate(prints) if at // bar_ns >= bars[i + width + 1][0])
            broken = next((at for low, high, at in prints[noted_by:] if (high > px if sign > 0 else low < px)), None)
            last = prints[-1][2]
            if last - slot * bar_ns > lookback_ns or any(at - slot * bar_ns > lookback_ns for *_, at in prints[noted_by:]):
                continue
            if broken is not None and any(at - broken > 60 * S for *_, at in prints[noted_by:]):
                continue
            if broken is None:
                standing[sign].append(px)
            if broken is None or broken >= since:
                up = end > start
                if sign == (1 if up else -1) and ((start <= px < end) if up else (end < px <= start)):
                    best = px if best is None else (max if up else min)(best, px)
    return best, standing[1], standing[-1]


def at_bars(*prices: int, every: int = BAR):
    """One print a bar."""
    return [(px, px, T0 + n * every) for n, px in enumerate(prices)]


def test_a_high_is_known_when_the_bars_after_it_are_lower_and_stands_until_a_price_goes_beyond_it():
    more = {"bar_ns": BAR, "width": 2, "lookback_ns": HOUR}
    prints = at_bars(10, 11, 15, 12, 11)
    assert crossed(prints, 11, 20, T0, **more) == (None, [], []), "the second bar after it is not over"
    prints = at_bars(10, 11, 15, 12, 11, 10)
    assert crossed(prints, 11, 20, T0, **more) == (15, [15], [])
    assert crossed(prints, 11, 15, T0, **more)[0] is None, "reached is not beyond"
    assert crossed(prints, 20, 11, T0, **more)[0] is None, "downwards no high is crossed"
    prints = at_bars(10, 11, 15, 12, 11, 10, 16)
    assert crossed(prints, 11, 20, T0 + 6 * BAR, **more) == (15, [], []), "broken by this very move"
    assert crossed(prints, 11, 20, T0 + 6 * BAR + 1, **more)[0] is None, "broken before it"


def test_lows_are_the_same_the_other_way_round():
    more = {"bar_ns": BAR, "width": 2, "lookback_ns": HOUR}
    prints = at_bars(20, 19, 15, 18, 19, 20)
    assert crossed(prints, 18, 10, T0, **more) == (15, [], [15])


def test_of_equal_highs_the_first_one_counts_and_an_old_one_does_not():
    more = {"bar_ns": BAR, "width": 1, "lookback_ns": 10 * BAR}
    assert crossed(at_bars(10, 15, 15, 10), 11, 20, T0, **more)[1] == [15]
    assert crossed(at_bars(10, 15, 10, *[9] * 10), 11, 20, T0, **more)[1] == [], "eleven bars ago"


@settings(max_examples=400)
@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(0, 4), st.integers(0, 15)), min_size=1, max_size=80), st.integers(1, 40), st.integers(1, 40),
    st.integers(1, 4), st.sampled_from([60, 400, 3600]), st.integers(0, 300),
)  # fmt: skip
def test_any_path_gives_the_models_swings(steps, start, end, width, lookback_s, back_s):
    prints, at = [], T0
    for low, spread, pause_s in steps:
        at += pause_s * S
        prints.append((low, low + spread, at))
    more = {"bar_ns": BAR, "width": width, "lookback_ns": lookback_s * S}
    since = at - back_s * S
    told, highs, lows = crossed(prints, start, end, since, **more)
    best, standing_highs, standing_lows = model(prints, start, end, since, **more)
    assert (highs, lows) == (standing_highs, standing_lows)
    assert start == end or told == best
