"""A running appliance under another configuration: what is different is carried out, part by part, and nothing else is touched.

Each rule says which keys it answers for and what is done with them. A key that no rule answers for needs a restart, and is said to.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from redis.exceptions import RedisError

from p9 import storage
from p9.accounts import keys_of
from p9.config import Config
from p9.config.change import Change, changes
from p9.config.venues import Venues
from p9.confirmation import confirmer_of, redis_of
from p9.delivery import epoch
from p9.errors import ConfigError, P9Error
from p9.ops import logs
from p9.publication import ROWS
from p9.signals import settings_of
from p9.thresholds import lateness_of

Carry = Callable[[Any, Config, Sequence[Change]], Awaitable[list[Change]]]  # (appliance, its new configuration, changes) -> what needs a restart


class Rule(msgspec.Struct, frozen=True):
    """`keys`: paths, or beginnings of them with a point at the end."""

    keys: tuple[str, ...]
    carry: Carry

    def covers(self, path: str) -> bool:
        return any(path == key or (key.endswith(".") and path.startswith(key)) for key in self.keys)


async def reconfigure(appliance: Any, before: Config, after: Config) -> tuple[list[Change], list[Change]]:
    """Carry out what is different. (what was applied, what needs a restart)

    Raises ConfigError where something cannot be had, such as a port that is taken; what has its rule before it is in force then.
    """
    found = changes(before, after)
    waiting = []
    left = list(found)
    for rule in RULES:
        mine = [change for change in left if rule.covers(change.path)]
        left = [change for change in left if change not in mine]
        if mine:
            waiting += await rule.carry(appliance, after, mine)
    waiting += left
    return [change for change in found if change not in waiting], waiting


async def _pages(appliance: Any, config: Config, found: Sequence[Change]) -> list[Change]:
    await appliance.open_pages(config)
    return []


async def _log(appliance: Any, config: Config, found: Sequence[Change]) -> list[Change]:
    logs.configure(config.log.level, config.log.format)
    return []


async def _redis(appliance: Any, config: Config, found: Sequence[Change]) -> list[Change]:
    """To another server, or as another user: what waits goes there. A bus that has seen a greater epoch than ours, or that is a Cluster where the old one
    is none (or the reverse), is one for another process of ours."""
    publisher = appliance.publisher
    try:
        redis = await redis_of(config, appliance.folder, simulated=appliance.endpoints is not None)
    except ConfigError:
        raise
    except P9Error as error:
        raise ConfigError(str(error), where="redis.url") from error
    bus = redis.bus()
    try:
        fits = bus.sharded == publisher.outbox.sharded and await epoch.hold(bus.client, publisher.outbox.epoch)
    except (RedisError, OSError) as error:
        await bus.close()
        await redis.stop()
        raise ConfigError(f"{type(error).__name__}: {error}", where="redis.url") from None
    if not fits:
        await bus.close()
        await redis.stop()
        return list(found)
    await publisher.move(bus)
    if appliance.snapshots is not None:
        appliance.snapshots.move(bus.client)
    old, appliance.redis = appliance.redis, redis
    await old.stop()
    return []


async def _delivery(appliance: Any, config: Config, found: Sequence[Change]) -> list[Change]:
    wanted = config.analytics.redis_publish_confirmer
    appliance.publisher.tune(confirmer_of(config))
    appliance.outbox.tail_ns, appliance.outbox.tail_bytes = round(wanted.tail * 1e9), int(wanted.tail_bytes)
    return []


async def _markets(appliance: Any, config: Config, found: Sequence[Change]) -> list[Change]:
    """Instruments come and go on their sockets; anything else of a market opens it anew, and no other."""
    keys: dict[str, set[str]] = {}
    for change in found:
        _, venue, line, key = change.path.split(".", 3)
        keys.setdefault(f"{venue}_{line}", set()).add(key)
    captured = set(appliance.markets.captures) & set(config.venues.markets())
    only_symbols = {name for name, changed in keys.items() if changed == {"symbols"} and name in captured}
    await appliance.markets.reopen(config, {name for name in keys if name not in only_symbols})
    await appliance.markets.choose(config, only_symbols)
    return []


async def _streams(appliance: Any, config: Config, found: Sequence[Change]) -> list[Change]:
    appliance.markets.republish(config)
    if appliance.signals is not None:
        appliance.signals.venues.settings = settings_of(config)
    return []


async def _facts(appliance: Any, config: Config, found: Sequence[Change]) -> list[Change]:
    await appliance.markets.rebase(config)
    return []


async def _blocks(appliance: Any, config: Config, found: Sequence[Change]) -> list[Change]:
    """Some venues tell them by a topic that is not of the hot path."""
    return [*await _streams(appliance, config, found), *await _facts(appliance, config, found)]


async def _snapshots(appliance: Any, config: Config, found: Sequence[Change]) -> list[Change]:
    """Another interval, more or less that is kept. Another place to keep it needs a restart."""
    if appliance.snapshots is not None:
        wanted = appliance.snapshots_wanted(config)
        appliance.snapshots.tune(storage.keeping_of(wanted), max_bytes=int(wanted.max_bytes), min_free=int(wanted.min_free))
    appliance.markets.republish(config)
    return [change for change in found if change.path.endswith(".storage")]


async def _options(appliance: Any, config: Config, found: Sequence[Change]) -> list[Change]:
    await appliance.markets.reopen_options(config)
    return []


async def _triggers(appliance: Any, config: Config, found: Sequence[Change]) -> list[Change]:
    """Some are told by private streams, which nobody else needs."""
    return [*await _streams(appliance, config, found), *await _accounts(appliance, config, found)]


async def _accounts(appliance: Any, config: Config, found: Sequence[Change]) -> list[Change]:
    """Another key, or none."""
    keys_of(config)
    await appliance.markets.reopen_accounts(config)
    return []


async def _thresholds(appliance: Any, config: Config, found: Sequence[Change]) -> list[Change]:
    appliance.markets.tune(config)
    appliance.lateness.tune(lateness_of(config))
    return []


_SERVER = ("url", "mode", "username", "password_env", "password_file", "sentinel_master", "sentinel_password_env", "tls_ca_file", "tls_cert_file", "tls_key_file")

# In this order: what can be refused comes first.
RULES = (
    Rule(("http.",), _pages),
    Rule(tuple(f"redis.{key}" for key in _SERVER), _redis),
    Rule(("analytics.options_iv_monitor.", *(f"venues.{venue}.option." for venue in Venues.__struct_fields__)), _options),
    Rule(tuple(f"venues.{venue}.account." for venue in Venues.__struct_fields__), _accounts),
    Rule(("venues.",), _markets),
    Rule(("analytics.periodic_snapshots.",), _snapshots),
    Rule(("analytics.block_trades.enabled",), _blocks),
    Rule(("analytics.stop_triggers.enabled",), _triggers),
    Rule(tuple(f"analytics.{row.section}." for row in ROWS), _streams),
    Rule(
        ("boards.", *(f"analytics.{kind}." for kind in ("adl", "funding", "mark_price", "open_interest", "insurance_fund_monitor", "reference"))), _facts,
    ),
    Rule(
        (
            "monitors.", *(f"capture.{key}" for key in ("timer", "backfill", "history", "rest_share", "sockets.", "repairs.", "liveness.", "gaps.", "first_candles.")),
            *(f"capture.rest.{key}" for key in ("attempts", "retry_first", "retry_most")), *(f"analytics.audits.{key}" for key in ("books", "candles", "wait", "again", "settle")),
        ),
        _thresholds,
    ),
    Rule(
        tuple(
            f"analytics.redis_publish_confirmer.{key}"
            for key in ("enabled", "max_retries", "retry_delay", "confirm_timeout", "drain_timeout", "tail", "tail_bytes")
        ),
        _delivery,
    ),
    Rule(("log.",), _log),
)
