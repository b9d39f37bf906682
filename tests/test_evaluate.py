"""The evaluate command on a real recording, from its lines to its page; and what it says when it cannot."""

import asyncio
import json
import re
import subprocess
import sys

import pytest

from p9.__main__ import _parser
from p9.config import parse
from p9.errors import ConfigError
from p9.evaluate import every_stream, run, sample
from p9.evaluation.samples import SIGNALS
from p9.publication import ROWS
from tests.recordings import recording
from tests.test_replay import FRAMES
from tests.test_replay import recording as few_lines

FUTURES = "binance/rec_usdm_btcusdt_depth0ms_bookTicker_trade_20240808.txt.gz"


EIGHT = "bybit/DERIVED_v5shape_linear_8symbols_30s_2021-04-17.jsonl"


def evaluate(*words: object, configuration: str = "") -> int:
    options = _parser(["evaluate"]).parse_args(["evaluate", *map(str, words)])
    return asyncio.run(run(options, parse(configuration)))


def test_a_real_recording_is_scored_and_said_to_be_too_short(tmp_path, capsys):
    path, out = recording(FUTURES), tmp_path / "report.html"
    assert evaluate(path, "--out", out) == 0
    printed = capsys.readouterr().out
    figures = json.loads(printed.splitlines()[-1])
    assert printed.index("INSUFFICIENT") < printed.index("imbalance")
    assert (figures["instruments"], figures["sufficient"], figures["missed_events"]) == (1, False, 0)
    assert figures["symbol_hours"] == pytest.approx(344.8 / 3600, rel=0.02)
    scores = {score["signal"]: score for score in figures["scopes"][0]["scores"]}
    assert set(scores) == set(SIGNALS)
    for name in ("imbalance", "flow", "aggregate"):
        assert scores[name]["turnover"]["begins"] > 5 and scores[name]["verdict"] == "insufficient"
        assert all(row["ic"] is not None and row["null"]["p"] > 0 for row in scores[name]["coefficients"][:3])
        assert all(row["why"] == "too short for its horizon" for row in scores[name]["coefficients"][3:])
    assert scores["funding"]["verdict"] == "not in the recording"
    page = out.read_text()
    assert not re.search(r"https?:", page) and all(re.search(rf"\b{name}\b", page) for name in SIGNALS)
    assert page.index("INSUFFICIENT") < page.index("<table>")
    assert figures["report"] == str(out)
    evaluate(path, "--out", tmp_path / "again.html")
    again = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert again["scopes"] == figures["scopes"], "the same recording and seed give the same figures"


def test_many_instruments_are_pooled_and_told_each_when_asked(tmp_path, capsys):
    path, out = recording(EIGHT), tmp_path / "report.html"
    assert evaluate(path, "--out", out) == 0
    printed = capsys.readouterr().out
    pooled = json.loads(printed.splitlines()[-1])
    assert (pooled["instruments"], [scope["name"] for scope in pooled["scopes"]]) == (8, ["all instruments"])
    assert "DOTUSDT" not in printed and out.read_text().count("DOTUSDT") >= 1
    assert evaluate(path, "--each", "--out", out) == 0
    each = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert len(each["scopes"]) == 9 and each["scopes"][0] == pooled["scopes"][0]
    assert sum(scope["symbol_hours"] for scope in each["scopes"][1:]) == pytest.approx(pooled["symbol_hours"], abs=1e-3)


def test_a_report_that_cannot_be_written_is_said(tmp_path):
    with pytest.raises(ConfigError, match="cannot be written"):
        evaluate(few_lines(tmp_path / "r.jsonl", gap_ns=400_000_000), "--out", tmp_path / "nowhere" / "report.html")


def test_what_is_sampled_is_the_mid_and_the_signals_of_that_moment(tmp_path):
    path = few_lines(tmp_path / "r.jsonl", gap_ns=400_000_000)
    _, sampler = asyncio.run(sample([path], parse(""), 100_000_000))
    (track,) = sampler.tracks
    assert track.name.endswith(" BTCUSDT")
    assert all(later - earlier == 1 for earlier, later in zip(track.at, track.at[1:], strict=False))
    # 100.0 / 100.5, then the best bid goes and 99.5 is left
    assert sorted(set(track.mid)) == [100.0, 100.25] and track.mid[0] == 100.25 and track.mid[-1] == 100.0
    imbalance = track.strengths["imbalance"]
    assert imbalance[0] == pytest.approx((3.5 - 3) / 6.5)
    assert {name for name in SIGNALS if track.strengths[name][-1] == track.strengths[name][-1]} >= {"imbalance", "aggregate"}


def test_all_streams_are_on_whatever_the_configuration_says():
    config = every_stream(parse("analytics: {momentum: {enabled: false}, signals: {enabled: false}}"))
    assert all(getattr(config.analytics, row.section).enabled for row in ROWS)


def test_without_an_instrument_it_says_so(tmp_path, capsys):
    path = tmp_path / "r.jsonl"
    path.write_text('1700000000000000000 {"hello": 1}\n')
    assert evaluate(path) == 1
    assert "no instrument's price is known" in capsys.readouterr().err


@pytest.mark.parametrize("step", ["0s", "30ms", "11s"])
def test_a_step_that_is_none_is_refused(tmp_path, step):
    with pytest.raises((ConfigError, ValueError), match=r"50ms|step|allowed"):
        evaluate(few_lines(tmp_path / "r.jsonl", FRAMES), "--step", step)


def test_without_numpy_it_says_what_to_install(tmp_path):
    block = "import sys; sys.modules['numpy'] = None; sys.argv[0] = 'p9_microstream'; from p9.__main__ import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", block, "evaluate", str(few_lines(tmp_path / "r.jsonl"))], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "needs NumPy" in done.stderr and "pip install 'p9-microstream[evaluate]'" in done.stderr


def test_no_other_command_needs_numpy():
    block = "import sys; sys.modules['numpy'] = None; import p9.__main__, p9.app, p9.quicktest, p9.evaluate"
    assert subprocess.run([sys.executable, "-c", block], timeout=60).returncode == 0
