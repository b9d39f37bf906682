"""One target for some time, in a process of its own: what it found, however it ended."""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

from tests.fuzz.blackbox import BlackBox
from tests.fuzz.target import Finding, Target

MOST_FINDINGS = 25  # of one target: then something is broken, not found
A_KIND = 2  # inputs kept of one kind
CHECKS_A_LOOK = 32  # at the clock
HANGS_S = 60.0  # of computing between two looks: one of the inputs does not end
TABLE = "tests.fuzz.targets"


def kind_of(error: BaseException) -> str:
    """What findings of one cause have in common."""
    if isinstance(error, Finding):
        return error.kind
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = f" in {Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno}" if frame is not None else ""
    return f"{type(error).__name__}{where}"


def fails(target: Target, given: bytes) -> BaseException | None:
    try:
        target.check(given)
    except Exception as error:
        return error
    return None


def smaller(target: Target, given: bytes, kind: str, until_s: float) -> bytes:
    """The same finding with less: pieces are left out as long as it stays."""
    pieces = target.pieces(given)
    size = max(1, len(pieces) // 2)
    while size > 0 and time.monotonic() < until_s:
        at = 0
        while at < len(pieces) and time.monotonic() < until_s:
            less = pieces[:at] + pieces[at + size :]
            error = fails(target, b"".join(less))
            if error is not None and kind_of(error) == kind:
                pieces = less
            else:
                at += size
        size //= 2
    return b"".join(pieces)


def work(table: str, name: str, seed: str, frames: int, seconds: float, box: Path, findings: Path) -> None:
    """The child: endless inputs until `frames` or `seconds` are over. Findings that do not end the process are written as they come."""
    row = importlib.import_module(table).TARGETS[name]
    target = row.make(Random(f"{name} {seed}"))
    box_ = BlackBox(box)
    n, kinds = 0, {}
    until_s = time.monotonic() + seconds
    while n < frames and time.monotonic() < until_s and sum(kinds.values()) < MOST_FINDINGS:
        signal.setitimer(signal.ITIMER_VIRTUAL, HANGS_S)
        for _ in range(CHECKS_A_LOOK):
            given = target.make()
            box_.put(n, given)
            try:
                n += target.check(given)
            except Exception as error:
                n += 1
                kind = kind_of(error)
                kinds[kind] = kinds.get(kind, 0) + 1
                if kinds[kind] <= A_KIND:
                    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
                    always = row.make(Random(0), **({"share": 1.0} if hasattr(target, "share") else {}))
                    given = smaller(always, given, kind, time.monotonic() + 10)
                    with findings.open("a") as lines:
                        lines.write(json.dumps({"kind": kind, "text": str(error)[:1000], "input": given.hex()}) + "\n")
                target = row.make(Random(f"{name} {seed} {n}"))  # what it held may be spoiled
                signal.setitimer(signal.ITIMER_VIRTUAL, HANGS_S)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    box_.put(n, b"")


def run(name: str, seed: str, frames: int, seconds: float, folder: Path, *, table: str = TABLE, say=print) -> tuple[int, list[dict]]:
    """(frames done, findings), each finding with its input in a file of `folder`. A process that dies is a finding, and another one goes on.

    `table`: the module that has TARGETS.
    """
    done, found = 0, []
    until_s = time.monotonic() + seconds
    life = 0
    folder.mkdir(parents=True, exist_ok=True)
    while done < frames and len(found) < MOST_FINDINGS and (left_s := until_s - time.monotonic()) > 0:
        box_path, lines_path = folder / f".{name}.box", folder / f".{name}.findings"
        box = BlackBox(box_path, new=True)
        lines_path.write_text("")
        of_life = seed if life == 0 else f"{seed}.{life}"
        command = [sys.executable, "-m", "tests.fuzz.run", table, name, of_life, str(frames - done), str(left_s), str(box_path), str(lines_path)]
        child = subprocess.run(command, stderr=subprocess.PIPE, env=os.environ | {"PYTHONFAULTHANDLER": "1"}, check=False)
        done += box.frames
        rows = [json.loads(line) for line in lines_path.read_text().splitlines()]
        if child.returncode != 0:
            text = child.stderr.decode("utf-8", "replace")
            kind = next((line.strip() for line in text.splitlines() if "ERROR: AddressSanitizer" in line or "runtime error:" in line), None)
            kind = kind or ("no answer for too long" if child.returncode == -signal.SIGVTALRM else f"the process ended with {child.returncode}")
            rows.append({"kind": kind, "text": text[-6000:], "input": box.given.hex()})
        for row in rows:
            path = folder / f"{name}.{len(found)}.input"
            path.write_bytes(bytes.fromhex(row["input"]))
            found.append({"target": name, "kind": row["kind"], "input": str(path)})
            say(f"FOUND {name} (seed {of_life}): {row['text']}\n  again: bash scripts/fuzz.sh --target {name} --input {path}", file=sys.stderr)
        box_path.unlink()
        lines_path.unlink()
        if child.returncode == 0:
            break
        life += 1
    return done, found


if __name__ == "__main__":
    work(*sys.argv[1:4], int(sys.argv[4]), float(sys.argv[5]), Path(sys.argv[6]), Path(sys.argv[7]))
