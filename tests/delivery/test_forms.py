"""The whole appliance, as a user starts it, on every form of Redis: what it publishes is there, and it leaves nothing behind."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import redis
import yaml
from redis.sentinel import Sentinel

from p9.delivery import embedded
from p9.errors import BusAway, ConfigError
from tests.delivery.redis_forms import MASTER, ClusterForm, SentinelForm
from tests.delivery.redis_process import RedisProcess
from tests.delivery.redis_servers import running
from tests.patience import PATIENCE_S

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
ROOT = Path(__file__).parents[2]
STREAM = "stream:{trades:bybit:BTC-USDT-PERP}"
RIGHTS = ("~stream:*", "~last:*", "~p9:*", "&*", "+@read", "+@write", "+@pubsub", "+@transaction", "+@connection", "+info")


@pytest.fixture(scope="module")
def venues():
    """The simulated venues' addresses."""
    command = [sys.executable, "-m", "p9", "simulate", "--instruments", "2"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    yield json.loads(process.stdout.readline())["endpoints"]
    process.terminate()
    process.wait(10)


def config_of(venues: dict, folder: Path, **keys: str) -> Path:
    markets = {name: {line: {"enabled": False} for line in lines} for name, lines in
               (("binance", ("spot", "usdm", "coinm", "option")), ("bybit", ("spot", "inverse", "option")), ("okx", ("spot", "swap", "futures", "option")))}  # fmt: skip
    place = venues["bybit_linear"]
    markets["bybit"]["linear"] = {"rest_url": place["rest"], "ws_url": place["ws"], "symbols": ["BTC-USDT-PERP"]}
    tree = {"data_dir": str(folder / "data"), "http": {"port": 0}, "redis": {"mode": "external", **keys}, "venues": markets}
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


def run(venues: dict, folder: Path, stored, password: str = "", **keys: str) -> dict:
    """Until it is ready and its trades are stored; its status then. It must end well."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "P9_REDIS_PASSWORD": password}
    process = subprocess.Popen(
        [sys.executable, "-m", "p9", "--config", str(config_of(venues, folder, **keys))], cwd=ROOT, env=environment, stdout=subprocess.PIPE,
        stderr=(folder / "log").open("w"), text=True,
    )  # fmt: skip
    try:
        line = process.stdout.readline()
        assert "pages at " in line, (folder / "log").read_text()
        url = line.split("pages at ")[1].split()[0]
        deadline_s = time.monotonic() + PATIENCE_S
        while not (ready(url) and stored() > 0):
            assert time.monotonic() < deadline_s, (folder / "log").read_text()[-3000:]
            time.sleep(0.05)
        with urllib.request.urlopen(f"{url}/status") as answer:
            status = json.load(answer)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0, (folder / "log").read_text()[-3000:]
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    assert not password or password not in (folder / "log").read_text()
    assert not status["delivery"]["errors"] and not status["delivery"]["refusals"]
    return status


def ready(url: str) -> bool:
    with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(f"{url}/readyz") as answer:
        return answer.status == 200
    return False


def test_a_user_with_few_rights_and_a_password(venues, tmp_path):
    with RedisProcess(tmp_path / "redis") as server:
        server.client().execute_command("ACL", "SETUSER", "desk", "on", ">se:cr@t/", *RIGHTS)
        status = run(venues, tmp_path, lambda: server.client().xlen(STREAM), password="se:cr@t/", url=server.url, username="desk")
        assert status["redis"]["form"] == "standalone" and "se" not in status["redis"]["url"].partition("desk")[2].partition("@")[0]


def test_tls_with_an_own_authority_that_asks_for_our_certificate(venues, tmp_path):
    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=tmp_path, check=True, capture_output=True)

    openssl("req", "-x509", *KEY, "-nodes", "-days", "2", "-subj", "/CN=our authority", "-keyout", "ca.key", "-out", "ca.pem",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")  # Python 3.13 takes no authority without
    (tmp_path / "names").write_text("subjectAltName=DNS:localhost")
    for name in ("server", "client"):
        openssl("req", *KEY, "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names",
                "-out", f"{name}.pem")  # fmt: skip
    server = RedisProcess(tmp_path / "redis", tls_port=True)
    server.options = ("--tls-port", str(server.tls_port), "--tls-cert-file", str(tmp_path / "server.pem"), "--tls-key-file", str(tmp_path / "server.key"),
                      "--tls-ca-cert-file", str(tmp_path / "ca.pem"), "--tls-auth-clients", "yes")  # fmt: skip
    with server:
        run(
            venues, tmp_path, lambda: server.client().xlen(STREAM), url=f"rediss://localhost:{server.tls_port}/0", tls_ca_file=str(tmp_path / "ca.pem"),
            tls_cert_file=str(tmp_path / "client.pem"), tls_key_file=str(tmp_path / "client.key"),
        )  # fmt: skip


def test_a_unix_socket_and_another_database(venues, tmp_path):
    with RedisProcess(tmp_path / "redis") as server:
        run(venues, tmp_path, lambda: server.client(db=2).xlen(STREAM), url=f"unix://{server.unix_path}?db=2")


def test_sentinels(venues, tmp_path):
    with SentinelForm(tmp_path) as form:
        hosts = ",".join(f"{host}:{port}" for host, port in form.hosts)
        master = Sentinel(form.hosts).master_for(MASTER)
        status = run(venues, tmp_path, lambda: master.xlen(STREAM), url=f"redis://127.0.0.1:1,{hosts}/0", sentinel_master=MASTER)
        assert status["redis"]["form"] == "sentinel" and status["redis"]["role"] == "master"


def test_a_cluster(venues, tmp_path):
    with ClusterForm(tmp_path) as form:
        def stored() -> int:
            """On all masters: which one has a channel is its name's chance."""
            return min(form.owner_of(STREAM).client().xlen(STREAM), *(server.client().dbsize() for server in form.masters))

        status = run(venues, tmp_path, stored, url=form.url)
        assert status["redis"]["form"] == "cluster"


def test_valkey(venues, tmp_path):
    with running("valkey", tmp_path / "valkey") as port:
        status = run(venues, tmp_path, lambda: redis.Redis(port=port).xlen(STREAM), url=f"redis://127.0.0.1:{port}/0")
        assert status["redis"]["version"].startswith("valkey")


async def test_several_hosts_that_are_no_cluster_are_a_mistake_and_said(tmp_path):
    with RedisProcess(tmp_path / "redis") as server:
        with pytest.raises(ConfigError, match="sentinel_master"):
            await embedded.choose("external", f"redis://127.0.0.1:{server.port},127.0.0.1:1/0", data_dir=tmp_path)
        with pytest.raises(ConfigError, match="no host and port"):
            await embedded.choose("external", "redis://127.0.0.1:port,b:1/0", data_dir=tmp_path)


async def test_sentinels_that_know_no_such_master_are_away(tmp_path):
    with pytest.raises(BusAway, match="sentinel_master"):
        await embedded.choose("external", "redis://127.0.0.1:1/0", sentinel_master="nobody", data_dir=tmp_path)
