"""The configuration: what it takes, and how it refuses."""

from pathlib import Path

import pytest

from p9.config import Bytes, Config, Seconds, load, parse
from p9.errors import ConfigError


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return str(caught.value)


def test_nothing_configured_is_the_defaults():
    assert parse("") == Config() == load(None)
    assert len(Config().venues.markets()) == 9


@pytest.mark.parametrize(
    "text, where, said",
    [
        ("redis: {urll: x}", "redis.urll", "did you mean 'url'"),
        ("redis: {mode: sometimes}", "redis.mode", "auto, external, embedded"),
        ("http: {port: 99999}", "http.port", "65535"),
        ("venues: {okx: {spott: {}}}", "venues.okx.spott", "did you mean 'spot'"),
        ("venues: {okx: {spot: {depth: 1000}}}", "venues.okx.spot.depth", "400"),
        ("venues: {binance: {spot: {symbols: [1]}}}", "venues.binance.spot.symbols[0]", "found 1"),
        ("analytics: {periodic_snapshots: {interval: 5}}", "analytics.periodic_snapshots.interval", "500ms"),
        ("analytics: {periodic_snapshots: {interval: 1ms}}", "analytics.periodic_snapshots", "100ms to 1h"),
        ("http: {enabled: yes}", "http.enabled", "found 'yes'"),
        ("redis: {url: 'redis://u:secret@h'}", "redis", "holds a password"),
        ("redis: {classes: {trades: URGENT}}", "redis.classes", "URGENT"),
        ("analytics: {redis_publish_confirmer: {priority_queues: [LOW]}}", "redis_publish_confirmer", "in this order"),
        ("analytics: {redis_publish_confirmer: {spool: {max_bytes: 1kB}}}", "redis_publish_confirmer.spool", "1MB"),
        ("analytics: {flow: {whale_quantile: 0.5}}", "analytics.flow", "above the one before"),
        ("analytics: {flow: {other_floors: [3, 2, 1]}}", "analytics.flow", "none below"),
        ("[1]", "config.yaml", "mapping"),
        ("a: [", "line 1, column 5", "not YAML"),
        ("redis: {}\nredis: {}", "config.yaml", "stands twice"),
        ("1: 2", "config.yaml", "found the key 1"),
        ("http: {port: !!int x}", "config.yaml", "YAML cannot read"),
        ("redis: !!timestamp {a: 1}", "config.yaml", ""),
        ("a: " + "[" * 1500, "config.yaml", "too deep"),
    ],
)
def test_refusals_name_the_path_what_was_found_and_what_is_allowed(text, where, said):
    message = refusal(text)
    assert where in message and said in message
    assert "secret" not in message


def test_duration_text_goes_there_and_back():
    for text, seconds in {"500ms": 0.5, "1s": 1, "90s": 90, "5m": 300, "24h": 86400}.items():
        assert Seconds(text) == seconds
        assert Seconds(str(Seconds(text))) == seconds
    assert str(Seconds("24h")) == "24h" and str(Seconds("500ms")) == "500ms"


def test_size_text_goes_there_and_back():
    for text, size in {"1B": 1, "64kB": 65536, "16MB": 16 << 20, "2GB": 2 << 30}.items():
        assert Bytes(text) == size and str(Bytes(text)) == text


def test_the_environment_overrides_the_file():
    config = parse("redis: {mode: external}", environment={"P9__REDIS__MODE": "embedded", "P9__HTTP__PORT": "0", "OTHER": "1"})
    assert config.redis.mode == "embedded" and config.http.port == 0


def test_a_missing_file_is_an_error_and_never_the_defaults(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        load(tmp_path / "absent.yaml")
    with pytest.raises(ConfigError, match="directory"):
        load(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9")
    with pytest.raises(ConfigError, match="UTF-8"):
        load(tmp_path / "latin.yaml")


def test_a_venue_without_an_entry_keeps_its_own_depth():
    assert parse("venues: {okx: {swap: {symbols: [BTC-USDT-PERP]}}}").venues.okx.swap.depth == 400


def test_the_shipped_file_is_the_defaults_and_names_every_key():
    from p9.config.text import render

    shipped = (Path(__file__).parents[1] / "config.yaml").read_text()
    assert shipped == render(), "run: python -m p9.config.text > config.yaml"
    assert parse(shipped) == Config()
