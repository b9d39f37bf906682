"""`make soak`: the appliance on simulated venues for an hour. Memory must not grow by a thousandth an hour, nor files, tasks or delays at all.

    python -m tests.soak.soak [--minutes 60] [--instruments 2] [--rate 5]

A line a minute tells how it goes; it ends with one line of JSON, and with exit code 1 where a bound failed.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from p9 import loop
from tests.soak.judge import judge
from tests.soak.subject import Subject

EVERY_S = 5.0  # between two samples
SAY_S = 60.0


async def soak(folder: Path, *, seconds: float, instruments: int, rate: float) -> dict[str, Any]:
    async with Subject(folder, instruments=instruments, rate=rate) as subject:
        began_s = said_s = time.monotonic()
        every_s, samples = min(EVERY_S, seconds / 20), []
        while (now_s := time.monotonic()) - began_s < seconds:
            samples.append(await subject.sample(now_s - began_s))
            if now_s - said_s >= SAY_S and len(samples) > 1:
                said_s = now_s
                told = samples[-1]
                rate_s = (told.frames - samples[0].frames) / (told.at_s - samples[0].at_s)
                words = f"{told.at_s / 60:4.0f} min: {told.rss / 1e6:.1f} MB, {told.files} files, {told.tasks} tasks, {rate_s:,.0f} frames/s"
                print(words, file=sys.stderr, flush=True)
            await asyncio.sleep(every_s)
        samples.append(await subject.sample(time.monotonic() - began_s))
    report = {"instruments": instruments, "rate": rate, **judge(samples), "exit_code": subject.exit_code}
    if subject.exit_code != 0:
        report["failed"].append(f"the appliance ended with exit code {subject.exit_code}")
    return {**report, "ok": not report["failed"]}


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.soak.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--instruments", type=int, default=2, help="a market (default %(default)s)")
    parser.add_argument("--rate", type=float, default=5.0, help="of the order flow; 1: a hundred orders a second on a market's busiest instrument (default %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="p9-soak-") as folder:
        report = loop.run(soak(Path(folder), seconds=options.minutes * 60, instruments=options.instruments, rate=options.rate))
    for why in report["failed"]:
        print(f"error: {why}", file=sys.stderr)
    print(json.dumps(report))
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
