"""sd_notify on a real datagram socket, and units that systemd's own checker reads."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from p9.errors import ConfigError
from p9.ops import service
from p9.ops.systemd import Systemd
from tests.patience import PATIENCE_S

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux")


@pytest.fixture(params=["path", "abstract"])
def manager(tmp_path, request):
    """What systemd is to us: (a socket that listens, its address as the environment tells it)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        name = str(tmp_path / "notify") if request.param == "path" else f"\0p9-test-{os.getpid()}"
        listening.bind(name)
        listening.settimeout(5)
        yield listening, name.replace("\0", "@")


def test_messages_arrive_and_the_variables_are_gone(manager):
    listening, address = manager
    environment = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid()), "OTHER": "1"}
    systemd = Systemd(environment)
    assert environment == {"OTHER": "1"}
    assert systemd.watchdog_s == 0.5
    systemd.notify("READY=1")
    systemd.status("nine books")
    systemd.status("nine books")
    systemd.status("ten books")
    systemd.notify("STOPPING=1")
    assert [listening.recv(100) for _ in range(4)] == [b"READY=1", b"STATUS=nine books", b"STATUS=ten books", b"STOPPING=1"]


async def test_the_watchdog_is_fed_as_long_as_the_loop_turns(manager):
    listening, address = manager
    listening.setblocking(False)
    systemd = Systemd({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "100000"})
    beat = asyncio.create_task(systemd.beat())
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    for _ in range(5):
        assert await asyncio.wait_for(loop.sock_recv(listening, 100), PATIENCE_S) == b"WATCHDOG=1"
    assert loop.time() - began_s >= 0.19  # four pauses of half the time
    beat.cancel()


@pytest.mark.parametrize(
    "environment", [{}, {"NOTIFY_SOCKET": "/nowhere/at/all"}, {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "x"}]
)
async def test_without_systemd_nothing_is_said_and_nothing_breaks(environment):
    systemd = Systemd(environment)
    systemd.notify("READY=1")
    systemd.status("x")
    assert systemd.watchdog_s is None
    await asyncio.wait_for(systemd.beat(), PATIENCE_S)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd's checker is not installed")
@pytest.mark.parametrize("folder", ["plain", "with space", "50% $HOME für 行情"])
def test_systemd_finds_the_executable_wherever_it_lies(tmp_path, folder):
    home = tmp_path / folder
    home.mkdir()
    program = home / "p9_microstream"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    checked = verify(tmp_path, service.unit([str(program), "--config", str(home / "config.yaml")]))
    assert checked == ""
    program.unlink()
    assert "is not executable" in verify(tmp_path, service.unit([str(program)]))


def verify(folder: Path, text: str) -> str:
    """What systemd-analyze says about a unit, ours alone."""
    path = folder / "p9-microstream.service"
    path.write_text(text)
    ran = subprocess.run(["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True)
    return "\n".join(line for line in ran.stderr.splitlines() if "p9-microstream" in line)


@pytest.mark.parametrize("words", [["/a\nb"], ['/a "b"'], ["/a'b"], ["/a\\b"], ["/a", "b\nc"]])
def test_a_path_that_no_unit_can_hold_is_refused(words):
    with pytest.raises(ConfigError, match="no such path"):
        service.unit(words)


def test_the_windows_task_is_well_formed_and_quotes_its_arguments(tmp_path):
    task = ElementTree.fromstring(service.task([r"C:\A & B\p9.exe", "--config", r"C:\A & B\c.yaml"], Path("/x<y")).replace('encoding="UTF-16"', ""))
    schema = {"t": "http://schemas.microsoft.com/windows/2004/02/mit/task"}
    assert task.findtext(".//t:Command", namespaces=schema) == r"C:\A & B\p9.exe"
    assert task.findtext(".//t:Arguments", namespaces=schema) == r'--config "C:\A & B\c.yaml"'
    assert task.findtext(".//t:WorkingDirectory", namespaces=schema) == "/x<y"


@pytest.fixture
def systemctl(tmp_path, monkeypatch):
    """A systemctl that notes what it is asked, and fails where told; the units' folder is this test's own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "systemctl").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n[ "$1" != "$FAILS" ]\n')
    (folder / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(service, "UNIT_PATH", tmp_path / "p9-microstream.service")
    return tmp_path


def test_a_service_is_written_then_read_then_started(systemctl, capsys):
    assert service.install(None, only_print=False) == 0
    assert (systemctl / "p9-microstream.service").read_text() == service.unit(service.command())
    assert (systemctl / "asked").read_text().splitlines() == ["daemon-reload", "enable --now p9-microstream"]
    assert "systemctl status" in capsys.readouterr().out


def test_systemctl_s_refusal_is_ours(systemctl, monkeypatch):
    monkeypatch.setenv("FAILS", "enable")
    assert service.install(None, only_print=False) == 1


def test_without_the_right_to_or_without_systemd_it_is_said(systemctl, monkeypatch):
    monkeypatch.setenv("PATH", str(systemctl))
    with pytest.raises(ConfigError, match="systemctl"):
        service.install(None, only_print=False)
    monkeypatch.setattr(service, "UNIT_PATH", systemctl / "absent" / "unit")
    with pytest.raises(ConfigError, match="root"):
        service.install(None, only_print=False)
