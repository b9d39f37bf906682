"""How soon a loss was told after the frame that showed it, and how soon its book was back, as a consumer reads it in the streams."""

from typing import Any

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
    async for key in trial.client.scan_iter("stream:{integrity:*}", count=1000):
        lost_ns = None
        for event in await trial.stream(key.decode().removeprefix("stream:{").removesuffix("}")):
            if event["kind"] != "book_state":
                continue
            if event["state"] == "synced":
                if lost_ns is not None:
                    repaired_ms.append((event["ts_pub"] - lost_ns) / 1e6)
                lost_ns = None
            elif event["previous"] == "synced":
                lost_ns = event["ts_pub"]
                if event["reason"] != "disconnect":  # which no frame tells
                    detected_ms.append((lost_ns - event["ts_recv"]) / 1e6)
    return sorted(detected_ms), sorted(repaired_ms)
