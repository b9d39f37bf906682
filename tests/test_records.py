"""The newest rows: those of a plain list, and not a byte more however long it goes on."""

import json
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p9.ops import logs
from p9.ops.dashboard.chronicle import KEPT, Chronicle
from p9.records import Records

MOST_MORE = 5_000  # bytes: the newest row's own objects and the interpreter's free lists; the rows as objects are hundreds of thousands


@given(st.integers(1, 6), st.integers(8, 90), st.lists(st.text("aZ0 \"\\äß€🙂", max_size=40), max_size=30), st.integers(0, 9))
def test_they_are_the_newest_of_a_plain_list_that_fit(most, room, texts, n):
    records, model = Records(most, room), []
    for number, text in enumerate(texts):
        row = {"n": number, "text": text, "none": None}
        size = len(json.dumps(row, separators=(",", ":")))
        records.append(row)
        if size <= room:
            model.append((row, size))
        while len(model) > most or sum(size for _, size in model) > room:
            del model[0]
        assert list(records) == [row for row, _ in model] and len(records) == len(model)
        assert records.newest(n) == [row for row, _ in model][max(0, len(model) - n) :]
    records.clear()
    assert list(records) == [] and len(records) == 0
    records.append({"n": 1})
    assert list(records) == [{"n": 1}][: room >= 7]


def test_whatever_is_logged_can_be_kept():
    """A file's name that is no text, a number beyond 64 bits: a log line must never raise."""
    recent, error = logs.Recent(), ValueError("x")
    recent(None, "info", {"event": "odd", "file": "\udc80", "n_": 1 << 80, "share": float("inf"), "error": error})
    assert list(recent.lines) == [{"n": 1, "event": "odd", "file": "\udc80", "n_": 1 << 80, "share": float("inf"), "error": "x"}]


def test_rows_may_come_from_any_thread():
    records = Records(50, 900)

    def work(name):
        for n in range(2000):
            records.append({"by": name, "n": n})
            assert len(records.newest(3)) >= 1

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, name) for name in "abcd"]:
            done.result()
    assert 30 < len(records) <= 50 and all(row["by"] in "abcd" for row in records)
    last = {name: [row["n"] for row in records if row["by"] == name] for name in "abcd"}
    assert all(rows == sorted(rows) for rows in last.values())


def log_lines():
    recent = logs.Recent()
    return lambda n: recent(None, "info", {"event": f"socket lost {n}", "market": "there", "reason": "x" * 80, "n_": n}), logs.KEPT


def chronicle():
    heard = Chronicle(SimpleNamespace())
    event = {"type": "audits", "exchange": "there", "symbol": "BTC-USDT", "epoch": 1, "kind": "candle", "ts_event": 1_790_000_000 * 10**9}
    return lambda n: heard._hear({**event, "seq": n, "detail": f"minute {n}: " + "y" * 60}), KEPT


@pytest.mark.parametrize("kept", [log_lines, chronicle])
def test_what_is_kept_to_be_looked_at_takes_the_memory_at_first_that_it_takes_for_ever(kept):
    """A row a few seconds, thousands of them, each some hundred bytes of objects: that is growth for a day."""
    step, most = kept()
    tracemalloc.start()
    try:
        for n in range(40):
            step(n)
        before, _ = tracemalloc.get_traced_memory()
        for n in range(40, 40 + 3 * most):
            step(n)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < MOST_MORE
