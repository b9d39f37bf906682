"""A venue that only talks: a process of its own that sends ready frames over WebSockets on loopback, flat out or at a steady rate.

    python -m tests.bench.wire FOLDER RATE     prints its port; sends to /NAME what FOLDER/NAME.frames holds, once a line comes on its input
"""

import base64
import hashlib
import pickle
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType

CHUNK = 128  # frames of one write, flat out
SLOT_S = 0.0005  # of a steady rate
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3


def framed(payload: bytes) -> bytes:
    """One unmasked text frame (RFC 6455, 5.2)."""
    size = len(payload)
    return (bytes((0x81, size)) if size < 126 else b"\x81\x7e" + size.to_bytes(2, "big")) + payload


class Wire:
    """The process and its files. `with Wire(folder, {"name": frames}, rate) as wire: …; wire.go()`"""

    def __init__(self, folder: Path, streams: dict[str, list[bytes]], rate: int = 0):
        for name, frames in streams.items():
            (folder / f"{name}.frames").write_bytes(pickle.dumps(frames))
        self._folder, self._rate = folder, rate

    def __enter__(self) -> "Wire":
        command = [sys.executable, "-m", "tests.bench.wire", str(self._folder), str(self._rate)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        return self

    def url(self, name: str) -> str:
        return f"ws://127.0.0.1:{self.port}/{name}"

    def go(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"go\n")
        self._process.stdin.flush()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()


def _greet(connection: socket.socket) -> str:
    """The opening handshake; the path that was asked for."""
    asked = b""
    while b"\r\n\r\n" not in asked:
        asked += connection.recv(4096)
    key = re.search(rb"(?i)sec-websocket-key: *(\S+)", asked)
    assert key is not None
    accept = base64.b64encode(hashlib.sha1(key[1] + _MAGIC).digest())
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )
    return asked.split(b" ")[1].decode().strip("/")


def _flat_out(connection: socket.socket, frames: list[bytes]) -> None:
    for i in range(0, len(frames), CHUNK):
        connection.sendall(b"".join(frames[i : i + CHUNK]))


def _steadily(lines: list[tuple[socket.socket, list[bytes]]], rate: int) -> None:
    """All connections together at `rate` messages a second, in slots."""
    began, n, each = time.perf_counter(), 0, len(lines)
    total = sum(len(frames) for _, frames in lines)
    while n < total:
        due = min(total, int((time.perf_counter() - began) * rate))
        for i in range(each):
            connection, frames = lines[i]
            # message k of the whole is number k // each of connection k % each
            first, last = (n + each - 1 - i) // each, (due + each - 1 - i) // each
            if last > first:
                connection.sendall(b"".join(frames[first:last]))
        n = due
        time.sleep(SLOT_S)


def main(folder: Path, rate: int) -> None:
    streams = {path.stem: [framed(frame) for frame in pickle.loads(path.read_bytes())] for path in folder.glob("*.frames")}
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        lines = []
        for _ in streams:
            connection, _ = server.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            lines.append((connection, streams[_greet(connection)]))
        sys.stdin.readline()
        if rate:
            _steadily(lines, rate)
        else:
            threads = [threading.Thread(target=_flat_out, args=line) for line in lines]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        sys.stdin.readline()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
