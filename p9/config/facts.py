"""Funding, mark price, open interest: what streams and polls say of an instrument beside its book and trades."""

from typing import Annotated, get_args

from p9.config.section import Seconds, Section, between, text
from p9.config.streams import Stream
from p9.config.venues import Exchange

_INTERVAL = (Seconds("1s"), Seconds("1h"))


class Polled(Stream):
    """What is asked by REST on a timer, and live where the venue streams it."""

    live: Annotated[bool, text("take it from the venue's stream too, where there is one; the poll then checks it")] = True


class Funding(Polled):
    """Funding rates."""

    poll_interval: Annotated[Seconds, text("between two questions by REST")] = Seconds("30s")
    disagreement: Annotated[float, between(0.0, 1.0, "rates of stream and poll further apart than this disagree")] = 0.0001

    _bounds = {"poll_interval": _INTERVAL}


class MarkPrice(Polled):
    """Mark and index prices."""

    poll_interval: Annotated[Seconds, text("between two questions by REST")] = Seconds("10s")
    disagreement_bps: Annotated[float, between(0.0, 10_000.0, "prices of stream and poll further apart than this disagree, in basis points")] = 20.0

    _bounds = {"poll_interval": _INTERVAL}


class OpenInterest(Polled):
    """Open interest."""

    poll_interval: Annotated[Seconds, text("between two questions by REST")] = Seconds("15s")
    disagreement_percent: Annotated[float, between(0.0, 100.0, "figures of stream and poll further apart than this disagree, in percent")] = 1.0

    _bounds = {"poll_interval": _INTERVAL}


class StressThresholds(Section):
    """Levels of stress by the change of a pool over 24 h in percent; above `medium` it is LOW."""

    critical: Annotated[float, between(-100.0, 0.0, "percent; at or below it CRITICAL")] = -10.0
    high: Annotated[float, between(-100.0, 0.0, "percent; at or below it HIGH")] = -5.0
    medium: Annotated[float, between(-100.0, 0.0, "percent; at or below it MEDIUM")] = -1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.critical < self.high < self.medium:
            raise ValueError(f"found critical {self.critical:g}, high {self.high:g}, medium {self.medium:g}; each must be below the next")


class InsuranceFundMonitor(Stream):
    """The venues' insurance pools: balances, their change over 24 h, alerts."""

    poll_interval: Annotated[Seconds, text("between two questions by REST")] = Seconds("5m")
    exchanges: Annotated[tuple[Exchange, ...], text("whose pools are watched")] = get_args(Exchange)
    stress_thresholds: StressThresholds = StressThresholds()
    alerts_channel: Annotated[str, text("another first word of the alerts' channel; empty: insurance_alerts")] = ""
    fast_decline: Annotated[float, between(-100.0, -0.01, "percent lost within one hour that is an alert, whatever the level")] = -3.0
    recovery: Annotated[float, between(0.0, 1.0, "a level is left, in alerts, when the change is above so much of its threshold")] = 0.9
    tolerance: Annotated[Seconds, text("how far from 24 h ago a known balance may be; else the change is not known")] = Seconds("40m")
    stale_after: Annotated[Seconds, text("a balance that the venue told longer ago raises no stress; shared pools are told once a day")] = Seconds("50h")
    live: Annotated[bool, text("take it from the venue's stream too, where there is one")] = True

    _bounds = {
        "poll_interval": (Seconds("1s"), Seconds("1h")), "tolerance": (Seconds("1m"), Seconds("6h")), "stale_after": (Seconds("1h"), Seconds("7d")),
    }  # fmt: skip


class Reference(Polled):
    """Reference data: instruments, what changes of them, risk and fees, status and calendar."""

    poll_interval: Annotated[Seconds, text("between two questions for the venue's status; risk and price limits are asked at multiples of it")] = Seconds("1m")
    instruments_interval: Annotated[Seconds, text("between two readings of the instruments, where the venue says nothing of a change")] = Seconds("10m")

    _bounds = {"poll_interval": _INTERVAL, "instruments_interval": (Seconds("1s"), Seconds("24h"))}


class Adl(Polled):
    """Auto-deleveraging: state and reason where the venue tells them or its rule, or how likely it is."""

    poll_interval: Annotated[Seconds, text("between two questions by REST")] = Seconds("1m")

    _bounds = {"poll_interval": _INTERVAL}


class Boards(Section):
    """How what streams and polls say is merged."""

    publish: Annotated[Seconds, text("between two looks at what changed")] = Seconds("250ms")
    stale_intervals: Annotated[int, between(2, 100, "intervals of a poll without an answer, after which what it said is not known any more")] = 3
    disagreements: Annotated[int, between(1, 100, "of stream and poll in a row that are a finding: published in audits, the topic subscribed anew")] = 2

    _bounds = {"publish": (Seconds("50ms"), Seconds("10s"))}
