"""`python -m tests.detect`: whales, jumps, walls, spoofs and cascades are planted in a simulated market, and how many of them are found is printed, with
what else alarmed there; then how often real recordings alarm, an hour of one symbol ($P9_RECORDINGS; said where there are none).

    --each N     so many of each kind (40)
    --seed S     of the market and the plants: the same gives the same figures (1)
    --kind K     this kind alone, may be repeated

Ends with one line of JSON; the exit code is 1 if a recall or a rate is beyond its bound.
"""

import argparse
import json
import statistics
import time
from typing import Any

from tests.detect import alarms
from tests.detect.kinds import ECHO_S, KINDS, Found, Kind, search
from tests.recordings import FOLDER


def judged(kind: Kind, found: Found) -> list[str]:
    """What is beyond its bound, in words."""
    failed = []
    if found.recall < kind.least_recall:
        failed.append(f"{kind.name}: {found.found} of {found.planted} found, at least {kind.least_recall:.0%} are to be")
    if kind.once and found.twice:
        failed.append(f"{kind.name}: {found.twice} told more than once")
    return failed


def planted(names: list[str], n: int, seed: str) -> tuple[dict[str, Any], list[str]]:
    figures, failed = {}, []
    print(f"{'planted':9} {'found':>9} {'recall':>7} {'bound':>6} {'told after':>11} {'other alarms':>13}  strength")
    for name in names:
        kind = KINDS[name]
        found = search(kind, seed, n)
        failed += judged(kind, found)
        late_s = statistics.median(found.late_s) if found.late_s else None
        told = "–" if late_s is None else f"{late_s:.2f} s"
        print(
            f"{name:9} {f'{found.found}/{found.planted}':>9} {found.recall:>7.1%} {kind.least_recall:>6.0%} {told:>11} {f'{found.others / found.hours:.1f}/h':>13}"
            f"  {kind.strength}",
            flush=True,
        )
        figures[name] = {
            "planted": found.planted, "found": found.found, "recall": round(found.recall, 4), "bound": kind.least_recall, "twice": found.twice,
            "told_after_s": None if late_s is None else round(late_s, 3), "echoes": found.echoes, "others": found.others, "hours": round(found.hours, 4), "others_an_hour": round(found.others / found.hours, 2),
        }  # fmt: skip
    print(f"other alarms: more than {ECHO_S} s after a plant, of the simulated flow alone")
    return figures, failed


def recorded() -> tuple[dict[str, Any] | None, list[str]]:
    paths = [FOLDER / name for name in alarms.RECORDINGS if (FOLDER / name).exists()]
    if not paths:
        print(f"\nno recordings in {FOLDER}: set P9_RECORDINGS")
        return None, []
    parts = [alarms.heard(path) for path in paths]
    whole = alarms.together(parts)
    print(f"\nalarms an hour of a symbol on {len(paths)} recordings (nobody knows which of them are false), counted while each could alarm at all")
    print(f"{'':12}" + "".join(f"{name:>16}" for name in alarms.BOUNDS))
    for label, part in [*((path.name.split(".")[0][:40], part) for path, part in zip(paths, parts, strict=True)), ("together", whole)]:
        cells = "".join(f"{_rate(part, name):>16}" for name in alarms.BOUNDS)
        print(f"{label}\n{'':12}{cells}")
    print("symbol-hours" + "".join(f"{whole.hours[name]:>16.3f}" for name in alarms.BOUNDS))
    figures, failed = {}, []
    for name, bound in alarms.BOUNDS.items():
        rate = whole.an_hour(name)
        figures[name] = {"alarms": whole.counts[name], "symbol_hours": round(whole.hours[name], 4), "an_hour": None if rate is None else round(rate, 2), "bound": bound}
        if rate is not None and rate > bound:
            failed.append(f"{name}: {rate:.0f} alarms an hour on the recordings, at most {bound:.0f} are allowed")
    return figures, failed


def _rate(part: alarms.Alarms, name: str) -> str:
    rate = part.an_hour(name)
    return "–" if rate is None else f"{rate:.0f}/h ({part.counts[name]})"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.detect", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=40)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--kind", action="append", choices=KINDS)
    asked = parser.parse_args()
    began_s = time.monotonic()
    found, failed = planted(asked.kind or list(KINDS), asked.each, asked.seed)
    rates, beyond = recorded()
    failed += beyond
    for line in failed:
        print(f"FAILED {line}")
    print(json.dumps({"seed": asked.seed, "planted": found, "recordings": rates, "failed": failed, "seconds": round(time.monotonic() - began_s, 1)}))
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
