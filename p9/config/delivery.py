"""Where events go, and what is done until Redis has confirmed them."""

import re
from typing import Annotated, Literal

from p9.config.section import Bytes, Seconds, Section, between, text


class Redis(Section):
    """Where events are published. The password comes from the environment or a file, never from here."""

    url: Annotated[
        str,
        text(
            "redis://, rediss:// (TLS) or unix:// address; nodes of a Cluster, or Sentinels, separated by commas; a password in it is refused"
        ),
    ] = "redis://127.0.0.1:6379/0"
    mode: Annotated[
        Literal["auto", "external", "embedded"],
        text("auto: the URL if it answers, else the embedded server; external: the URL or nothing; embedded: always our own"),
    ] = "auto"
    username: Annotated[str, text("ACL user; empty: the default user")] = ""
    password_env: Annotated[str, text("name of the environment variable that holds the password")] = "P9_REDIS_PASSWORD"
    password_file: Annotated[str, text("file that holds the password; empty: none")] = ""
    sentinel_master: Annotated[str, text("name of the master that the Sentinels of the URL watch; empty: the URL names no Sentinels")] = ""
    sentinel_password_env: Annotated[str, text("name of the environment variable that holds the Sentinels' own password")] = "P9_SENTINEL_PASSWORD"
    tls_ca_file: Annotated[str, text("authority file for rediss://; empty: the system's")] = ""
    tls_cert_file: Annotated[str, text("our own certificate, for a server that asks for one")] = ""
    tls_key_file: Annotated[str, text("and its key")] = ""
    retain: Annotated[Seconds, text("how long stream entries are kept")] = Seconds("1h")
    max_stream_bytes: Annotated[Bytes, text("bound over all streams, whichever comes first")] = Bytes("256MB")
    classes: Annotated[
        dict[str, Literal["CRITICAL", "HIGH", "MEDIUM", "LOW"]],
        text("another delivery class for a type of channel, such as {trades: CRITICAL}; CRITICAL and HIGH change places, MEDIUM and LOW too"),
    ] = {}

    _bounds = {"retain": (Seconds("1m"), Seconds("48h")), "max_stream_bytes": (Bytes("1MB"), Bytes("64GB"))}

    def __post_init__(self) -> None:
        super().__post_init__()
        if not re.match(r"(redis|rediss|unix)://", self.url):
            raise ValueError(f"url: found {self.url!r}, allowed is redis://, rediss:// or unix://")
        if re.match(r"\w+://[^/]*:[^/@]+@", self.url):
            raise ValueError("url: holds a password; put it into the environment variable that password_env names")


class Queues(Section):
    """What may wait in memory. MEDIUM, and the conflated channels of LOW, wait as one newest value a channel."""

    critical_events: Annotated[int, between(1, 10_000_000, "CRITICAL; what is over goes to the spool")] = 100_000
    critical_bytes: Annotated[Bytes, text("CRITICAL")] = Bytes("32MB")
    high_events: Annotated[int, between(1, 10_000_000, "HIGH; what is over goes to the spool")] = 400_000
    high_bytes: Annotated[Bytes, text("HIGH")] = Bytes("96MB")
    low_events: Annotated[int, between(1, 10_000_000, "LOW (depth); what is over is emptied as a unit, and a full image follows")] = 200_000
    low_bytes: Annotated[Bytes, text("LOW")] = Bytes("16MB")

    _bounds = {name: (Bytes("64kB"), Bytes("16GB")) for name in ("critical_bytes", "high_bytes", "low_bytes")}


class Spool(Section):
    """The disk under CRITICAL and HIGH, in the data directory."""

    enabled: Annotated[bool, text("false: what memory cannot hold is shed, and a stop or a kill loses what waits")] = True
    max_bytes: Annotated[Bytes, text("over it the oldest HIGH events are shed, then the oldest CRITICAL ones, and an integrity event says so")] = Bytes("2GB")
    segment_bytes: Annotated[Bytes, text("size of its files; one is removed when everything in it is confirmed")] = Bytes("8MB")
    fsync: Annotated[
        Literal["group", "always"], text("group: what waits for Redis, together, each fsync_interval; always: every event, as soon as it is accepted")
    ] = "group"
    fsync_interval: Annotated[Seconds, text("of group: the longest that an event is neither confirmed nor on disk")] = Seconds("100ms")

    _bounds = {
        "max_bytes": (Bytes("1MB"), Bytes("1024GB")), "segment_bytes": (Bytes("64kB"), Bytes("64MB")),
        "fsync_interval": (Seconds("10ms"), Seconds("10s")),
    }  # fmt: skip


class Confirmer(Section):
    """Confirmed delivery."""

    enabled: Annotated[bool, text("false: no retry and no spool; replies are still counted")] = True
    max_retries: Annotated[int, between(0, 100, "tries in a row without success before the circuit opens and Redis is only probed")] = 3
    retry_delay: Annotated[Seconds, text("first pause, doubling with full jitter")] = Seconds("500ms")
    confirm_timeout: Annotated[Seconds, text("a batch without an answer for so long is sent again on a new connection")] = Seconds("5s")
    priority_queues: Annotated[tuple[Literal["CRITICAL", "HIGH", "MEDIUM", "LOW"], ...], text("the classes, first drained first")] = (
        "CRITICAL", "HIGH", "MEDIUM", "LOW",
    )
    drain_timeout: Annotated[Seconds, text("at a stop, wait so long for confirmations; the rest goes to the spool")] = Seconds("10s")
    tail: Annotated[Seconds, text("keep what Redis confirmed so long, lest it comes back without; 0ms: never send it again")] = Seconds("10s")
    tail_bytes: Annotated[Bytes, text("and so much of each of CRITICAL and HIGH")] = Bytes("32MB")
    queues: Queues = Queues()
    spool: Spool = Spool()

    _bounds = {
        "retry_delay": (Seconds("10ms"), Seconds("1m")), "confirm_timeout": (Seconds("100ms"), Seconds("5m")),
        "drain_timeout": (Seconds("0ms"), Seconds("10m")), "tail": (Seconds("0ms"), Seconds("10m")), "tail_bytes": (Bytes("64kB"), Bytes("4GB")),
    }  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.priority_queues != ("CRITICAL", "HIGH", "MEDIUM", "LOW"):
            raise ValueError("priority_queues: allowed is CRITICAL, HIGH, MEDIUM, LOW, in this order; a channel's class is changed in redis.classes")
