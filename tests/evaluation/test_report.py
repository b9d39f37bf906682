"""The page: nothing is fetched, every signal is in it, and it is well-formed."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from p9.evaluation import plots, table
from p9.evaluation.panel import Panel
from p9.evaluation.report import page
from p9.evaluation.samples import SIGNALS, Episode
from p9.evaluation.verdict import POOLED, UNKNOWN, judge
from tests.evaluation.planted import START_S, persistent, track, walk


def made(instruments: int, n: int = 900):
    rng = np.random.default_rng(8)
    told = [
        Episode("flow", (START_S + at) * 10**9, 1 if at % 40 else -1, 0.8, None if at == 880 else int(rng.integers(1, 9)) * 10**9)
        for at in range(20, 900, 20)
    ]  # fmt: skip
    mids = [np.where((np.arange(n) > 300) & (np.arange(n) < 330), np.nan, walk(rng, n)) for _ in range(instruments)]
    tracks = [
        track(mid, name=f"market <{i}>", first=START_S + 5000 * (i == 2), flow=persistent(rng, n, 0.9), walls=np.zeros(n), aggregate=persistent(rng, n, 0.5),
              episodes=told if i == 0 else [])
        for i, mid in enumerate(mids)
    ]  # fmt: skip
    panel = Panel(tracks, 1.0)
    return panel, [judge(panel, POOLED), *(judge(panel.only(row), name) for row, name in enumerate(panel.names))]


@pytest.mark.parametrize("instruments", [1, 4])
def test_the_page_is_whole_in_itself_and_holds_every_signal(instruments):
    panel, scopes = made(instruments)
    text = page(panel, scopes, ["a<b>.jsonl"], 1)
    assert not re.search(r"https?:|//[a-z]|\bsrc=|<link|<script|url\(|@import", text)
    for signal in SIGNALS:
        assert re.search(rf"\b{signal}\b", text), signal
    assert "a&lt;b&gt;.jsonl" in text and "market &lt;0&gt;" in text and "<0>" not in text
    assert "nan" not in re.sub(r"instrument|finance", "", text.lower().split("</style>")[1]).replace("covenant", "")
    for picture in re.findall(r"<svg.*?</svg>", text, re.S):
        ElementTree.fromstring(picture)
    assert text.count("<details>") == max(0, instruments - 2)


def test_too_little_is_said_before_any_figure():
    panel, scopes = made(1)
    text = page(panel, scopes, ["a.jsonl"], 1)
    assert text.index("INSUFFICIENT") < text.index("<table>")
    assert "at least 10 are needed" in text
    words = table.text(scopes)
    assert words.index("INSUFFICIENT") < words.index("flow") and "no evidence" not in words


def test_a_scope_without_any_begin_or_figure_is_drawn_too():
    panel = Panel([track(np.full(30, 100.0))], 1.0)
    scopes = [judge(panel, POOLED), judge(panel, "market A")]
    assert all(score.verdict == UNKNOWN for score in scopes[0].scores)
    ElementTree.fromstring(re.search(r"<svg.*?</svg>", page(panel, scopes, [], 1), re.S)[0])


def test_bars_that_touch_on_the_screen_are_one_bar():
    n = 40_000
    told = [Episode("flow", (START_S + at) * 10**9, 1 if at % 4 else -1, 0.8, 10**9) for at in range(0, n, 2)]
    panel = Panel([track(np.linspace(100, 101, n), episodes=told)], 1.0)
    picture = plots.price(panel, 0, ["flow"])
    assert (picture.count('class="up"'), picture.count('class="down"')) == (1, 1)
    assert len(picture) < 40_000, "however long the recording is"


def test_round_steps():
    assert plots.round_steps(0.13, 0.97, 4) == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert plots.round_steps(-250, 250, 4) == pytest.approx([-200, 0, 200])
    assert plots.round_steps(3, 3, 4) == [3]


@pytest.mark.parametrize("value, text", [(None, "–"), (0.5, "0.5 s"), (60, "1 m"), (90, "1.5 m"), (80, "80 s"), (28800, "8 h"), (86400, "1 d")])
def test_times_are_told_in_the_unit_of_a_person(value, text):
    assert table.seconds(value) == text


def test_a_chance_is_never_told_as_none():
    assert [table.chance(p) for p in (1e-6, 0.0004999, 0.0005, 0.0312, 1.0)] == ["<0.001", "<0.001", "0.001", "0.031", "1.000"]
