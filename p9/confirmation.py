"""Delivery as the configuration says: Redis, epoch, spool, outbox and publisher, made in the order in which they need each other."""

import os
import time
from pathlib import Path

from cext.clock import Clock
from cext.outbox import CLASS_NAMES, Outbox

from p9.config import Config
from p9.delivery import embedded
from p9.delivery.bus import Bus
from p9.delivery.disk import Disk
from p9.delivery.epoch import next_epoch
from p9.delivery.findings import Findings
from p9.delivery.publisher import Confirmer, Publisher
from p9.delivery.spool import Spool, SpoolSettings
from p9.errors import ConfigError
from p9.ops import logs

log = logs.get("delivery")


async def redis_of(config: Config, folder: Path, *, simulated: bool, mode: embedded.Mode | None = None) -> embedded.RedisServer:
    """The Redis that the configuration names, or one of our own: always for made-up events. `mode`: another than the configuration's. Raises P9Error."""
    redis = config.redis
    return await embedded.choose(
        "embedded" if simulated else mode or redis.mode, redis.url, username=redis.username, password=password_of(config),
        tls=embedded.Tls(ca_file=redis.tls_ca_file, cert_file=redis.tls_cert_file, key_file=redis.tls_key_file),
        sentinel_master=redis.sentinel_master, sentinel_password=os.environ.get(redis.sentinel_password_env, ""), data_dir=folder,
    )  # fmt: skip


def password_of(config: Config) -> str:
    """From a file or the environment; never from the configuration, never logged. Raises ConfigError."""
    redis = config.redis
    if redis.password_file:
        try:
            return Path(redis.password_file).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{redis.password_file}: {getattr(error, 'strerror', error)}", where="redis.password_file") from None
    return os.environ.get(redis.password_env, "")


async def delivery_of(config: Config, clock: Clock, bus: Bus, folder: Path, *, simulated: bool) -> Publisher:
    """A publisher that is not started yet; its outbox holds what the last run left in `folder`. Made-up events have a spool of their own, which
    begins empty: they never reach the Redis of real ones. Raises ConfigError."""
    wanted = config.analytics.redis_publish_confirmer
    spool = None
    if wanted.enabled and wanted.spool.enabled:
        files = Disk.of_ours(folder, "spool-simulated" if simulated else "spool")
        if simulated:  # what an earlier simulation made up is of no use to this one
            for name in files.names():
                if name.endswith(".spool"):
                    files.remove(name)
        spool = Spool(
            files,
            SpoolSettings(
                max_bytes=int(wanted.spool.max_bytes), segment_bytes=int(wanted.spool.segment_bytes), fsync=wanted.spool.fsync,
                fsync_interval_s=float(wanted.spool.fsync_interval),
            ),
        )  # fmt: skip
        await spool.recover()
    at_least = max(time.time_ns() // 1_000_000, spool.newest_epoch + 1 if spool is not None else 0)
    epoch = await next_epoch(at_least, folder / "epoch", bus.client)
    queues = wanted.queues
    try:
        outbox = Outbox(
            clock, epoch=epoch, sharded=bus.sharded, journals=spool.journals if spool is not None else (),
            items=(queues.critical_events, queues.high_events, 0, queues.low_events),
            bytes=(int(queues.critical_bytes), int(queues.high_bytes), 0, int(queues.low_bytes)),
            tail_ns=round(wanted.tail * 1e9), tail_bytes=int(wanted.tail_bytes),
            retain_ms=round(config.redis.retain * 1000), max_stream_bytes=int(config.redis.max_stream_bytes),
            classes={kind: CLASS_NAMES.index(name) for kind, name in config.redis.classes.items()},
        )  # fmt: skip
    except ValueError as error:
        raise ConfigError(str(error), where="redis.classes") from None
    findings = Findings(outbox, config.analytics.integrity.publish_channel)
    if spool is not None:
        spool.tell = findings.tell
    return Publisher(outbox, bus, confirmer_of(config), spool=spool, tell=findings.tell)


def confirmer_of(config: Config) -> Confirmer:
    """How hard delivery tries."""
    wanted = config.analytics.redis_publish_confirmer
    return Confirmer(
        enabled=wanted.enabled, max_retries=wanted.max_retries, retry_delay_s=float(wanted.retry_delay),
        confirm_timeout_s=float(wanted.confirm_timeout), replay_tail=wanted.tail > 0,
    )  # fmt: skip
