"""config.yaml -> frozen structs. Every default stands here once; the shipped file is written from these structs (config_text.py).

Durations are text with a unit ("500ms", "1s", "5m", "24h"), sizes too ("16MB"). Unknown or duplicate keys, YAML's yes/no surprises and
values out of bounds are errors that name the path, what was found and what is allowed.
"""

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import yaml

from p9.errors import ConfigError

_UNITS_S = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_UNITS_B = {"B": 1, "kB": 1 << 10, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}


class Seconds(float):
    """A duration in seconds; in the file "500ms", "1s", "5m", "24h"."""

    def __new__(cls, value: Any) -> "Seconds":
        if isinstance(value, float):
            return super().__new__(cls, value)
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", value) if isinstance(value, str) else None
        if match is None:
            raise ValueError(f"found {value!r}, allowed is a duration with its unit such as 500ms, 1s, 5m, 24h")
        return super().__new__(cls, float(match[1]) * _UNITS_S[match[2]])

    def __str__(self) -> str:
        for unit in ("d", "h", "m", "s"):
            if self >= _UNITS_S[unit] and self % _UNITS_S[unit] == 0 and (unit != "d" or self > 86400):
                return f"{int(self / _UNITS_S[unit])}{unit}"
        return f"{float(self) * 1000:g}ms"


class Bytes(int):
    """A size in bytes; in the file "64kB", "16MB", "2GB"."""

    def __new__(cls, value: Any) -> "Bytes":
        if isinstance(value, int) and not isinstance(value, bool):
            return super().__new__(cls, value)
        match = re.fullmatch(r"(\d+)\s*(B|kB|KB|MB|GB)", value) if isinstance(value, str) else None
        if match is None:
            raise ValueError(f"found {value!r}, allowed is a size with its unit such as 64kB, 16MB, 2GB")
        return super().__new__(cls, int(match[1]) * _UNITS_B[match[2]])

    def __str__(self) -> str:
        for unit in ("GB", "MB", "kB"):
            if self >= _UNITS_B[unit] and self % _UNITS_B[unit] == 0:
                return f"{int(self) // _UNITS_B[unit]}{unit}"
        return f"{int(self)}B"


def _text(description: str) -> msgspec.Meta:
    return msgspec.Meta(description=description)


def _between(low: float | None, high: float | None, description: str) -> msgspec.Meta:
    return msgspec.Meta(ge=low, le=high, description=description)


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=False):
    """What every section of the file is."""

    _bounds = {}  # {field: (least, most)} for durations and sizes

    def __post_init__(self) -> None:
        for field, (least, most) in self._bounds.items():
            value = getattr(self, field)
            if not least <= value <= most:
                raise ValueError(f"{field}: found {value}, allowed is {type(value)(least)} to {type(value)(most)}")


class Redis(Section):
    """Where events are published. The password comes from the environment or a file, never from here."""

    url: Annotated[
        str,
        _text(
            "redis://, rediss:// (TLS) or unix:// address; nodes of a Cluster, or Sentinels, separated by commas; a password in it is refused"
        ),
    ] = "redis://127.0.0.1:6379/0"
    mode: Annotated[
        Literal["auto", "external", "embedded"],
        _text("auto: the URL if it answers, else the embedded server; external: the URL or nothing; embedded: always our own"),
    ] = "auto"
    username: Annotated[str, _text("ACL user; empty: the default user")] = ""
    password_env: Annotated[str, _text("name of the environment variable that holds the password")] = "P9_REDIS_PASSWORD"
    password_file: Annotated[str, _text("file that holds the password; empty: none")] = ""
    sentinel_master: Annotated[str, _text("name of the master that the Sentinels of the URL watch; empty: the URL names no Sentinels")] = ""
    sentinel_password_env: Annotated[str, _text("name of the environment variable that holds the Sentinels' own password")] = "P9_SENTINEL_PASSWORD"
    tls_ca_file: Annotated[str, _text("authority file for rediss://; empty: the system's")] = ""
    tls_cert_file: Annotated[str, _text("our own certificate, for a server that asks for one")] = ""
    tls_key_file: Annotated[str, _text("and its key")] = ""
    retain: Annotated[Seconds, _text("how long stream entries are kept")] = Seconds("1h")
    max_stream_bytes: Annotated[Bytes, _text("bound over all streams, whichever comes first")] = Bytes("256MB")
    classes: Annotated[
        dict[str, Literal["CRITICAL", "HIGH", "MEDIUM", "LOW"]],
        _text("another delivery class for a type of channel, such as {trades: CRITICAL}; CRITICAL and HIGH change places, MEDIUM and LOW too"),
    ] = {}

    _bounds = {"retain": (Seconds("1m"), Seconds("48h")), "max_stream_bytes": (Bytes("1MB"), Bytes("64GB"))}

    def __post_init__(self) -> None:
        super().__post_init__()
        if not re.match(r"(redis|rediss|unix)://", self.url):
            raise ValueError(f"url: found {self.url!r}, allowed is redis://, rediss:// or unix://")
        if re.match(r"\w+://[^/]*:[^/@]+@", self.url):
            raise ValueError("url: holds a password; put it into the environment variable that password_env names")


class Http(Section):
    """The appliance's own pages."""

    enabled: Annotated[bool, _text("serve the health, metrics and status pages")] = True
    host: Annotated[str, _text("address to listen on; loopback keeps strangers out")] = "127.0.0.1"
    port: Annotated[int, _between(0, 65535, "port; 0 takes a free one")] = 8080


class Log(Section):
    """What is said, where and how."""

    level: Annotated[Literal["debug", "info", "warning", "error"], _text("least severity that is written")] = "info"
    format: Annotated[Literal["auto", "text", "json"], _text("auto: text on a terminal, else JSON lines")] = "auto"


class Market(Section):
    """One product line of a venue."""

    enabled: Annotated[bool, _text("capture this market")] = True
    symbols: Annotated[tuple[str, ...], _text("our symbols (BTC-USDT-PERP) or the venue's own; empty: BTC and ETH")] = ()
    depth: Annotated[int, _between(1, 5000, "levels a side of the book")] = 1000
    speed: Annotated[str, _text("cadence of the depth stream, where the venue offers several; empty: the venue row's own")] = ""
    trades: Annotated[
        Literal["default", "aggregated", "raw"],
        _text("default: what REST can back-fill; raw: one event a fill, where the venue offers it"),
    ] = "default"
    rest_url: Annotated[str, _text("another address of the venue's REST; empty: the venue's")] = ""
    ws_url: Annotated[str, _text("another address of the venue's WebSocket; empty: the venue's")] = ""


class OkxMarket(Market):
    """A market whose books have 400 levels a side in the stream and no more."""

    depth: Annotated[int, _between(1, 400, "levels a side of the book")] = 400


class Binance(Section):
    spot: Market = Market()
    usdm: Market = Market()
    coinm: Market = Market()


class Bybit(Section):
    spot: Market = Market()
    linear: Market = Market()
    inverse: Market = Market()


class Okx(Section):
    spot: OkxMarket = OkxMarket()
    swap: OkxMarket = OkxMarket()
    futures: OkxMarket = OkxMarket()


class Venues(Section):
    """Which markets are captured. A venue without an entry is captured with its defaults; `enabled: false` leaves a market out."""

    binance: Binance = Binance()
    bybit: Bybit = Bybit()
    okx: Okx = Okx()

    def markets(self) -> dict[str, Market]:
        """{market name: its section}, the enabled ones."""
        return {
            f"{venue}_{line}": market
            for venue in self.__struct_fields__
            for line, market in ((name, getattr(getattr(self, venue), name)) for name in getattr(self, venue).__struct_fields__)
            if market.enabled
        }


class Capture(Section):
    """Sockets and books."""

    max_held_frames: Annotated[int, _between(10, 1_000_000, "depth frames kept for a book that waits for its image")] = 2000
    max_held_bytes: Annotated[Bytes, _text("the same bound in bytes")] = Bytes("8MB")
    timer: Annotated[Seconds, _text("tick of what is published by the clock")] = Seconds("50ms")
    backfill: Annotated[bool, _text("fetch trades that are missing by REST; false: every gap is told as lost")] = True
    rest_share: Annotated[float, _between(0.05, 0.95, "share of a venue's REST budget that we allow ourselves")] = 0.5

    _bounds = {"max_held_bytes": (Bytes("64kB"), Bytes("1GB")), "timer": (Seconds("10ms"), Seconds("1s"))}


class Monitors(Section):
    """When data, clocks or the appliance itself are late. A state is left after `calm` below 70 % of its limit."""

    venue_delay_degraded: Annotated[Seconds, _text("a topic so much over its own median of ten minutes is degraded")] = Seconds("250ms")
    venue_delay_stale: Annotated[Seconds, _text("and so much over it stale, and the appliance not ready")] = Seconds("2s")
    clock_suspect: Annotated[Seconds, _text("our clock so far from the venue's: its events are flagged suspect_time")] = Seconds("250ms")
    clock_suspended: Annotated[Seconds, _text("and so far: no delay is judged by it")] = Seconds("2s")
    clock_interval: Annotated[Seconds, _text("between two questions for a venue's time")] = Seconds("60s")
    late_shed_low: Annotated[Seconds, _text("our own loop so late: LOW events are shed")] = Seconds("250ms")
    late_shed_medium: Annotated[Seconds, _text("and so late: MEDIUM too; CRITICAL and HIGH never are")] = Seconds("1s")
    calm: Annotated[Seconds, _text("before a state is left")] = Seconds("30s")

    _bounds = {
        **dict.fromkeys(
            ("venue_delay_degraded", "venue_delay_stale", "clock_suspect", "clock_suspended", "late_shed_low", "late_shed_medium"),
            (Seconds("10ms"), Seconds("10m")),
        ),
        "clock_interval": (Seconds("1s"), Seconds("1h")), "calm": (Seconds("1s"), Seconds("1h")),
    }  # fmt: skip


class Audits(Section):
    """Timed audits against what the venue made apart from its streams."""

    books: Annotated[Seconds, _text("between two audits of one book against a REST image at an equal update id; 0s: none")] = Seconds("1h")
    candles: Annotated[Seconds, _text("between two comparisons of closed minutes with the venue's own candles; 0s: none")] = Seconds("5m")
    publish_channel: Annotated[str, _text("another first word of the channel; empty: audits")] = ""

    _bounds = {"books": (Seconds("0s"), Seconds("24h")), "candles": (Seconds("0s"), Seconds("9m"))}


class Stream(Section):
    """One stream of events."""

    enabled: Annotated[bool, _text("publish this stream")] = True
    publish_channel: Annotated[str, _text("another first word of the channel; empty: the stream's own name")] = ""


class BookTicker(Stream):
    imbalance_tracking: Annotated[bool, _text("add the imbalance of the book's top 5 levels")] = True


class Snapshots(Stream):
    interval: Annotated[Seconds, _text("one full book each")] = Seconds("1s")
    storage_duration: Annotated[Seconds, _text("how long snapshots are kept")] = Seconds("24h")

    _bounds = {"interval": (Seconds("100ms"), Seconds("1h")), "storage_duration": (Seconds("1m"), Seconds("48h"))}


class Candles(Stream):
    close_delay: Annotated[Seconds, _text("wait after a candle's end for trades that are on their way")] = Seconds("250ms")

    _bounds = {"close_delay": (Seconds("0ms"), Seconds("10s"))}


class Queues(Section):
    """What may wait in memory. MEDIUM, and the conflated channels of LOW, wait as one newest value a channel."""

    critical_events: Annotated[int, _between(1, 10_000_000, "CRITICAL; what is over goes to the spool")] = 100_000
    critical_bytes: Annotated[Bytes, _text("CRITICAL")] = Bytes("32MB")
    high_events: Annotated[int, _between(1, 10_000_000, "HIGH; what is over goes to the spool")] = 400_000
    high_bytes: Annotated[Bytes, _text("HIGH")] = Bytes("96MB")
    low_events: Annotated[int, _between(1, 10_000_000, "LOW (depth); what is over is emptied as a unit, and a full image follows")] = 200_000
    low_bytes: Annotated[Bytes, _text("LOW")] = Bytes("16MB")

    _bounds = {name: (Bytes("64kB"), Bytes("16GB")) for name in ("critical_bytes", "high_bytes", "low_bytes")}


class Spool(Section):
    """The disk under CRITICAL and HIGH, in the data directory."""

    enabled: Annotated[bool, _text("false: what memory cannot hold is shed, and a stop or a kill loses what waits")] = True
    max_bytes: Annotated[Bytes, _text("over it the oldest HIGH events are shed, then the oldest CRITICAL ones, and an integrity event says so")] = Bytes("2GB")
    segment_bytes: Annotated[Bytes, _text("size of its files; one is removed when everything in it is confirmed")] = Bytes("8MB")
    fsync: Annotated[
        Literal["group", "always"], _text("group: what waits for Redis, together, each fsync_interval; always: every event, as soon as it is accepted")
    ] = "group"
    fsync_interval: Annotated[Seconds, _text("of group: the longest that an event is neither confirmed nor on disk")] = Seconds("100ms")

    _bounds = {
        "max_bytes": (Bytes("1MB"), Bytes("1024GB")), "segment_bytes": (Bytes("64kB"), Bytes("64MB")),
        "fsync_interval": (Seconds("10ms"), Seconds("10s")),
    }  # fmt: skip


class Confirmer(Section):
    """Confirmed delivery."""

    enabled: Annotated[bool, _text("false: no retry and no spool; replies are still counted")] = True
    max_retries: Annotated[int, _between(0, 100, "tries in a row without success before the circuit opens and Redis is only probed")] = 3
    retry_delay: Annotated[Seconds, _text("first pause, doubling with full jitter")] = Seconds("500ms")
    confirm_timeout: Annotated[Seconds, _text("a batch without an answer for so long is sent again on a new connection")] = Seconds("5s")
    priority_queues: Annotated[tuple[Literal["CRITICAL", "HIGH", "MEDIUM", "LOW"], ...], _text("the classes, first drained first")] = (
        "CRITICAL", "HIGH", "MEDIUM", "LOW",
    )
    drain_timeout: Annotated[Seconds, _text("at a stop, wait so long for confirmations; the rest goes to the spool")] = Seconds("10s")
    tail: Annotated[Seconds, _text("keep what Redis confirmed so long, lest it comes back without; 0ms: never send it again")] = Seconds("10s")
    tail_bytes: Annotated[Bytes, _text("and so much of each of CRITICAL and HIGH")] = Bytes("32MB")
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


class Analytics(Section):
    """What is published. Section names are those that users of the reference know."""

    book_ticker_aggregator: BookTicker = BookTicker()
    depth: Stream = Stream()
    trades: Stream = Stream()
    candles: Candles = Candles()
    periodic_snapshots: Snapshots = Snapshots()
    integrity: Stream = Stream()
    gaps: Stream = Stream()
    audits: Audits = Audits()
    redis_publish_confirmer: Confirmer = Confirmer()


class Config(Section):
    """The whole file."""

    data_dir: Annotated[
        str, _text("state, spool, snapshots and audit trail; empty: beside this file if that can be written, else the system's place")
    ] = ""
    redis: Redis = Redis()
    http: Http = Http()
    log: Log = Log()
    venues: Venues = Venues()
    capture: Capture = Capture()
    monitors: Monitors = Monitors()
    analytics: Analytics = Analytics()


class _Loader(yaml.SafeLoader):
    """YAML without its traps: a key that stands twice is an error, and only true and false are truth values."""


def _mapping(loader: _Loader, node: yaml.MappingNode, deep: bool = False) -> dict:
    seen: set = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise ConfigError(f"line {key_node.start_mark.line + 1}: found the key {key!r}, allowed are words")
        if key in seen:
            raise ConfigError(f"line {key_node.start_mark.line + 1}: the key {key!r} stands twice")
        seen.add(key)
    return yaml.SafeLoader.construct_mapping(loader, node, deep)


def _truth(loader: _Loader, node: yaml.ScalarNode) -> bool | str:
    return {"true": True, "false": False}.get(node.value, node.value)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:bool", _truth)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", yaml.SafeLoader.construct_yaml_str)


def _hook(kind: type, value: Any) -> Any:
    if kind in (Seconds, Bytes):
        return kind(value)
    raise TypeError(kind)


def _section_at(path: list[str]) -> Any:
    """The struct that stands at `path` of Config, or None."""
    kind: Any = Config
    for name in path:
        hints = get_type_hints(kind) if isinstance(kind, type) and issubclass(kind, Section) else {}
        if name not in hints:
            return None
        kind = hints[name]
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
    return kind


def _explain(error: msgspec.ValidationError, tree: Any) -> tuple[str, str]:
    """(path, message) with what was found and, for an unknown key, the nearest known one."""
    text = str(error)
    match = re.fullmatch(r"(?s)(.*) - at `(\$[^`]*)`", text)
    message, path = (match[1], match[2].lstrip("$").lstrip(".")) if match else (text, "")
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", message)
    parts = [part for part in re.split(r"[.\[\]]", path) if part]
    if unknown:
        section = _section_at(parts)
        known = list(section.__struct_fields__) if section is not None else []
        near = difflib.get_close_matches(unknown[1], known, n=1, cutoff=0.5)
        where = f"{path}.{unknown[1]}" if path else unknown[1]
        suggestion = f"did you mean {near[0]!r}?" if near else "known are " + ", ".join(known)
        return where, f"unknown key; {suggestion}"
    allowed = get_args(_section_at(parts)) if get_origin(_section_at(parts)) is Literal else ()
    if allowed:
        message = f"allowed is {', '.join(map(str, allowed))}"
    found = tree
    for part in parts:
        try:
            found = found[int(part)] if isinstance(found, list) else found[part]
        except (KeyError, IndexError, TypeError, ValueError):
            return path, message
    return path, message if "found" in message or isinstance(found, Mapping | list) else f"{message}, found {found!r}"


def _tree(text: str, name: str) -> Any:
    """YAML as plain data. Raises ConfigError."""
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"not YAML: {getattr(error, 'problem', error)}", where=f"{name}{place}") from None
    except RecursionError:
        raise ConfigError("nested too deep", where=name) from None
    except ConfigError as error:
        raise ConfigError(error.message, where=name) from None
    except Exception as error:  # a tag's own reader (`!!float x`) raises whatever comes to it
        raise ConfigError(f"a value that YAML cannot read: {error}", where=name) from None


def parse(text: str, name: str = "config.yaml", environment: Mapping[str, str] | None = None) -> Config:
    """A configuration from YAML text. `P9__REDIS__URL=…` in the environment overrides `redis.url`. Raises ConfigError."""
    tree = _tree(text, name)
    if tree is None:
        tree = {}
    if not isinstance(tree, dict):
        raise ConfigError(f"found {type(tree).__name__}, allowed is a mapping of sections", where=name)
    for key, value in (environment or {}).items():
        if key.startswith("P9__"):
            _override(tree, key, value)
    try:
        return msgspec.convert(tree, Config, dec_hook=_hook, strict=True)
    except msgspec.ValidationError as error:
        path, message = _explain(error, tree)
        raise ConfigError(message, where=f"{name}: {path}" if path else name) from None


def _override(tree: dict, key: str, value: str) -> None:
    *sections, last = key[len("P9__"):].lower().split("__")
    for section in sections:
        tree = tree.setdefault(section, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"{key} names a key below {section!r}, which is no section", where="environment")
    tree[last] = _tree(value, f"environment: {key}")


def load(path: Path | None) -> Config:
    """The configuration in `path`; None: the defaults. Raises ConfigError."""
    if path is None:
        return parse("", "defaults", os.environ)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError("there is no such file", where=str(path), hint="leave --config out to run with the defaults") from None
    except IsADirectoryError:
        raise ConfigError("is a directory, not a file", where=str(path)) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"not UTF-8 text at byte {error.start}", where=str(path)) from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from None
    return parse(text, str(path), os.environ)
