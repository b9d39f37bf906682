"""What systemd hears from us (sd_notify(3)): that we are up, how it goes, that we live, that we stop. Silent where there is no systemd."""

import asyncio
import contextlib
import os
import socket
from collections.abc import MutableMapping


class Systemd:
    """Takes its variables out of `environment`: a child of ours must not speak in our name."""

    def __init__(self, environment: MutableMapping[str, str] = os.environ):
        address = environment.pop("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        usec, pid = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
        # the process that systemd knows is the bootloader, where there is one
        ours = not pid or pid in (str(os.getpid()), str(os.getppid()))
        self.watchdog_s = int(usec) / 1e6 if usec.isdigit() and ours and self._address else None
        self._told = ""

    def notify(self, state: str) -> None:
        """One message: lines such as READY=1."""
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
            to.sendto(state.encode(), self._address)

    def status(self, text: str) -> None:
        """What `systemctl status` shows; sent when it changes."""
        if text != self._told:
            self._told = text
            self.notify(f"STATUS={text}")

    async def beat(self) -> None:
        """For ever: a sign of life at half the time that systemd waits for one. A loop that hangs is silent, and is started again."""
        while self.watchdog_s is not None:
            self.notify("WATCHDOG=1")
            await asyncio.sleep(self.watchdog_s / 2)
