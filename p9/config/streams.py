"""What is published of each instrument: one section a stream."""

from typing import Annotated

from p9.config.section import Seconds, Section, text


class Audits(Section):
    """Timed audits against what the venue made apart from its streams."""

    books: Annotated[Seconds, text("between two audits of one book against a REST image at an equal update id; 0s: none")] = Seconds("1h")
    candles: Annotated[Seconds, text("between two comparisons of closed minutes with the venue's own candles; 0s: none")] = Seconds("5m")
    publish_channel: Annotated[str, text("another first word of the channel; empty: audits")] = ""

    _bounds = {"books": (Seconds("0s"), Seconds("24h")), "candles": (Seconds("0s"), Seconds("9m"))}


class Stream(Section):
    """One stream of events."""

    enabled: Annotated[bool, text("publish this stream")] = True
    publish_channel: Annotated[str, text("another first word of the channel; empty: the stream's own name")] = ""


class BookTicker(Stream):
    imbalance_tracking: Annotated[bool, text("add the imbalance of the book's top 5 levels")] = True


class Snapshots(Stream):
    interval: Annotated[Seconds, text("one full book each")] = Seconds("1s")
    storage_duration: Annotated[Seconds, text("how long snapshots are kept")] = Seconds("24h")

    _bounds = {"interval": (Seconds("100ms"), Seconds("1h")), "storage_duration": (Seconds("1m"), Seconds("48h"))}


class Candles(Stream):
    close_delay: Annotated[Seconds, text("wait after a candle's end for trades that are on their way")] = Seconds("250ms")

    _bounds = {"close_delay": (Seconds("0ms"), Seconds("10s"))}


class Derived(Stream):
    """A stream of scores: its newest value, as often as that, and only when it changed."""

    interval: Annotated[Seconds, text("between two events at least")] = Seconds("250ms")

    _bounds = {"interval": (Seconds("50ms"), Seconds("1m"))}


class Cvd(Derived):
    """Cumulative volume delta: bought less sold, by timeframe."""
