"""Everything at a glance: markets, books, queues, circuits, clocks, and each instrument's best prices."""

import time
from collections import Counter
from typing import Any, ClassVar

from cext.outbox import bucket_bounds_s

from p9.ops.dashboard.rates import Rates, brief
from p9.ops.dashboard.sources import Sources
from p9.ops.dashboard.view import View
from p9.ops.memory import resident_bytes

MOST_INSTRUMENTS = 400  # in the table; the others are found by their names
GOOD_OUTCOMES = ("events", "control", "ignored")


class Overview(View):
    every_s = 1.0
    kept: ClassVar[dict[str, int]] = {"history": 180}

    def __init__(self, sources: Sources):
        super().__init__()
        self._sources = sources
        self._rates = Rates()
        self._confirmed: dict[str, list[list[int]]] = {}  # the latency counters of the last looks, by class

    def look(self, now_s: float) -> dict[str, Any]:
        status = self._sources.status()
        missing = self._sources.not_ready()
        delivery = status["delivery"]
        markets = {name: self._market(name, row, now_s) for name, row in status["markets"].items()}
        classes = {name: self._class(name, row, now_s) for name, row in delivery["classes"].items()}
        books = Counter(state for row in status["markets"].values() for state in Counter(row["books"]).elements())
        frames = sum(row["frames"]["received"] for row in status["markets"].values())
        confirmed = sum(row["confirmed"] for row in delivery["classes"].values())
        urgent = classes.get("HIGH", {})
        frames_s, events_s = self._rates.of("frames", frames, now_s), self._rates.of("events", confirmed, now_s)
        waiting = sum(row["waiting"] for row in delivery["classes"].values())
        rss_mb = resident_bytes() / 1e6
        self.add("history", [int(time.time()), brief(frames_s), brief(events_s), urgent.get("p99_ms"), waiting, brief(rss_mb)])
        return {
            "up_s": int(status["uptime_s"]), "ready": not missing, "missing": missing[:12], "n_missing": len(missing),
            "frames_s": brief(frames_s), "events_s": brief(events_s), "waiting": waiting, "rss_mb": brief(rss_mb),
            "books": {"synced": books["synced"], "all": sum(books.values())},
            "gaps": {"open": status["gaps"].get("open", 0), "all": sum(row["counters"]["gaps"] + row["counters"]["trade_gaps"] for row in status["markets"].values())},
            "markets": markets, "classes": classes, "lanes": {name: self._lane(row) for name, row in delivery["lanes"].items()},
            "redis": status["redis"], "spool": delivery["spool"], "quarantined": delivery["quarantined"], "replays": delivery["replays"],
            "clocks": {name: row for name, row in status["clocks"].items() if name != "local"}, "steps": status["clocks"]["local"].get("steps", 0),
            "lateness": status["lateness"], "instruments": self._instruments(now_s),
        }  # fmt: skip

    def _market(self, name: str, row: dict[str, Any], now_s: float) -> dict[str, Any]:
        outcomes = row["frames"]["outcomes"]
        delays = row["delay"]["topics"].values()
        worst = max(delays, key=lambda topic: topic["delay_ms"] - topic["usual_ms"], default=None)
        return {
            "exchange": row["exchange"], "state": row["state"], "reason": row["reason"] or None, "faults": row["faults"],
            "live": row["sockets"].get("live", 0), "sockets": sum(row["sockets"].values()),
            "synced": row["books"].get("synced", 0), "books": sum(row["books"].values()),
            "frames_s": brief(self._rates.of(f"{name} frames", row["frames"]["received"], now_s)),
            "kb_s": brief((self._rates.of(f"{name} bytes", row["frames"]["bytes"], now_s) or 0) / 1e3),
            "trades_s": brief(self._rates.of(f"{name} trades", row["counters"]["trades"], now_s)),
            "gaps": row["counters"]["gaps"], "trade_gaps": row["counters"]["trade_gaps"],
            "repairing": len(row["resync"].get("broken", ())), "repair_ms": brief((row["resync"].get("repair_ms") or {}).get("p50")),
            "refused": sum(n for outcome, n in outcomes.items() if outcome not in GOOD_OUTCOMES),
            "delay_ms": brief(worst and worst["delay_ms"]), "delay_state": worst and worst["state"],
            "odd": row["liveness"].get("odd") or None,
        }  # fmt: skip

    def _class(self, name: str, row: dict[str, Any], now_s: float) -> dict[str, Any]:
        return {
            "accepted_s": brief(self._rates.of(f"{name} accepted", row["accepted"], now_s)),
            "confirmed_s": brief(self._rates.of(f"{name} confirmed", row["confirmed"], now_s)),
            "conflated_s": brief(self._rates.of(f"{name} conflated", row["conflated"], now_s)),
            "accepted": row["accepted"], "shed": row["shed"], "quarantined": row["quarantined"], "waiting": row["waiting"],
            "on_disk": row["waiting_on_disk"], "retries": row["retries"], "waiting_kb": round(row["waiting_bytes"] / 1e3),
            **self._latency(name, row["confirm_s"]),
        }  # fmt: skip

    def _latency(self, name: str, counts: list[int]) -> dict[str, Any]:
        """Accept to confirmation over the last ten seconds."""
        seen = self._confirmed.setdefault(name, [])
        seen.append(counts)
        del seen[:-11]
        fresh = [now - then for now, then in zip(counts, seen[0] if len(seen) > 1 else [0] * len(counts), strict=True)]
        return {"p50_ms": quantile_ms(fresh, 0.5), "p99_ms": quantile_ms(fresh, 0.99)}

    def _lane(self, row: dict[str, Any]) -> dict[str, Any]:
        circuit = row["circuit"]
        return {"connected": row["connected"], "state": circuit["state"], "reason": circuit["reason"] or None, "opened": circuit["opened"], "connects": row["connects"]}

    def _instruments(self, now_s: float) -> dict[str, Any]:
        rows: dict[str, Any] = {}
        for capture, ix, instrument in self._sources.instruments():
            if len(rows) >= MOST_INSTRUMENTS:
                break
            book = capture.pipeline.book(ix, 1)
            key = f"{instrument.exchange} {instrument.symbol}"
            counters = capture.pipeline.instrument_counters(ix)
            rows[key] = {
                "state": book["state"], "bid": book["bids"][0][0] if book["bids"] else None, "ask": book["asks"][0][0] if book["asks"] else None,
                "depth_s": brief(self._rates.of(f"{key} depth", counters["depth_frames"], now_s), 2),
                "trades_s": brief(self._rates.of(f"{key} trades", counters["trades"], now_s), 2),
            }
        return rows


def quantile_ms(counts: list[int], q: float) -> float | None:
    """Upper bound of the bucket that holds the quantile."""
    total, below = sum(counts), 0
    for n, bound_s in zip(counts, bucket_bounds_s(), strict=True):
        below += n
        if total and below >= q * total:
            return brief(bound_s * 1e3) if bound_s != float("inf") else None
    return None
