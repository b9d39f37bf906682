"""Signals: what is measured against its formula, what is told against an independent model of the hysteresis, what is summed against a sum by hand."""

import math

import pytest
from cext.streams.signals import GROUPS, KINDS, Signals
from hypothesis import example, given, settings
from hypothesis import strategies as st

from .desk import START, Desk, S

GROUP_OF = dict(zip(KINDS, ("book", "trades", "trades", "price", "book", "forced", "book", "carry", "carry", "stress", "options"), strict=True))
CHANNEL = "signals:venue:BTC-USDT"


def desk_of(**options) -> Desk:
    desk = Desk(lambda names: Signals(names, **options))
    desk.synced([["100", "1"]], [["101", "1"]], at_s=0.0)
    desk.published()
    return desk


def told(desk: Desk, kind: str = "base") -> list[dict]:
    return [event for event in desk.published(CHANNEL) if event["kind"] == kind]


def say(desk: Desk, signal: str, strength: float, at_s: float, confidence: float = 1.0, **more) -> None:
    desk.streams[0].outside(signal, strength, confidence, START + round(at_s * S), **more)


class Model:
    """The rule in words: begins at `enter`, ends under `leave` or when it turns weakly, told again after `step` and `pause`."""

    def __init__(self, enter: float, leave: float, step: float, pause_s: float):
        self.enter, self.leave, self.step, self.pause_s = enter, leave, step, pause_s
        self.told, self.at_s = 0.0, -1e9

    def take(self, strength: float, now_s: float) -> str | None:
        strong = not math.isnan(strength) and abs(strength) >= self.enter
        if self.told == 0.0:
            if not strong:
                return None
            state = "begins"
        else:
            turned = (strength > 0) != (self.told > 0) and strength != 0
            if math.isnan(strength) or abs(strength) < self.leave or (turned and not strong):
                state, strength = "ends", 0.0
            elif (turned or abs(strength - self.told) >= self.step) and round(now_s - self.at_s, 6) >= self.pause_s:
                state = "changes"
            else:
                return None
        self.told, self.at_s = strength, now_s
        return state


strengths = st.one_of(st.just(math.nan), st.floats(-1, 1, allow_nan=False).map(lambda x: round(x, 3)))


@settings(max_examples=60)
@given(st.lists(st.tuples(strengths, st.sampled_from([0.1, 0.4, 1.0, 3.0])), max_size=60))
@example([(math.nan, 0.1), (math.nan, 0.1), (math.nan, 3.0), (0.5, 3.0), (1.0, 1.0)])  # 8.2 s less 7.2 s is a second, but not in floats
def test_what_is_told_is_what_the_rule_says(steps):
    desk = desk_of()
    model, now_s = Model(0.5, 0.3, 0.2, 1.0), 1.0
    for strength, wait_s in steps:
        now_s = round(now_s + wait_s, 3)
        say(desk, "funding", strength, now_s)
        expected = model.take(strength, now_s)
        events = [event for event in told(desk) if event["signal"] == "funding"]
        assert [event["state"] for event in events] == ([expected] if expected else []), (strength, now_s)
        if events:
            assert events[0]["strength"] == model.told
            assert events[0]["direction"] == ("none" if expected == "ends" else "up" if model.told > 0 else "down")
            assert (events[0]["duration_ns"] is None) == (expected != "ends")


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(KINDS[7:]), st.tuples(strengths, st.floats(0, 1).map(lambda x: round(x, 3))), max_size=5), st.data())
def test_the_aggregate_counts_each_group_once_and_what_is_not_known_not_at_all(said, data):
    weights = {name: data.draw(st.sampled_from([0.0, 0.5, 1.0, 2.0])) for name in KINDS}
    desk = desk_of(weights=weights, liquidations=False, enter=0.01, leave=0.0)
    desk.streams[0].configure(enter=0.01, leave=0.0, weights={"imbalance": 0.0})
    weights["imbalance"] = 0.0
    for n, (name, (strength, confidence)) in enumerate(said.items()):
        say(desk, name, strength, 1.0 + n, confidence)
    values = desk.streams[0].values()
    groups: dict[str, list[tuple[float, float]]] = {}
    for name, (strength, confidence) in said.items():
        if not math.isnan(strength) and weights[name] > 0:
            groups.setdefault(GROUP_OF[name], []).append((weights[name] * confidence * strength, weights[name]))
    assert set(groups) <= set(GROUPS)
    if groups:
        strongest = [max((value for value, _ in rows), key=abs) for rows in groups.values()]
        weight = sum(max(weight for _, weight in rows) for rows in groups.values())
        assert values["total"][0] == pytest.approx(sum(strongest) / weight, abs=1e-9)
        assert abs(values["total"][0]) <= 1.0
    else:
        assert values["total"] is None
    assert set(values["signals"]) == {name for name, (strength, _) in said.items() if not math.isnan(strength)} | {"imbalance"}


def test_two_signals_that_see_the_same_thing_count_once():
    desk = desk_of(liquidations=False, weights={"imbalance": 0.0})
    say(desk, "funding", -0.9, 1.0)
    alone = desk.streams[0].values()["total"][0]
    say(desk, "basis", -0.8, 2.0)
    both = desk.streams[0].values()
    assert alone == both["total"][0] == -0.9
    assert both["signals"]["funding"][2] and not both["signals"]["basis"][2]


def test_the_imbalance_is_the_mean_in_time_of_the_best_five_levels():
    """What is in force counts for as long as it is; half of the mean is younger than a second."""
    desk = desk_of()
    mean, in_force, at_s, seen = 0.0, 0.0, 0.0, False
    for n, wait_s in enumerate((1.0, 0.5, 0.25, 2.0, 0.1, 0.1, 3.0), 1):
        keep = 0.5**wait_s
        mean, at_s = keep * mean + (1 - keep) * in_force, at_s + wait_s
        desk.depth(100 + n, 100 + n, [["100", str(9 * n)], [str(90 - n), "1"], [str(80 - n), "1"]], at_s=at_s)
        levels = min(5, 1 + 2 * n)
        in_force = (9 * n + levels - 1 - 1) / (9 * n + levels - 1 + 1)
        found = desk.streams[0].values()["signals"]["imbalance"][0]
        assert found == pytest.approx(mean, abs=1e-9)
        events = [event for event in told(desk) if event["signal"] == "imbalance"]
        assert bool(events) <= (abs(mean) >= 0.5)
        for event in events:
            assert event["direction"] == "up" and event["inputs"]["imbalance_5_mean"] == pytest.approx(mean, abs=1e-5)
            seen = True
    assert seen


def test_a_lost_book_ends_what_was_made_of_it_and_is_named_as_excluded():
    desk = desk_of()
    for n in range(1, 8):
        desk.depth(100 + n, 100 + n, [["100", str(5 + n)]], at_s=n)
    assert "imbalance" in desk.streams[0].values()["in_force"]
    desk.published()
    desk.depth(200, 201, [["100", "1"]], at_s=9.0)  # a gap
    events = desk.published(CHANNEL)
    assert [(event["signal"], event["state"]) for event in events if event["kind"] == "base"] == [("imbalance", "ends")]
    assert "imbalance" not in desk.streams[0].values()["signals"]


def test_what_has_a_half_life_fades_and_ends_by_itself():
    desk = desk_of()
    say(desk, "insurance", -0.8, 1.0, half_life_s=2.0, inputs=b'{"score":0.9}')
    desk.tick(10.0)
    events = [event for event in told(desk) if event["signal"] == "insurance"]
    assert events[0]["state"] == "begins" and events[-1]["state"] == "ends"
    assert events[0]["inputs"] == {"score": 0.9} and events[0]["decay_seconds"] == 2
    ended_s = (events[-1]["since"] + events[-1]["duration_ns"] - START) / S
    assert ended_s == pytest.approx(1.0 + 2.0 * math.log2(0.8 / 0.3), abs=0.06), "0.8 halves every two seconds until it is under 0.3"


def test_settings_that_cannot_be_are_refused_and_nothing_changes():
    stream = desk_of().streams[0]
    for wrong in ({"enter": 2.0}, {"enter": 0.2, "leave": 0.3}, {"weights": {"luck": 1.0}}, {"weights": {"flow": -1.0}}, {"cascade": 0.0}):
        with pytest.raises(ValueError):
            stream.configure(**wrong)
    with pytest.raises(ValueError, match="made here"):
        stream.outside("flow", 1.0, 1.0, START)


def test_the_time_from_the_input_to_the_signal_is_told_and_counted():
    desk = desk_of()
    say(desk, "funding", -0.9, 1.0)
    events = desk.published(CHANNEL)
    assert all(event["latency_ns"] >= 0 for event in events)
    counters = desk.streams[0].tally()
    assert counters["begun"]["funding"] == 1 and sum(counters["total_ns"]) == 1
