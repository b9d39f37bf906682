"""How soon a loss was told after the frame that showed it, and how soon its book was back, as a consumer reads it in the streams."""

from typing import Any

from p9.quicktest.episodes import episodes, states, told_of
from p9.quicktest.spread import spread, told
from p9.quicktest.trial import Trial

DETECT_MS = 1.0  # from the frame that shows a gap to its event, the median
REPAIR_S = 5.0  # after the last planted fault


async def check(trial: Trial, found: int) -> dict[str, Any]:
    """`found`: gaps that were counted. The figures, for the report."""
    detected_ms, repaired_ms = await _losses(trial)
    figures = {"gaps": found, "detection_ms": spread(detected_ms), "repair_ms": spread(repaired_ms)}
    if not trial.planted:
        trial.note("gaps are repaired", not trial.appliance.not_ready(), f"{found} gaps; repaired after {told(repaired_ms)}")
        return figures
    planted = sum(n for name, n in trial.planted.items() if name.split()[0] in ("dropped", "malformed"))
    trial.note("every planted gap is found", found >= planted, f"{found} gaps, {planted} planted: {dict(trial.planted)}")
    soon = bool(detected_ms) and spread(detected_ms)["p50"] < DETECT_MS
    trial.note("the frame after a gap shows it", soon, f"told after {told(detected_ms)}")
    back = bool(repaired_ms) and repaired_ms[-1] < REPAIR_S * 1000
    trial.note("and repaired", back, f"after {told(repaired_ms)}")
    return figures


async def _losses(trial: Trial) -> tuple[list[float], list[float]]:
    """(frame to event, event to valid book) of each valid book that was lost, sorted, in ms."""
    detected_ms, repaired_ms = [], []
    for row in trial.instruments():
        for lost, back in episodes(states(await told_of(trial, row.exchange, row.symbol))):
            if lost["reason"] != "disconnect":  # which no frame tells
                detected_ms.append((lost["ts_pub"] - lost["ts_recv"]) / 1e6)
            if back is not None:
                repaired_ms.append((back["ts_pub"] - lost["ts_pub"]) / 1e6)
    return sorted(detected_ms), sorted(repaired_ms)
