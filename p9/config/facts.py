"""Funding, mark price, open interest: what streams and polls say of an instrument beside its book and trades."""

from typing import Annotated

from p9.config.section import Seconds, Section, between, text
from p9.config.streams import Stream

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


class Boards(Section):
    """How what streams and polls say is merged."""

    publish: Annotated[Seconds, text("between two looks at what changed")] = Seconds("250ms")
    stale_intervals: Annotated[int, between(2, 100, "intervals of a poll without an answer, after which what it said is not known any more")] = 3
    disagreements: Annotated[int, between(1, 100, "of stream and poll in a row that are a finding: published in audits, the topic subscribed anew")] = 2

    _bounds = {"publish": (Seconds("50ms"), Seconds("10s"))}
