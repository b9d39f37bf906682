"""The short form of `make detect`: a few plants of each kind are found, nothing is found where nothing is, and a bound that is missed is told."""

import json
import sys

import pytest

from tests.detect import __main__ as detect
from tests.detect import alarms
from tests.detect.kinds import KINDS, Found, search
from tests.recordings import recording

FEW = {"whale": 2, "jump": 3, "wall": 4, "spoof": 6, "cascade": 3}


@pytest.mark.parametrize("name", KINDS)
def test_what_is_planted_is_found(name):
    """Analytics page: 4.7 whales, 4.8 spoofs, 4.9 jumps, 4.10 walls, 4.13 liquidations as the venue-side truth. One in six may be missed."""
    found = search(KINDS[name], "1", FEW[name])
    assert found.planted >= FEW[name] - 1 and found.found >= found.planted - found.planted // 6
    assert detect.judged(KINDS[name]._replace(least_recall=0.8), found) == []
    assert all(0 < late_s <= KINDS[name].within_s for late_s in found.late_s)


@pytest.mark.parametrize("name", ["wall", "spoof", "cascade"])
def test_what_is_too_weak_is_not_found(name):
    """The same search, and next to nothing planted: that something is found is the detector's doing, not the search's."""
    weak = {"wall": 2_500.0, "spoof": 2_500.0, "cascade": 2_500.0}[name]
    kind = KINDS[name]

    def make(world, random, side):
        return world.plant(name, side=side, quote=weak, orders=20 if name == "cascade" else 1, every_ms=250, bps=8, stands_ms=15_000 if name == "wall" else 900)

    found = search(kind._replace(make=make), "1", 3)
    assert found.found == 0
    if found.planted:
        assert detect.judged(kind, found), "the bound is missed, and told"


def test_how_often_a_real_recording_alarms_is_within_its_bounds():
    """Six minutes of Bitcoin. A rate that is not known is not said."""
    heard = alarms.heard(recording(alarms.RECORDINGS[0]))
    assert heard.hours["wall"] == pytest.approx(0.096, abs=0.002) and heard.hours["jump"] == pytest.approx(0.021, abs=0.002)
    assert all(heard.an_hour(name) <= bound for name, bound in alarms.BOUNDS.items())
    assert heard.counts["wall"] > 0 and heard.counts["jump"] > 0, "it is not deaf"
    assert alarms.Alarms(dict.fromkeys(alarms.BOUNDS, 0), dict.fromkeys(alarms.BOUNDS, 0.0)).an_hour("whale") is None


def test_a_bound_that_is_missed_is_told_and_exits_with_1(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(detect, "FOLDER", tmp_path)
    monkeypatch.setattr(detect, "search", lambda kind, seed, n: Found(n, n - 1, 1, [0.5] * (n - 1), 0, 0, 1.0))
    monkeypatch.setattr(sys, "argv", ["detect", "--kind", "wall", "--each", "4"])
    assert detect.main() == 1
    printed = capsys.readouterr().out
    assert "FAILED wall: 3 of 4 found" in printed and "FAILED wall: 1 told more than once" in printed and "no recordings" in printed
    figures = json.loads(printed.splitlines()[-1])
    assert (figures["planted"]["wall"]["recall"], figures["recordings"], len(figures["failed"])) == (0.75, None, 2)
    monkeypatch.setattr(detect, "search", lambda kind, seed, n: Found(n, n, 0, [0.5] * n, 0, 0, 1.0))
    assert detect.main() == 0
