"""The command table: one row per word, filled by the `commands_*` files as they are imported."""

from collections.abc import Callable
from typing import NamedTuple

Handler = Callable[..., bytes | None]  # (Server, Session, arguments) -> the answer, or None if there is none yet

WRITE = 1
DENY_OOM = 2  # refused while memory is over its bound
NO_AUTH = 4  # allowed before AUTH
PUBSUB = 8  # allowed to a RESP2 client that has subscribed
UNQUEUED = 16  # runs at once inside MULTI


class CommandError(Exception):
    """str() is the error line, its first word the error's kind (ERR, WRONGTYPE, …)."""


class Command(NamedTuple):
    name: str  # small letters
    arity: int  # arguments with the name; negative: at least so many
    flags: int
    run: Handler


TABLE: dict[bytes, Command] = {}  # small and capital letters both; other spellings are folded by the server

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_AN_INTEGER = "ERR value is not an integer or out of range"
NOT_A_FLOAT = "ERR value is not a valid float"
SYNTAX = "ERR syntax error"


def command(name: str, arity: int, flags: int = 0) -> Callable[[Handler], Handler]:
    def enter(run: Handler) -> Handler:
        row = Command(name, arity, flags, run)
        TABLE[name.encode()] = TABLE[name.upper().encode()] = row
        return run

    return enter


def parse_int(text: bytes, error: str = NOT_AN_INTEGER) -> int:
    """A signed 64-bit integer, spelt the one way Redis takes it. Raises CommandError."""
    digits = text[1:] if text[:1] == b"-" else text
    if not digits.isdigit() or len(digits) > 19 or (digits[0] == 48 and text != b"0"):
        raise CommandError(error)
    value = int(text)
    if not -(1 << 63) <= value < 1 << 63:
        raise CommandError(error)
    return value


def parse_float(text: bytes, error: str = NOT_A_FLOAT) -> float:
    try:
        value = float(text)
    except ValueError:
        raise CommandError(error) from None
    if value != value or b"_" in text or text != text.strip():
        raise CommandError(error)
    return value


def unknown_subcommand(name: str, word: bytes) -> CommandError:
    said = word[:128].decode("utf-8", "replace")
    return CommandError(f"ERR unknown subcommand '{said}'. Try {name.upper()} HELP.")


def wrong_arity(name: str) -> CommandError:
    return CommandError(f"ERR wrong number of arguments for '{name}' command")
