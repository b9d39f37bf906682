"""The audit trail: every line on disk, in order, whatever the disk does meanwhile."""

import json

from p9.ops import audit_trail
from p9.ops.audit_trail import AuditTrail


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_lines_are_appended_in_order_and_never_changed(tmp_path):
    path = tmp_path / "data" / "audit.jsonl"
    for run_id in (1, 2):
        trail = AuditTrail(path, run_id=run_id, now_ns=lambda: 17)
        for n in range(3):
            trail.note("circuit", lane="urgent", state=n)
            await trail.flush()
    assert [(row["run"], row["n"], row["event"], row["state"], row["ts_ns"]) for row in lines(path)] == [
        (run_id, n + 1, "circuit", n, 17) for run_id in (1, 2) for n in range(3)
    ]


async def test_a_disk_that_refuses_costs_nothing_and_the_lines_are_written_later(tmp_path):
    (tmp_path / "data").write_text("a file where the folder should be")
    path = tmp_path / "data" / "audit.jsonl"
    said = []
    trail = AuditTrail(path, run_id=1, log=lambda event, **more: said.append(event))
    trail.note("start")
    await trail.flush()
    trail.note("stop")
    await trail.flush()
    assert said == ["audit trail not written"] and trail.status()["waiting"] == 2
    (tmp_path / "data").unlink()
    await trail.flush()
    assert [row["event"] for row in lines(path)] == ["start", "stop"] and trail.status()["waiting"] == 0


async def test_what_no_disk_takes_is_bounded_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(audit_trail, "MAX_WAITING", 10)
    trail = AuditTrail(tmp_path / "audit.jsonl", run_id=1)
    for n in range(25):
        trail.note("book", n_=n)
    await trail.flush()
    assert [row["n"] for row in lines(trail.path)] == list(range(16, 26)) and trail.counts["given_up"] == 15


async def test_a_file_that_is_full_is_set_aside_and_the_oldest_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(audit_trail, "MAX_FILE", 100)
    monkeypatch.setattr(audit_trail, "KEPT_FILES", 2)
    trail = AuditTrail(tmp_path / "audit.jsonl", run_id=1)
    for n in range(12):
        trail.note("book", detail="x" * 100, n_=n)
        await trail.flush()
    kept = sorted(tmp_path.iterdir())
    assert len(kept) == 3 and lines(trail.path)[-1]["n"] == 12
    assert [row["n"] for path in kept[:2] for row in lines(path)] == [10, 11]
