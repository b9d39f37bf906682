"""Errors carry their remedy: `supervisor.py` switches on it, never on the type.

A message tells a person what happened and where; `hint` what to do about it.
"""

from enum import Enum


class Remedy(Enum):
    """What the owner of an error does about it."""

    STOP = "stop"  # the appliance cannot run: say why, exit 2
    RECONNECT = "reconnect"  # a socket: jittered back-off, for ever
    WAIT = "wait"  # a limit: not before `retry_after_s`
    STOP_FEED = "stop_feed"  # that market only; /readyz shows it
    RESYNC = "resync"  # that instrument only
    SPOOL = "spool"  # the bus is away


class P9Error(Exception):
    """`where` names the file, key, venue, market or symbol; `hint` is one sentence that helps."""

    remedy = Remedy.STOP

    def __init__(self, message: str, *, where: str = "", hint: str = "", retry_after_s: float | None = None):
        super().__init__(message)
        self.message, self.where, self.hint, self.retry_after_s = message, where, hint, retry_after_s

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text} ({self.hint})" if self.hint else text


class ConfigError(P9Error):
    """A configuration that cannot be run: `where` is the file and the YAML path."""


class BusError(P9Error):
    """Redis is there and refuses us (wrong password, wrong database, not enough rights)."""


class BusAway(P9Error):
    """Redis does not answer."""

    remedy = Remedy.SPOOL


class BusBusy(P9Error):
    """Redis is there and takes no more clients for now."""

    remedy = Remedy.WAIT


class SocketLost(P9Error):
    """A venue's socket closed, was refused or fell silent."""

    remedy = Remedy.RECONNECT


class RestError(P9Error):
    """A REST answer that is of no use: a status, a body that is not what was asked for, a time-out."""

    remedy = Remedy.RECONNECT


class RateLimited(RestError):
    """The venue told us to wait, or our own budget does."""

    remedy = Remedy.WAIT


class AddressBanned(RateLimited):
    """The venue shut out our address: none of its endpoints may be asked before `retry_after_s` is over."""


class RestRefused(RestError):
    """The venue understood the question and said no (unknown symbol, wrong parameter): asking again does not help."""

    remedy = Remedy.RESYNC


class MarketRefused(P9Error):
    """A market cannot be captured at all (blocked region, no such product): the others go on."""

    remedy = Remedy.STOP_FEED


class BookWrong(P9Error):
    """A book cannot be brought back by its usual road."""

    remedy = Remedy.RESYNC


class RecordingError(P9Error):
    """A recording that cannot be read: `where` is the file and line."""
