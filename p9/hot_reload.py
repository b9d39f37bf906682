"""The configuration file, looked at once a second and when we are told to (SIGHUP): what is valid is applied, what is not changes nothing."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from p9.config import Config, load
from p9.errors import ConfigError

TICK_S = 1.0


class HotReload:
    """`apply(config)` carries out what is different and says what of it needs a restart; `note(event, **more)` is told every outcome."""

    def __init__(self, path: Path, config: Config, apply: Callable[[Config], Awaitable[list[str]]], note: Callable[..., None]):
        self.path = path
        self.successful = True  # of the last attempt
        self.applied_s = time.time()  # when the configuration in force was read, since 1970
        self.reloads = self.refusals = 0
        self.error = ""
        self.restart: list[str] = []  # changes that wait for one
        self._config, self._apply, self._note = config, apply, note
        self._wake = asyncio.Event()
        self._stamp, self._digest = self._look()

    def _look(self) -> tuple[tuple[int, int], bytes]:
        """(mtime, size) and the hash of what is in the file; zeros where there is none to be read."""
        try:
            found = self.path.stat()
            return (found.st_mtime_ns, found.st_size), hashlib.sha256(self.path.read_bytes()).digest()
        except OSError:
            return (0, 0), b""

    def _changed(self) -> bool:
        try:
            found = self.path.stat()
        except OSError:
            return self._stamp != (0, 0)
        return (found.st_mtime_ns, found.st_size) != self._stamp

    def wake(self) -> None:
        """Look now, whatever the file's time says."""
        self._stamp = (-1, -1)
        self._wake.set()

    async def run(self) -> None:
        """For ever, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(TICK_S):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            if self._changed():
                await self.look()

    async def look(self) -> None:
        """Read the file; apply it if its content is another one. A file that is half written is refused, and read again when it is whole."""
        self._stamp, digest = self._look()
        if digest == self._digest and self.successful:
            return
        self._digest = digest
        try:
            config = load(self.path)
        except ConfigError as error:
            self.refusals += 1
            self.successful, self.error = False, str(error)
            self._note("configuration refused", file=str(self.path), reason=str(error))
            return
        try:
            self.restart = await self._apply(config)
        except ConfigError as error:
            self.refusals += 1
            self.successful, self.error = False, str(error)
            self._note("configuration not applied", file=str(self.path), reason=str(error))
            return
        self.reloads += 1
        self.successful, self.error, self.applied_s, self._config = True, "", time.time(), config

    def status(self) -> dict[str, Any]:
        return {
            "file": str(self.path), "successful": self.successful, "error": self.error, "reloads": self.reloads, "refusals": self.refusals,
            "applied_s": round(self.applied_s, 3), "needs_restart": self.restart,
        }  # fmt: skip
