"""Sockets, books, clocks."""

from typing import Annotated

from p9.config.section import Bytes, Seconds, Section, between, text


class Sockets(Section):
    """How long a socket is waited for, how it comes back, and when it is replaced."""

    connect: Annotated[Seconds, text("for a connection, its TLS and its upgrade")] = Seconds("10s")
    ack: Annotated[Seconds, text("for the answer to a subscription")] = Seconds("10s")
    tries: Annotated[int, between(1, 20, "of a subscription that nobody answers; then the socket is given up")] = 3
    backoff_first: Annotated[Seconds, text("pause before a lost socket is opened again: at random up to this, doubling")] = Seconds("250ms")
    backoff_most: Annotated[Seconds, text("and at most")] = Seconds("1m")
    good_after: Annotated[Seconds, text("of data: then the next loss is answered at once again")] = Seconds("30s")
    silent: Annotated[Seconds, text("without any data: the socket is dead, whatever its heartbeat says")] = Seconds("1m")
    rotate: Annotated[Seconds, text("a socket is replaced after this long, before the venue closes it; its successor stands by first")] = Seconds("23h")
    rotate_jitter: Annotated[Seconds, text("at random up to so much earlier, so that sockets do not rotate together")] = Seconds("30m")
    rotate_pause: Annotated[Seconds, text("between two rotations of one feed")] = Seconds("30s")
    settle: Annotated[Seconds, text("a successor stands by for so long after its last acknowledgement: the images come then")] = Seconds("1s")
    standby_most: Annotated[Seconds, text("and for so long at most")] = Seconds("15s")

    _bounds = {
        **dict.fromkeys(("connect", "ack", "settle", "standby_most", "rotate_pause"), (Seconds("100ms"), Seconds("5m"))),
        **dict.fromkeys(("backoff_first", "backoff_most"), (Seconds("10ms"), Seconds("1h"))), **dict.fromkeys(("good_after", "silent"), (Seconds("1s"), Seconds("1h"))),
        "rotate": (Seconds("1m"), Seconds("24h")), "rotate_jitter": (Seconds("0s"), Seconds("12h")),
    }  # fmt: skip
    _rising = (("backoff_first", "backoff_most"), ("settle", "standby_most"), ("rotate_jitter", "rotate"))


class Repairs(Section):
    """How a book that broke comes back."""

    retry_first: Annotated[Seconds, text("an image was of no use: ask for another after this, doubling")] = Seconds("250ms")
    retry_most: Annotated[Seconds, text("and at most")] = Seconds("3s")
    quiet: Annotated[Seconds, text("no change came for so long: ask for the image anyhow, the market is quiet")] = Seconds("3s")
    refused: Annotated[Seconds, text("the venue says no to an image: ask again after this, doubling to an hour")] = Seconds("1m")
    in_band_wait: Annotated[Seconds, text("for an image in the stream after a subscription, doubling to a minute")] = Seconds("5s")
    recycle_after: Annotated[int, between(1, 100, "tries; then the socket itself is doubted")] = 5
    recycle_pause: Annotated[Seconds, text("but not again before this")] = Seconds("5m")

    _bounds = {
        **dict.fromkeys(("retry_first", "retry_most", "quiet", "in_band_wait"), (Seconds("10ms"), Seconds("1m"))),
        **dict.fromkeys(("refused", "recycle_pause"), (Seconds("1s"), Seconds("1h"))),
    }  # fmt: skip
    _rising = (("retry_first", "retry_most"),)


class Liveness(Section):
    """When one topic of a socket that speaks is held to be dead."""

    first_data: Annotated[Seconds, text("without a first word after the acknowledgement: it is subscribed again")] = Seconds("15s")
    silent: Annotated[Seconds, text("a book or best prices are silent while their siblings go on: after this at least, and")] = Seconds("5s")
    silent_times: Annotated[float, between(1.0, 1000.0, "so many times the longest pause of late")] = 8.0
    pace_half_life: Annotated[Seconds, text("of what `of late` is: a night's pauses are forgotten in the day")] = Seconds("10m")
    trades_silent: Annotated[Seconds, text("trades are silent while the book goes on: the venue is asked for its own; if it had none, again after twice as long")] = Seconds("30s")
    sibling_events: Annotated[int, between(1, 100_000, "that the siblings must have brought meanwhile")] = 20
    again: Annotated[Seconds, text("between two new subscriptions of one topic")] = Seconds("1m")
    recycle_after: Annotated[int, between(1, 100, "of them that brought nothing; then its socket is opened anew")] = 3

    _bounds = {
        **dict.fromkeys(("first_data", "silent", "trades_silent", "again"), (Seconds("500ms"), Seconds("1h"))), "pace_half_life": (Seconds("10s"), Seconds("24h")),
    }  # fmt: skip


class Gaps(Section):
    """How trades that are missing are fetched."""

    grace: Annotated[Seconds, text("what is late may come by itself")] = Seconds("250ms")
    quiet: Annotated[Seconds, text("no trade for so long after a lost socket came back: ask whether there were any")] = Seconds("5s")
    tries: Annotated[int, between(1, 100, "of one gap; answers may lag behind the stream, or fail")] = 6
    retry_first: Annotated[Seconds, text("between two of them, doubling")] = Seconds("500ms")
    retry_most: Annotated[Seconds, text("and at most")] = Seconds("30s")
    max_trades: Annotated[int, between(1, 10_000_000, "of one gap; what is longer is told as lost beyond it")] = 100_000

    _bounds = {
        "grace": (Seconds("0ms"), Seconds("10s")), "quiet": (Seconds("100ms"), Seconds("10m")),
        **dict.fromkeys(("retry_first", "retry_most"), (Seconds("10ms"), Seconds("10m"))),
    }  # fmt: skip
    _rising = (("retry_first", "retry_most"),)


class FirstCandles(Section):
    """How the first candles are made whole out of the venue's memory."""

    settle: Annotated[Seconds, text("after a moment, before the venue's memory is held to have all of it")] = Seconds("6s")
    overlap: Annotated[int, between(1, 30, "whole seconds that both saw, and must tell alike")] = 2
    tries: Annotated[int, between(1, 100, "of one question")] = 4
    again: Annotated[Seconds, text("between two of them")] = Seconds("5s")
    by_trades_most: Annotated[int, between(0, 1000, "instruments of a market; where there are more, all begin with the venue's candles, which weigh less")] = 20
    most_minutes: Annotated[int, between(1, 60, "lost trades are made good so many minutes long, one try each")] = 10

    _bounds = {"settle": (Seconds("0s"), Seconds("1m")), "again": (Seconds("100ms"), Seconds("10m"))}


class Rest(Section):
    """How a venue is asked by REST."""

    timeout: Annotated[Seconds, text("for an answer")] = Seconds("10s")
    max_in_flight: Annotated[int, between(1, 100, "questions at once a venue: a cold start of hundreds of books is a ramp, not a blow")] = 8
    attempts: Annotated[int, between(1, 20, "of a question whose answer was of no use")] = 4
    retry_first: Annotated[Seconds, text("between two of them, doubling")] = Seconds("250ms")
    retry_most: Annotated[Seconds, text("and at most")] = Seconds("5s")

    _bounds = {"timeout": (Seconds("100ms"), Seconds("2m")), **dict.fromkeys(("retry_first", "retry_most"), (Seconds("10ms"), Seconds("10m")))}
    _rising = (("retry_first", "retry_most"),)


class Capture(Section):
    """Sockets and books."""

    max_held_frames: Annotated[int, between(10, 1_000_000, "depth frames kept for a book that waits for its image")] = 2000
    max_held_bytes: Annotated[Bytes, text("the same bound in bytes")] = Bytes("8MB")
    timer: Annotated[Seconds, text("tick of what is published by the clock")] = Seconds("50ms")
    backfill: Annotated[bool, text("fetch trades that are missing by REST; false: every gap is told as lost")] = True
    history: Annotated[bool, text("fetch by REST what the first candles lack; false: they stay incomplete until their intervals are over")] = True
    rest_share: Annotated[float, between(0.05, 0.95, "share of a venue's REST budget that we allow ourselves")] = 0.5
    sockets: Sockets = Sockets()
    repairs: Repairs = Repairs()
    liveness: Liveness = Liveness()
    gaps: Gaps = Gaps()
    first_candles: FirstCandles = FirstCandles()
    rest: Rest = Rest()

    _bounds = {"max_held_bytes": (Bytes("64kB"), Bytes("1GB")), "timer": (Seconds("10ms"), Seconds("1s"))}


class Monitors(Section):
    """When data, clocks or the appliance itself are late. A state is left after `calm` below 70 % of its limit."""

    venue_delay_degraded: Annotated[Seconds, text("a topic so much over its own median is degraded")] = Seconds("250ms")
    venue_delay_stale: Annotated[Seconds, text("and so much over it stale, and the appliance not ready")] = Seconds("2s")
    venue_delay_window: Annotated[Seconds, text("of that median")] = Seconds("10m")
    venue_delay_learn: Annotated[Seconds, text("of data, before anything is judged")] = Seconds("20s")
    venue_delay_times: Annotated[int, between(1, 100, "seconds in a row over a limit")] = 3
    clock_suspect: Annotated[Seconds, text("our clock so far from the venue's: its events are flagged suspect_time")] = Seconds("250ms")
    clock_suspended: Annotated[Seconds, text("and so far: no delay is judged by it")] = Seconds("2s")
    clock_interval: Annotated[Seconds, text("between two questions for a venue's time")] = Seconds("60s")
    clock_one_way: Annotated[Seconds, text("the fastest frame of so long a time tells of the clock between them")] = Seconds("10s")
    late_shed_low: Annotated[Seconds, text("our own loop so late: LOW events are shed")] = Seconds("250ms")
    late_shed_medium: Annotated[Seconds, text("and so late: MEDIUM too; CRITICAL and HIGH never are")] = Seconds("1s")
    late_times: Annotated[int, between(1, 100, "turns of the loop in a row over a limit: a single pause is none")] = 2
    calm: Annotated[Seconds, text("before a state is left")] = Seconds("30s")

    _bounds = {
        **dict.fromkeys(
            ("venue_delay_degraded", "venue_delay_stale", "clock_suspect", "clock_suspended", "late_shed_low", "late_shed_medium"),
            (Seconds("10ms"), Seconds("10m")),
        ),
        **dict.fromkeys(("clock_interval", "calm", "venue_delay_learn", "clock_one_way"), (Seconds("1s"), Seconds("1h"))),
        "venue_delay_window": (Seconds("1m"), Seconds("24h")),
    }  # fmt: skip
    _rising = (("venue_delay_degraded", "venue_delay_stale"), ("clock_suspect", "clock_suspended"), ("late_shed_low", "late_shed_medium"))
