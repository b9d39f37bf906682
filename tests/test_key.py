"""Keys of one's own accounts: where they come from, what is refused, and that they show themselves nowhere."""

import base64
import os
import pickle
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from p9 import secret
from p9.config import parse
from p9.config.venues import BinanceAccount, BybitAccount, OkxAccount
from p9.errors import ConfigError
from p9.key import Key, key_of

GOOD = {"P9_OKX_KEY": "abcdef-0123456789", "P9_OKX_SECRET": "22582BD0CFF14C41EDBF1AB98506286D", "P9_OKX_PASSPHRASE": 'pass "phrase\\ one'}
WHERE = "venues.okx.account"


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """What is learnt here is forgotten afterwards."""
    monkeypatch.setattr(secret, "_known", {})


def written(tmp_path, text, mode=0o600):
    path = tmp_path / "keys"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_a_key_comes_from_the_environment_first_and_signs():
    """The venue page's vector (the secret and the time of it, signed elsewhere)."""
    key = key_of(OkxAccount(file="/nowhere"), WHERE, GOOD)
    assert (key.key, key.passphrase) == (GOOD["P9_OKX_KEY"], GOOD["P9_OKX_PASSPHRASE"])
    assert key.sign("1704876947GET/users/self/verify") == base64.b64decode("5/36BgGV6m/6pmdc20zdqk0mzF5ZalmzzPD2fo3wavU=")
    assert key_of(OkxAccount(), WHERE, {}) is None
    assert key_of(BinanceAccount(), WHERE, {"P9_BINANCE_KEY": " 0123456789 \n"}).key == "0123456789", "it hears without its secret"


def test_a_key_comes_from_a_file_that_its_owner_alone_can_read(tmp_path):
    text = f"# read only\nkey = {GOOD['P9_OKX_KEY']}\n\nSecret: {GOOD['P9_OKX_SECRET']}\npassphrase={GOOD['P9_OKX_PASSPHRASE']}\n"
    key = key_of(OkxAccount(file=written(tmp_path, text)), WHERE, {})
    assert (key.key, key.passphrase, key.sign("x")) == (GOOD["P9_OKX_KEY"], GOOD["P9_OKX_PASSPHRASE"], key_of(OkxAccount(), WHERE, GOOD).sign("x"))


@pytest.mark.skipif(os.name != "posix", reason="files have modes")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o644, 0o666, 0o777])
def test_a_file_that_others_can_reach_is_refused_with_what_to_do(tmp_path, mode):
    path = written(tmp_path, "key=0123456789\n", mode)
    with pytest.raises(ConfigError) as refused:
        key_of(BinanceAccount(file=path), "venues.binance.account", {})
    assert str(refused.value) == f"venues.binance.account.file: others can read or write {path} (mode {mode:04o}) (chmod 600 {path})"
    Path(path).chmod(0o400)
    assert key_of(BinanceAccount(file=path), "", {}).key == "0123456789", "and what to do helps"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(tmp_path, monkeypatch):
    path = written(tmp_path, "key=0123456789\n")
    os.chown(path, 12345, 12345)
    with pytest.raises(ConfigError, match="belongs to somebody else"):
        key_of(BinanceAccount(file=path), "", {})


@pytest.mark.parametrize(
    "section, environment, text, said",
    [
        (BybitAccount, {"P9_BYBIT_KEY": "0123456789"}, None, "environment: P9_BYBIT_SECRET: there is no secret"),
        (BybitAccount, {"P9_BYBIT_SECRET": "0123456789"}, None, "environment: P9_BYBIT_KEY: there is no key"),
        (OkxAccount, {}, "key=0123456789\nsecret=0123456789\n", "there is no passphrase"),
        (BinanceAccount, {"P9_BINANCE_KEY": "short"}, None, "what stands there is no key"),
        (BinanceAccount, {"P9_BINANCE_KEY": "0123456789\r\nHost: evil"}, None, "what stands there is no key"),
        (BinanceAccount, {"P9_BINANCE_KEY": "schlüssel-0123456789"}, None, "what stands there is no key"),
        (BinanceAccount, {}, "0123456789abcdef\n", "a line of it is not understood"),
        (BinanceAccount, {}, "", "there is no key"),
        (BinanceAccount, {}, "key=0123456789" + "x" * 10_000, "there is no key"),
    ],
)  # fmt: skip
def test_half_a_key_and_what_is_none_are_refused_and_not_repeated(tmp_path, section, environment, text, said):
    made = section(file=written(tmp_path, text)) if text is not None else section()
    with pytest.raises(ConfigError) as refused:
        key_of(made, "venues.x.account", environment)
    assert said in str(refused.value)
    assert "0123456789" not in str(refused.value) and "schl" not in str(refused.value)


def test_what_is_no_file_is_refused(tmp_path):
    for path, said in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory"), (Path("/dev/null"), "is no file")):
        with pytest.raises(ConfigError, match=said):
            key_of(BinanceAccount(file=str(path)), "", {})
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    (tmp_path / "bytes").chmod(0o600)
    with pytest.raises(ConfigError, match="not UTF-8"):
        key_of(BinanceAccount(file=str(tmp_path / "bytes")), "", {})


@pytest.mark.parametrize(
    "value", ["22582BD0CFF14C41EDBF1AB98506286D", "F2582BD0CFF14C41EDBF1AB98506286D", "vmPUZE6mv9SDNV2rk", "8f9c1d6e-6c1f-4d0b-9c1c-0c1d2e3f4a5b", "p9_key", "", "1234567890"]
)  # fmt: skip
def test_a_key_that_was_put_into_the_configuration_by_mistake_is_refused_and_not_repeated(value):
    with pytest.raises(ConfigError) as refused:
        parse(f"venues: {{okx: {{account: {{key_env: '{value}'}}}}}}")
    assert "venues.okx.account" in str(refused.value) and "allowed is one such as P9_VENUE_KEY" in str(refused.value)
    assert not value or value not in str(refused.value)
    for text in (f"venues: {{okx: {{account: {{secret: '{value}'}}}}}}", f"venues: {{okx: {{account: {{key: {value or 0}}}}}}}"):
        with pytest.raises(ConfigError) as refused:
            parse(text)
        assert "unknown key" in str(refused.value) and (not value or value not in str(refused.value))


def test_a_key_shows_itself_nowhere():
    key = Key("key-0123456789", "secret-0123456789", "phrase-0123456789")
    shown = [repr(key), str(key), f"{key}", f"{key!r:>40}", str([key]), str({"key": key})]
    try:
        raise ValueError("login failed", key)
    except ValueError as error:
        shown += [str(error), "".join(traceback.format_exception(error)), "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())]
    assert not any("0123456789" in text for text in shown) and any("Key(***)" in text for text in shown)
    with pytest.raises(TypeError, match="not written anywhere"):
        pickle.dumps(key)


def test_a_crash_writes_no_key():
    """An interpreter that dies of an exception that has the key among its arguments, with fault handler and development mode."""
    code = "from p9.key import Key\nkey = Key('key-0123456789', 'secret-0123456789')\ndef f(key):\n    raise RuntimeError('cannot log in with', key, [key])\nf(key)\n"
    died = subprocess.run([sys.executable, "-X", "dev", "-X", "faulthandler", "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[1], timeout=60)
    assert died.returncode == 1 and "Key(***)" in died.stderr and "key-0123456789" not in died.stderr.replace(code, "") and "secret-0123456789" not in died.stderr


def test_what_was_learnt_is_covered_as_it_is_and_as_json_writes_it():
    Key(GOOD["P9_OKX_KEY"], GOOD["P9_OKX_SECRET"], GOOD["P9_OKX_PASSPHRASE"])
    assert secret.censored(f"60005 Invalid apiKey {GOOD['P9_OKX_KEY']} of") == "60005 Invalid apiKey *** of"
    assert secret.censored('{"passphrase":"pass \\"phrase\\\\ one"} pass "phrase\\ one') == '{"passphrase":"***"} ***'
    assert secret.censored("nothing of it") == "nothing of it"
    secret.learn("short")
    secret.learn("")
    assert secret.censored("a short text") == "a short text", "it would cover half of what is written"
