"""A real redis-server (or the bundled Valkey) that a test may kill, stop, starve and start again in the same place."""

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import redis

from p9.delivery.valkey import dies_with_parent, find_binary
from tests.patience import PATIENCE_S


def server_binary() -> str:
    """Skips the test where there is none."""
    path = shutil.which("redis-server") or find_binary()
    if path is None:
        pytest.skip("neither redis-server nor the bundled Valkey is on this machine")
    return str(path)


def spawn(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """A server without a word that ends with this process, even where a run of tests is killed. (The kernel watches the thread that asked for it.)"""
    tied = sys.platform == "linux" and threading.current_thread() is threading.main_thread()
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=dies_with_parent() if tied else None)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class RedisProcess:
    """One server on a port of its own, with its files in `folder`. `with RedisProcess(tmp_path) as server: …`"""

    def __init__(self, folder: Path, *options: str, tls_port: bool = False):
        self.folder, self.options = folder, options
        self.port = free_port()
        self.tls_port = free_port() if tls_port else 0
        self.unix_path = folder / "redis.sock"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self, *more: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [server_binary(), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", "",
                   "--unixsocket", str(self.unix_path), "--repl-diskless-sync-delay", "0", *self.options, *more]
        for _ in range(50):
            self.process = spawn(command)
            deadline = time.monotonic() + PATIENCE_S
            while time.monotonic() < deadline and self.process.poll() is None:
                with contextlib.suppress(redis.RedisError), self.client(socket_timeout=1) as client:
                    client.ping()
                    return
                time.sleep(0.005)
            self.process.kill()
            self.process.wait()
            time.sleep(0.05)
        raise RuntimeError(f"{command[0]} does not start")

    def kill(self) -> None:
        """As kill -9 does it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def client(self, **options) -> redis.Redis:
        return redis.Redis(port=self.port, **options)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.thaw()
        self.kill()
