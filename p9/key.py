"""The key of an account at a venue: from the environment, or from a file that nobody but its owner can read; never from the configuration."""

import hashlib
import hmac
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from p9 import secret
from p9.errors import ConfigError

PARTS = ("key", "secret", "passphrase")
MOST = 8192  # characters of a file
_LINE = re.compile(r"\s*(\w+)\s*[=:]\s*(\S.*?)\s*")
_HINT = "two or three lines: key=..., secret=..., and where the venue has one, passphrase=..."


class Key:
    """What signs a login. It never shows itself: not in a log line, not in an error, not in a debugger's list of variables."""

    __slots__ = ("__key", "__passphrase", "__secret")

    def __init__(self, key: str, secret_: str = "", passphrase: str = ""):
        self.__key, self.__secret, self.__passphrase = key, secret_, passphrase
        for text in (key, secret_, passphrase):
            secret.learn(text)

    @property
    def key(self) -> str:
        return self.__key

    @property
    def passphrase(self) -> str:
        return self.__passphrase

    @property
    def signs(self) -> bool:
        return bool(self.__secret)

    def sign(self, text: str) -> bytes:
        """HMAC-SHA256 of `text` under the secret."""
        return hmac.new(self.__secret.encode(), text.encode(), hashlib.sha256).digest()

    def __repr__(self) -> str:
        return f"Key({secret.COVER})"

    def __reduce__(self) -> Any:
        raise TypeError("a key is not written anywhere")


def key_of(section: Any, where: str, environment: Mapping[str, str] = os.environ) -> Key | None:
    """The key that a section `account` of the configuration (p9/config/account.py) points to; None: there is none. `where` is its path in the file.

    The environment is believed first. Raises ConfigError for half a key, for what is no key, and for a file that others can read.
    """
    wanted = [part for part in PARTS if hasattr(section, f"{part}_env")]
    found = {part: environment.get(getattr(section, f"{part}_env"), "").strip() for part in wanted}
    source = {part: f"environment: {getattr(section, f'{part}_env')}" for part in wanted}
    if not any(found.values()):
        if not section.file:
            return None
        found, source = _read(section.file, f"{where}.file"), dict.fromkeys(wanted, f"{where}.file: {section.file}")
    for part in wanted:
        text = found.get(part, "")
        if not text and part in section.optional:
            continue
        if not text:
            raise ConfigError(f"there is no {part}", where=source[part], hint=f"this venue's key is made of {', '.join(wanted)}")
        if len(text) < secret.LEAST or not text.isascii() or not text.isprintable() or (part == "key" and " " in text):
            raise ConfigError(f"what stands there is no {part}", where=source[part], hint=f"at least {secret.LEAST} printable characters")
    return Key(found["key"], found.get("secret", ""), found.get("passphrase", ""))


def _read(path: str, where: str) -> dict[str, str]:
    """The parts in a file. Raises ConfigError."""
    file = Path(path).expanduser()
    try:
        with os.fdopen(os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), encoding="utf-8") as lines:
            _check(os.fstat(lines.fileno()), file, where)
            text = lines.read(MOST + 1)
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}", where=where) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: not UTF-8 text", where=where, hint=_HINT) from None
    found = {}
    for line in text.splitlines() if len(text) <= MOST else ("",):
        match = _LINE.fullmatch(line)
        if match is not None and match[1].lower() in PARTS:
            found[match[1].lower()] = match[2]
        elif line.strip() and not line.lstrip().startswith("#"):
            raise ConfigError(f"{file}: a line of it is not understood", where=where, hint=_HINT)  # it may be a key: it is not repeated
    return found


def _check(state: os.stat_result, file: Path, where: str) -> None:
    """Where files have owners and modes, only we may read it (root may own it: it can read everything anyway)."""
    if not stat.S_ISREG(state.st_mode):
        raise ConfigError(f"{file} is no file", where=where)
    if os.name != "posix":
        return
    if state.st_mode & 0o077:
        raise ConfigError(f"others can read or write {file} (mode {stat.S_IMODE(state.st_mode):04o})", where=where, hint=f"chmod 600 {file}")
    if state.st_uid not in (os.geteuid(), 0):
        raise ConfigError(f"{file} belongs to somebody else", where=where, hint=f"chown {os.geteuid()} {file}")
