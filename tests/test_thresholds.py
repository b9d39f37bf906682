"""What the configuration says reaches whom it is said to: every key somebody, every threshold a key."""

import msgspec
import pytest

from p9 import thresholds
from p9.capture.capture import CaptureSettings
from p9.config import Config, parse
from p9.config.section import Bytes, Seconds, Section
from p9.errors import ConfigError
from p9.market.rest import RestSettings
from p9.market.venue_clock import VenueClockSettings
from p9.ops.lateness import LatenessSettings

# Pace of a look and room for a body are no thresholds; what a market captures stands in its own section.
NO_KEYS = {
    "feed.tick_s", "feed.connection.max_frame", "liveness.tick_s", "rest.max_body", "retry_most_s", "audits.max_minutes",
    *("symbols", "depth", "speed", "trades", "also", "audits_word"),
}  # fmt: skip
MARKET = "binance_usdm"
PARTS = {
    "capture.repairs": "resync", "capture.liveness": "liveness", "capture.gaps": "backfill", "capture.first_candles": "seeding", "capture.rest": "rest",
    "capture.sockets": "feed", "analytics.audits": "audits",
}  # fmt: skip
FIELDS = {
    "capture.timer": {"timer_s"}, "capture.backfill": {"backfill.enabled"}, "capture.history": {"seeding.enabled"}, "capture.rest_share": {"rest.share"},
    **{f"capture.sockets.{key}": {f"feed.connection.{field}"} for key, field in (("connect", "connect_s"), ("ack", "ack_s"), ("tries", "tries"))},
    **{f"monitors.venue_delay_{key}": {f"delay.{field}"} for key, field in (
        ("degraded", "degraded_s"), ("stale", "stale_s"), ("window", "window_s"), ("learn", "learn_s"), ("times", "over_times"))},
    **{f"monitors.clock_{key}": {f"clock.{field}"} for key, field in (
        ("suspect", "suspect_s"), ("suspended", "suspended_s"), ("interval", "every_s"), ("one_way", "one_way_s"))},
    **{f"monitors.late_{key}": {f"lateness.{field}"} for key, field in (("shed_low", "low_s"), ("shed_medium", "medium_s"), ("times", "over_times"))},
    "monitors.calm": {"delay.calm_s", "clock.calm_s", "lateness.calm_s"},
}  # fmt: skip
ELSEWHERE = ("capture.max_held_frames", "capture.max_held_bytes", "analytics.audits.publish_channel")  # told by the pipeline and the channel


def told(config: Config) -> dict[str, msgspec.Struct]:
    return {
        "": thresholds.capture_of(config, MARKET), "rest": thresholds.rest_of(config), "clock": thresholds.clock_of(config),
        "lateness": thresholds.lateness_of(config),
    }  # fmt: skip


def leaves(struct: msgspec.Struct, path: str = "") -> dict[str, object]:
    found = {}
    for field in struct.__struct_fields__:
        value, where = getattr(struct, field), f"{path}.{field}".lstrip(".")
        found |= leaves(value, where) if isinstance(value, msgspec.Struct) else {where: value}
    return found


def everything(config: Config) -> dict[str, object]:
    return {where: value for path, struct in told(config).items() for where, value in leaves(struct, path).items()}


def keys() -> list[str]:
    config = Config()
    sections = {"capture": config.capture, "monitors": config.monitors, "analytics.audits": config.analytics.audits}
    return [key for path, section in sections.items() for key in leaves(section, path) if key not in ELSEWHERE]


def other(key: str) -> str:
    """Another value of that key, as YAML, that is allowed whatever stands beside it."""
    *path, name = key.split(".")
    section = Config()
    for part in path:
        section = getattr(section, part)
    assert isinstance(section, Section)
    value = getattr(section, name)
    if isinstance(value, bool):
        return str(not value).lower()
    if isinstance(value, Seconds | Bytes):
        return str(Seconds(float(value) * (0.9 if any(name == less for less, _ in section._rising) or value == section._bounds[name][1] else 1.02)))
    return str(value * 0.9 if isinstance(value, float) else value + 1)


def tree(key: str, value: str) -> str:
    return "".join(f"{'  ' * depth}{part}:\n" for depth, part in enumerate(key.split(".")))[:-1] + f" {value}\n"


def test_nothing_configured_is_what_each_part_does_by_itself():
    mine = everything(Config())
    for struct, path in ((CaptureSettings(), ""), (RestSettings(), "rest"), (VenueClockSettings(), "clock"), (LatenessSettings(), "lateness")):
        for where, value in leaves(struct, path).items():
            if where not in NO_KEYS:
                assert mine[where] == value, where


@pytest.mark.parametrize("key", keys())
def test_every_key_is_told_to_whom_it_is_said_to_and_to_nobody_else(key):
    before, after = everything(Config()), everything(parse(tree(key, other(key))))
    section, name = key.rsplit(".", 1)
    wanted = FIELDS.get(key) or ({f"{PARTS[section]}.{name}", f"{PARTS[section]}.{name}_s"} & set(before))
    assert {where for where in before if before[where] != after[where]} == wanted


def test_every_threshold_has_a_key():
    before, reached = everything(Config()), set()
    for key in keys():
        after = everything(parse(tree(key, other(key))))
        reached |= {where for where in before if before[where] != after[where]}
    assert set(before) - reached == NO_KEYS


@pytest.mark.parametrize(
    "text, said",
    [
        ("capture: {sockets: {backoff_most: 100ms}}", "backoff_first"),
        ("capture: {gaps: {retry_first: 5m}}", "retry_most: found 30s, allowed is retry_first (5m) or more"),
        ("monitors: {venue_delay_stale: 100ms}", "venue_delay_degraded"),
        ("capture: {liveness: {silent: 1ms}}", "500ms to 1h"),
    ],
)
def test_thresholds_that_contradict_each_other_are_refused(text, said):
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert said in str(caught.value)
