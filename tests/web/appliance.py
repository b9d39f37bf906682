"""The whole appliance on its simulated venues, in a process of its own that can be started again in the same place."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.delivery.redis_process import free_port
from tests.web.browser import ROOT


class Appliance:
    """`with Appliance(folder) as one: one.url`; `environment` overrides keys of the configuration."""

    def __init__(self, folder: Path, *words: str, **environment: str):
        self.folder, self.words, self.environment = folder, words, environment
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        own = {"PYTHONPATH": str(ROOT), "P9__DATA_DIR": str(self.folder / "data"), "P9__HTTP__PORT": str(self.port), **self.environment}
        with (self.folder / "log").open("ab") as out:
            self._process = subprocess.Popen([sys.executable, "-m", "p9", "--simulate", *self.words], cwd=self.folder, env={**os.environ, **own}, stdout=out, stderr=out)
        deadline_s = time.monotonic() + 90
        while time.monotonic() < deadline_s:
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise RuntimeError((self.folder / "log").read_text()[-2000:])

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            assert self._process.wait(60) == 0, (self.folder / "log").read_text()[-2000:]
            self._process = None

    def __enter__(self) -> "Appliance":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
