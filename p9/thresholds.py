"""What the configuration says to those who look after sockets, books and clocks."""

from collections.abc import Sequence

from p9.capture.audits import AuditSettings
from p9.capture.backfill import BackfillSettings
from p9.capture.capture import CaptureSettings
from p9.capture.connection import ConnectionSettings
from p9.capture.line import FeedSettings
from p9.capture.liveness import LivenessSettings
from p9.capture.resync import ResyncSettings
from p9.capture.seeding import SeedingSettings
from p9.capture.venue_delay import VenueDelaySettings
from p9.config import Config
from p9.config.section import fill
from p9.market.rest import RestSettings
from p9.market.venue_clock import VenueClockSettings
from p9.ops.lateness import LatenessSettings


def capture_of(config: Config, name: str, symbols: Sequence[str] | None = None) -> CaptureSettings:
    """Of one market; `symbols` in place of the configured ones."""
    section, wanted = config.venues.markets()[name], config.capture
    return CaptureSettings(
        symbols=section.symbols if symbols is None else tuple(symbols), depth=section.depth, speed=section.speed, trades=section.trades,
        timer_s=float(wanted.timer), feed=feed_of(config), resync=fill(ResyncSettings, wanted.repairs), liveness=fill(LivenessSettings, wanted.liveness),
        backfill=fill(BackfillSettings, wanted.gaps, enabled=wanted.backfill), seeding=fill(SeedingSettings, wanted.first_candles, enabled=wanted.history),
        delay=_delay_of(config), audits=fill(AuditSettings, config.analytics.audits, books_s=float(config.analytics.audits.books), candles_s=float(config.analytics.audits.candles)),
        audits_word=config.analytics.audits.publish_channel,
    )  # fmt: skip


def feed_of(config: Config) -> FeedSettings:
    """Of every socket."""
    return fill(FeedSettings, config.capture.sockets, connection=fill(ConnectionSettings, config.capture.sockets))


def rest_of(config: Config) -> RestSettings:
    return fill(RestSettings, config.capture.rest, share=config.capture.rest_share)


def clock_of(config: Config) -> VenueClockSettings:
    wanted = config.monitors
    return VenueClockSettings(
        every_s=float(wanted.clock_interval), suspect_s=float(wanted.clock_suspect), suspended_s=float(wanted.clock_suspended),
        one_way_s=float(wanted.clock_one_way), calm_s=float(wanted.calm),
    )  # fmt: skip


def lateness_of(config: Config) -> LatenessSettings:
    wanted = config.monitors
    return LatenessSettings(
        low_s=float(wanted.late_shed_low), medium_s=float(wanted.late_shed_medium), calm_s=float(wanted.calm), over_times=wanted.late_times
    )


def _delay_of(config: Config) -> VenueDelaySettings:
    wanted = config.monitors
    return VenueDelaySettings(
        degraded_s=float(wanted.venue_delay_degraded), stale_s=float(wanted.venue_delay_stale), window_s=float(wanted.venue_delay_window),
        learn_s=float(wanted.venue_delay_learn), over_times=wanted.venue_delay_times, calm_s=float(wanted.calm),
    )  # fmt: skip
