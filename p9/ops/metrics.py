"""Prometheus metrics, read from the counters where they are counted at the moment of a scrape.

Names: p9_<noun>_<unit>[_total]. Labels: market (venue_line), outcome, verdict, class.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, get_args

from cext.outbox import bucket_bounds_s
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from p9.capture.ledger import GapKind

GAUGES = {"waiting", "waiting_bytes", "waiting_on_disk", "memory_bytes", "kept_bytes", "replaying"}
_BOOK_COUNTERS = {
    "depth_frames": "Depth frames decoded", "applied": "Depth events applied to a book", "stale": "Depth events already in the book",
    "gaps": "Holes in a depth stream", "images": "Full images loaded", "too_old": "Images older than the changes held",
    "crossed": "Books found crossed", "lost_frames": "Depth frames that could not be read", "checksums": "Checksums checked",
    "checksums_matched": "Checksums that matched", "touches_compared": "Best bid/ask events compared with the book at the same update id",
    "touches_agreed": "Best bid/ask events that agreed with the book", "trades": "Trades",
    "repeated_trades": "Trades that were known already", "backfilled_trades": "Trades fetched by REST",
    "trade_gaps": "Holes in the trades", "prints": "Trades merged into bursts of one taker", "lost_prints": "Bursts too large to add up",
    "liquidations": "Liquidations", "repeated_liquidations": "Liquidations that were known already", "blocks": "Negotiated trades",
    "repeated_blocks": "Negotiated trades that were known already",
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
        yield from self._process(status["process"])
        yield from self._markets(status["markets"])
        yield from self._delivery(status["delivery"])
        yield from self._gaps(status["gaps"])
        if status["snapshots"] is not None:
            yield from self._snapshots(status["snapshots"])
        yield from self._times(status)
        yield from self._configuration(status["reload"])
        yield from self._boards(status["boards"])
        yield from self._micro_prices(status["micro_prices"])
        yield from self._options(status["options"])
        yield from self._accounts(status["accounts"])
        yield from self._availability(status["availability"])
        yield from self._signals(status["signals"])
        yield from self._history(status["markets"])

    def _signals(self, signals: dict[str, Any]) -> Iterator[Metric]:
        """How often each began, and how long each stage took; the look over all venues by its median and worst of late."""
        if not signals:
            return
        begun = CounterMetricFamily("p9_signals_begun", "Signals that came into force", labels=["signal"])
        for name, n in {**signals["base"], "all": signals["begun"]}.items():
            begun.add_metric([name], n)
        yield begun
        family = HistogramMetricFamily("p9_signal_latency_seconds", "From a signal's newest input to its event", labels=["stage"])
        for stage, name in (("base", "base_ns"), ("aggregate", "total_ns")):
            family.add_metric([stage], *_octaves(signals[name]))
        yield family
        if signals["look_ms"] is not None:
            look = GaugeMetricFamily("p9_signal_look_seconds", "One look at all instruments' aggregates, over venues", labels=["of_late"])
            for name, value_ms in signals["look_ms"].items():
                look.add_metric([name], value_ms / 1e3)
            yield look

    def _availability(self, markets: dict[str, Any]) -> Iterator[Metric]:
        """Of each market: whether it is whole, for how long of what was seen it was, and the share of thirty days."""
        now = GaugeMetricFamily("p9_market_available", "1: every book synced, no topic stale", labels=["market"])
        available = CounterMetricFamily("p9_market_available_seconds", "Time in which the market was whole", labels=["market"])
        observed = CounterMetricFamily("p9_market_observed_seconds", "Time in which that was looked at", labels=["market"])
        ratio = GaugeMetricFamily("p9_market_availability_30d_ratio", "Share of the observed time of thirty days, over restarts", labels=["market"])
        for market, row in markets.items():
            now.add_metric([market], int(row["now"]))
            available.add_metric([market], row["available_s"])
            observed.add_metric([market], row["observed_s"])
            if row["ratio_30d"] is not None:
                ratio.add_metric([market], row["ratio_30d"])
        yield from (now, available, observed, ratio)

    def _configuration(self, reload: dict[str, Any] | None) -> Iterator[Metric]:
        """As Prometheus tells of its own. Without a file there is nothing to tell."""
        if reload is None:
            return
        successful = GaugeMetricFamily("p9_config_last_reload_successful", "1: what the file says is in force; 0: the last good one is")
        successful.add_metric([], int(reload["successful"]))
        applied = GaugeMetricFamily("p9_config_last_reload_success_timestamp_seconds", "When what is in force was read")
        applied.add_metric([], reload["applied_s"])
        waiting = GaugeMetricFamily("p9_config_changes_awaiting_restart", "Changed keys that a restart would bring into force")
        waiting.add_metric([], len(reload["needs_restart"]))
        reloads = CounterMetricFamily("p9_config_reloads", "Times that the file was read anew", labels=["result"])
        reloads.add_metric(["applied"], reload["reloads"])
        reloads.add_metric(["refused"], reload["refusals"])
        yield from (successful, applied, waiting, reloads)

    def _micro_prices(self, micro_prices: dict[str, Any]) -> Iterator[Metric]:
        state = GaugeMetricFamily("p9_micro_price_instruments", "Instruments whose micro-price is being learnt, and of them those with a fit", labels=["state"])
        done = CounterMetricFamily("p9_micro_price", "What was done about micro-prices", labels=["what"])
        for name, value in micro_prices.items():
            (state if name in ("learning", "fitted") else done).add_metric([name], value)
        yield from (state, done)

    def _process(self, process: dict[str, Any]) -> Iterator[Metric]:
        for name, text in {"resident_bytes": "Resident memory of the process", "open_files": "Open files and sockets", "threads": "Threads", "tasks": "Tasks of the loop"}.items():
            if process[name] is not None:
                family = GaugeMetricFamily(f"p9_{name}", text)
                family.add_metric([], process[name])
                yield family
        cpu = CounterMetricFamily("p9_cpu_seconds", "Processor time, user and system")
        cpu.add_metric([], process["cpu_s"])
        yield cpu

    def _markets(self, markets: dict[str, Any]) -> Iterator[Metric]:
        frames = CounterMetricFamily("p9_frames", "WebSocket frames received, by what became of them", labels=["market", "outcome"])
        received = CounterMetricFamily("p9_received_bytes", "WebSocket payload received", labels=["market"])
        books = GaugeMetricFamily("p9_books", "Books by state", labels=["market", "state"])
        sockets = GaugeMetricFamily("p9_sockets", "Sockets by state", labels=["market", "state"])
        counters = {
            name: CounterMetricFamily(f"p9_{name}", text, labels=["market"]) for name, text in _BOOK_COUNTERS.items()
        }
        derived = CounterMetricFamily("p9_stream_findings", "What derived streams found or gave up, by stream and kind", labels=["market", "stream", "kind"])
        for market, state in markets.items():
            for stream, kinds in state["streams"].items():
                for kind, n in kinds.items():
                    derived.add_metric([market, stream, kind], n)
            for outcome, n in state["frames"]["outcomes"].items():
                frames.add_metric([market, outcome], n)
            received.add_metric([market], state["frames"]["bytes"])
            for name, n in state["books"].items():
                books.add_metric([market, name], n)
            for name, n in state["sockets"].items():
                sockets.add_metric([market, name], n)
            for name, family in counters.items():
                family.add_metric([market], state["counters"][name])
        yield from (frames, received, books, sockets, derived, *counters.values())

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

    def _boards(self, boards: dict[str, Any]) -> Iterator[Metric]:
        polls = CounterMetricFamily("p9_polls", "Questions on a timer, by what became of them", labels=["market", "kind", "outcome"])
        refused = CounterMetricFamily("p9_values_refused", "Polled or streamed values that could not be used", labels=["market", "kind", "reason"])
        age = GaugeMetricFamily("p9_poll_age_seconds", "Since the last good answer", labels=["market", "kind"])
        facts = CounterMetricFamily("p9_facts", "Funding, prices, open interest: what was said, and what was published of it", labels=["kind", "what"])
        compared = CounterMetricFamily("p9_facts_compared", "Polled figures held against the stream's", labels=["kind", "outcome"])
        for market, part in boards.get("markets", {}).items():
            for kind, counts in part["polls"]["counts"].items():
                for outcome, n in counts.items():
                    polls.add_metric([market, kind, outcome], n)
            for kind, counts in part["polls"]["bad"].items():
                for reason, n in counts.items():
                    refused.add_metric([market, kind, reason], n)
            for reason, n in part["live"].get("bad", {}).items():
                refused.add_metric([market, "live", reason], n)
            ages: dict[str, float] = {}
            for row in part["polls"]["rows"]:
                if row["age_s"] is not None:
                    ages[row["kind"]] = min(row["age_s"], ages.get(row["kind"], row["age_s"]))
            for kind, age_s in ages.items():
                age.add_metric([market, kind], age_s)
        for kind, state in boards.get("board", {}).items():
            for what, n in state["counts"].items():
                facts.add_metric([kind, what], n)
            for outcome in ("agreed", "differed"):
                compared.add_metric([kind, outcome], state[outcome])
        stress = GaugeMetricFamily("p9_insurance_stress", "Stress that was told of an asset's insurance pools: 0 LOW to 3 CRITICAL", labels=["fund"])
        for fund, state in boards.get("insurance", {}).get("funds", {}).items():
            if state["stress"] is not None:
                stress.add_metric([fund], ("LOW", "MEDIUM", "HIGH", "CRITICAL").index(state["stress"]))
        alerts = CounterMetricFamily("p9_insurance_alerts", "Alerts about insurance pools", labels=["kind"])
        for name, n in boards.get("insurance", {}).get("counts", {}).items():
            if name.startswith("alerts_"):
                alerts.add_metric([name.removeprefix("alerts_")], n)
        adl = GaugeMetricFamily("p9_adl_instruments", "Instruments by what their venue says of deleveraging", labels=["state"])
        for name, n in boards.get("adl", {}).get("states", {}).items():
            adl.add_metric([name], n)
        for what, n in boards.get("adl", {}).get("counts", {}).items():
            facts.add_metric(["adl", what], n)
        blocks = CounterMetricFamily("p9_blocks_refused", "Negotiated trades whose numbers do not fit their instrument")
        blocks.add_metric([], boards.get("refused_blocks", 0))
        yield from (polls, refused, age, facts, compared, stress, alerts, adl, blocks)

    def _accounts(self, accounts: dict[str, Any]) -> Iterator[Metric]:
        up = GaugeMetricFamily("p9_account_up", "Whether an account's private stream is subscribed", labels=["account"])
        refused = CounterMetricFamily("p9_account_logins_refused", "Logins that the venue refused", labels=["account"])
        orders = CounterMetricFamily("p9_account_stop_orders", "Stop orders of one's own that were triggered, by what became of them", labels=["account", "outcome"])
        bad = CounterMetricFamily("p9_account_frames_refused", "Private frames and values that could not be used, by what was wrong", labels=["account", "reason"])
        losses = CounterMetricFamily("p9_account_losses", "Losses of an account's private stream: filled, lost, and the orders fetched afterwards", labels=["account", "outcome"])
        for name, state in accounts.get("streams", {}).items():
            up.add_metric([name], state["feed"]["state"] == "live")
            refused.add_metric([name], state["feed"]["errors"].get("login_refused", 0))
            for outcome, n in state["counts"].items():
                orders.add_metric([name, outcome], n)
            for outcome, n in state["losses"].items():
                losses.add_metric([name, outcome], n)
            for reason, n in state["bad"].items():
                bad.add_metric([name, reason], n)
        yield from (up, refused, orders, losses, bad)

    def _options(self, options: dict[str, Any]) -> Iterator[Metric]:
        names = {
            "options": "Options that are captured", "age_s": "Since the newest quote", "checked": "Marks that the newest event compared with their volatility",
            "disagreeing": "Those of them that do not fit",
        }  # fmt: skip
        gauges = {
            name: GaugeMetricFamily(f"p9_option_chain_{name.replace('_s', '_seconds')}", text, labels=["exchange", "underlying"]) for name, text in names.items()
        }
        events = CounterMetricFamily("p9_option_events", "Events of option chains", labels=["exchange"])
        busy = CounterMetricFamily("p9_option_busy_seconds", "Time that options were read and told", labels=["exchange"])
        slices = GaugeMetricFamily("p9_option_longest_slice_seconds", "The longest time that options kept the loop", labels=["exchange"])
        refused = CounterMetricFamily("p9_option_refusals", "Rows, frames and values of options that could not be used, by kind", labels=["exchange", "kind"])
        for exchange, state in options.items():
            events.add_metric([exchange], state["events"])
            busy.add_metric([exchange], state["busy_s"])
            slices.add_metric([exchange], state["longest_slice_s"])
            kinds = Counter(state["counts"])
            for underlying, chain in state["chains"].items():
                kinds.update(chain["counts"])
                for name, gauge in gauges.items():
                    if chain[name] is not None:
                        gauge.add_metric([exchange, underlying], chain[name])
            for kind, n in kinds.items():
                refused.add_metric([exchange, kind], n)
        yield from (*gauges.values(), events, busy, slices, refused)

    def _history(self, markets: dict[str, Any]) -> Iterator[Metric]:
        """How far the first candles have been made whole."""
        instruments = GaugeMetricFamily("p9_seeding_instruments", "Instruments whose first candles wait for history, or are whole", labels=["market", "stage"])
        results = CounterMetricFamily("p9_seeding", "Seconds seen live and in history, questions that failed, differences told", labels=["market", "result"])
        for market, state in markets.items():
            for stage, n in state["seeding"].get("stages", {}).items():
                instruments.add_metric([market, stage], n)
            for result, n in state["seeding"].get("counts", {}).items():
                results.add_metric([market, result], n)
        yield from (instruments, results)

    def _gaps(self, gaps: dict[str, Any]) -> Iterator[Metric]:
        missing = GaugeMetricFamily("p9_open_gaps", "Gaps that are not settled")
        missing.add_metric([], gaps["open"])
        family = CounterMetricFamily("p9_gap_changes", "Gaps by what they lacked, and why they opened or how they ended", labels=["kind", "change"])
        for name, n in gaps["counts"].items():
            kind = next((kind for kind in get_args(GapKind) if name.startswith(f"{kind}_")), name)
            family.add_metric([kind, name.removeprefix(kind).lstrip("_")], n)
        yield from (missing, family)

    def _snapshots(self, snapshots: dict[str, Any]) -> Iterator[Metric]:
        frames = CounterMetricFamily("p9_snapshot_frames", "Snapshots made for storage, by kind", labels=["kind"])
        frames.add_metric(["key"], snapshots["key_frames"])
        frames.add_metric(["changes"], snapshots["change_frames"])
        packed = CounterMetricFamily("p9_snapshot_packed_bytes", "Snapshots packed for storage")
        packed.add_metric([], snapshots["packed_bytes"])
        lost = CounterMetricFamily("p9_snapshots_lost", "Snapshots that were not stored, by where they were lost", labels=["where"])
        errors = CounterMetricFamily("p9_snapshot_errors", "Refusals of what stores snapshots", labels=["where"])
        for where, name in (("memory", "lost"), ("disk", "disk_lost"), ("redis", "redis_lost")):
            lost.add_metric([where], snapshots[name])
        errors.add_metric(["redis"], snapshots["redis_errors"])
        waiting = GaugeMetricFamily("p9_snapshot_waiting_bytes", "Snapshots in memory that wait to be stored")
        waiting.add_metric([], snapshots["waiting_bytes"])
        if snapshots["disk"] is not None:
            errors.add_metric(["disk"], snapshots["disk"]["errors"])
            stored = GaugeMetricFamily("p9_snapshot_disk_bytes", "Stored snapshots on disk, as of the last minute")
            stored.add_metric([], snapshots["disk"]["bytes"])
            yield stored
        yield from (frames, packed, lost, errors, waiting)

    def _delivery(self, delivery: dict[str, Any]) -> Iterator[Metric]:
        yield from self._events(delivery)
        yield from self._latency(delivery["classes"])
        errors = CounterMetricFamily("p9_bus_errors", "Error replies of Redis, by kind", labels=["kind"])
        for kind, n in delivery["errors"].items():
            errors.add_metric([kind], n)
        refusals = CounterMetricFamily("p9_bus_refusals", "Batches refused, connections lost, not made or too slow, by kind", labels=["kind"])
        for kind, n in delivery["refusals"].items():
            refusals.add_metric([kind], n)
        connected = GaugeMetricFamily("p9_bus_connected", "1 where the lane has its connection", labels=["lane"])
        circuit = GaugeMetricFamily("p9_circuit_state", "1 for the state that the lane's circuit is in", labels=["lane", "state"])
        opened = CounterMetricFamily("p9_circuit_opened", "How often the lane's circuit opened", labels=["lane"])
        for lane, state in delivery["lanes"].items():
            connected.add_metric([lane], state["connected"])
            opened.add_metric([lane], state["circuit"]["opened"])
            for name in ("closed", "open", "half_open"):
                circuit.add_metric([lane, name], state["circuit"]["state"] == name)
        replays = CounterMetricFamily("p9_bus_replays", "How often Redis had forgotten what it had confirmed")
        replays.add_metric([], delivery["replays"])
        quarantined = GaugeMetricFamily("p9_channels_quarantined", "Channels whose key refuses our commands")
        quarantined.add_metric([], len(delivery["quarantined"]))
        yield from (errors, refusals, connected, circuit, opened, replays, quarantined)
        if delivery["spool"] is not None:
            yield from self._spool(delivery["spool"])

    def _spool(self, spool: dict[str, Any]) -> Iterator[Metric]:
        for name, text in {"bytes": "Bytes in the spool", "segments": "Files of the spool", "unread": "Events that live in the spool alone"}.items():
            family = GaugeMetricFamily(f"p9_spool_{name}", text)
            family.add_metric([], spool[name])
            yield family
        for name, text in {
            "errors": "Refusals of the spool's disk", "torn": "Spool files whose end was torn", "shed": "Events given up for the spool's bound",
            "damaged": "Events lost to damage on disk",
        }.items():  # fmt: skip
            counter = CounterMetricFamily(f"p9_spool_{name}", text)
            counter.add_metric([], spool[name])
            yield counter

    def _latency(self, classes: dict[str, Any]) -> Iterator[Metric]:
        """A bucket an octave: the counters have four."""
        for name, text in {"confirm_s": "From accept to confirmation", "age_s": "From the received frame to confirmation"}.items():
            family = HistogramMetricFamily(f"p9_events_{name.removesuffix('_s')}_seconds", text, labels=["class"])
            for cls, counts in classes.items():
                family.add_metric([cls], *_octaves(counts[name]))
            yield family

    def _events(self, delivery: dict[str, Any]) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        success = GaugeMetricFamily("p9_events_success_ratio", "Confirmed of what came to an end other than conflation", labels=["class"])
        for cls, counts in delivery["classes"].items():
            for name, n in counts.items():
                if not isinstance(n, int | float):
                    continue
                kind = GaugeMetricFamily if name in GAUGES else CounterMetricFamily
                family = families.setdefault(name, kind(f"p9_events_{name}", f"Events {name.replace('_', ' ')}", labels=["class"]))
                family.add_metric([cls], n)
            ended = counts["confirmed"] + counts["shed"] + counts["quarantined"]
            success.add_metric([cls], counts["confirmed"] / ended if ended else 1.0)
        yield success
        yield from families.values()


def exposition(status: Callable[[], dict[str, Any]]) -> Callable[[], bytes]:
    """A function that writes the text that Prometheus scrapes."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(Status(status))
    return lambda: generate_latest(registry)


def _octaves(counts: list[int]) -> tuple[list[tuple[str, float]], float]:
    """(buckets, sum) of a histogram of cext.latency: a bucket an octave, where the counters have four."""
    bounds, below, total, buckets = bucket_bounds_s(), 0, 0.0, []
    for n, (bound, count) in enumerate(zip(bounds, counts, strict=True)):
        below += count
        total += count * (bound if bound != float("inf") else bounds[-2])
        if n % 4 == 0 or bound == float("inf"):
            buckets.append(("+Inf" if bound == float("inf") else f"{bound:g}", below))
    return buckets, total
