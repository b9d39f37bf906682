"""Prometheus metrics, read from the counters where they are counted at the moment of a scrape.

Names: p9_<noun>_<unit>[_total]. Labels: market (venue_line), outcome, verdict, class.
"""

from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BOOK_COUNTERS = {
    "depth_frames": "Depth frames decoded", "applied": "Depth events applied to a book", "stale": "Depth events already in the book",
    "gaps": "Holes in a depth stream", "images": "Full images loaded", "too_old": "Images older than the changes held",
    "crossed": "Books found crossed", "lost_frames": "Depth frames that could not be read", "checksums": "Checksums checked",
    "checksums_matched": "Checksums that matched", "touches_compared": "Best bid/ask events compared with the book at the same update id",
    "touches_agreed": "Best bid/ask events that agreed with the book", "trades": "Trades",
    "repeated_trades": "Trades that were known already", "backfilled_trades": "Trades fetched by REST",
    "trade_gaps": "Holes in the trades",
}


class Status(Collector):
    """Turns the appliance's status (app.Appliance.status) into metrics."""

    def __init__(self, status: Callable[[], dict[str, Any]]):
        self._status = status

    def collect(self) -> Iterator[Metric]:
        status = self._status()
        up = GaugeMetricFamily("p9_uptime_seconds", "Time since the start")
        up.add_metric([], status["uptime_s"])
        yield up
        yield from self._markets(status["markets"])
        yield from self._delivery(status["delivery"])
        yield from self._gaps(status["gaps"])
        yield from self._times(status)

    def _markets(self, markets: dict[str, Any]) -> Iterator[Metric]:
        frames = CounterMetricFamily("p9_frames", "WebSocket frames received, by what became of them", labels=["market", "outcome"])
        received = CounterMetricFamily("p9_received_bytes", "WebSocket payload received", labels=["market"])
        books = GaugeMetricFamily("p9_books", "Books by state", labels=["market", "state"])
        sockets = GaugeMetricFamily("p9_sockets", "Sockets by state", labels=["market", "state"])
        counters = {
            name: CounterMetricFamily(f"p9_{name}", text, labels=["market"]) for name, text in _BOOK_COUNTERS.items()
        }
        for market, state in markets.items():
            for outcome, n in state["frames"]["outcomes"].items():
                frames.add_metric([market, outcome], n)
            received.add_metric([market], state["frames"]["bytes"])
            for name, n in state["books"].items():
                books.add_metric([market, name], n)
            for name, n in state["sockets"].items():
                sockets.add_metric([market, name], n)
            for name, family in counters.items():
                family.add_metric([market], state["counters"][name])
        yield from (frames, received, books, sockets, *counters.values())

    def _times(self, status: dict[str, Any]) -> Iterator[Metric]:
        delay = GaugeMetricFamily("p9_venue_delay_seconds", "The venue's time to ours, median of the last second", labels=["market", "topic"])
        usual = GaugeMetricFamily("p9_venue_delay_usual_seconds", "The same, median of ten minutes", labels=["market", "topic"])
        state = GaugeMetricFamily("p9_venue_delay_state", "1 for the state that a topic is in", labels=["market", "topic", "state"])
        skew = GaugeMetricFamily("p9_clock_offset_seconds", "The venue's clock minus ours", labels=["exchange"])
        for market, row in status["markets"].items():
            for topic, figures in row["delay"]["topics"].items():
                delay.add_metric([market, topic], figures["delay_ms"] / 1e3)
                usual.add_metric([market, topic], figures["usual_ms"] / 1e3)
                for name in ("normal", "degraded", "stale"):
                    state.add_metric([market, topic, name], figures["state"] == name)
        for exchange, clock in status["clocks"].items():
            if clock.get("offset_ms") is not None:
                skew.add_metric([exchange], clock["offset_ms"] / 1e3)
        steps = CounterMetricFamily("p9_clock_steps", "How often our own clock was set")
        steps.add_metric([], status["clocks"]["local"].get("steps", 0))
        late = GaugeMetricFamily("p9_loop_late_seconds", "How late the loop's last turn was")
        late.add_metric([], status["lateness"].get("late_ms", 0.0) / 1e3)
        yield from (delay, usual, state, skew, steps, late)

    def _gaps(self, gaps: dict[str, Any]) -> Iterator[Metric]:
        missing = GaugeMetricFamily("p9_open_gaps", "Gaps that are not settled")
        missing.add_metric([], gaps["open"])
        family = CounterMetricFamily("p9_gap_changes", "Gaps by what they lacked, and why they opened or how they ended", labels=["kind", "change"])
        for name, n in gaps["counts"].items():
            kind, _, change = name.partition("_")
            family.add_metric([kind, change], n)
        yield from (missing, family)

    def _delivery(self, delivery: dict[str, Any]) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        for cls, counts in delivery["classes"].items():
            for name, n in counts.items():
                if not isinstance(n, int | float):
                    continue
                kind = GaugeMetricFamily if name.startswith("waiting") else CounterMetricFamily
                family = families.setdefault(name, kind(f"p9_events_{name}", f"Events {name.replace('_', ' ')}", labels=["class"]))
                family.add_metric([cls], n)
        yield from families.values()


def exposition(status: Callable[[], dict[str, Any]]) -> Callable[[], bytes]:
    """A function that writes the text that Prometheus scrapes."""
    registry = CollectorRegistry()
    registry.register(Status(status))
    return lambda: generate_latest(registry)
