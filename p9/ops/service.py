"""Installing the appliance as a service: a systemd unit, or on Windows a task that starts with the machine."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.sax.saxutils import escape

from p9.errors import ConfigError

NAME = "p9-microstream"
UNIT_PATH = Path("/etc/systemd/system") / f"{NAME}.service"

_UNIT = """\
[Unit]
Description=P9-MicroStream: exact order books and confirmed market data
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
# the executable is two processes, and it is the second one that speaks
NotifyAccess=all
ExecStart={command}
Environment=P9__DATA_DIR=%S/{name}
StateDirectory={name}
DynamicUser=yes
WatchdogSec=30
TimeoutStartSec=90
# it stops its own Redis last: SIGTERM is for the appliance alone
KillMode=mixed
TimeoutStopSec=30
Restart=on-failure
RestartSec=2
# a mistake in the configuration does not heal
RestartPreventExitStatus=2
LimitNOFILE=65536
NoNewPrivileges=yes
PrivateTmp=yes
ProtectSystem=strict
ProtectHome=read-only

[Install]
WantedBy=multi-user.target
"""

_TASK = """\
<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo><Description>P9-MicroStream: exact order books and confirmed market data</Description></RegistrationInfo>
  <Triggers><BootTrigger><Enabled>true</Enabled></BootTrigger></Triggers>
  <Principals><Principal id="Author"><UserId>S-1-5-19</UserId><RunLevel>LeastPrivilege</RunLevel></Principal></Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <RestartOnFailure><Interval>PT1M</Interval><Count>999</Count></RestartOnFailure>
    <Enabled>true</Enabled>
  </Settings>
  <Actions Context="Author">
    <Exec><Command>{command}</Command><Arguments>{arguments}</Arguments><WorkingDirectory>{folder}</WorkingDirectory></Exec>
  </Actions>
</Task>
"""


def command() -> list[str]:
    """How this very appliance is started."""
    return [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-m", "p9"]


def _word(text: str, *, program: bool) -> str:
    """One word of ExecStart: systemd expands % everywhere and $ in arguments, quoted or not. Raises ConfigError for what it cannot carry."""
    if any(sign in text for sign in ("\n\r\"'\\" if program else "\n\r")):
        raise ConfigError(f"systemd takes no such path: {text!r}", where="install-service", hint="move it to one without quotes and line breaks")
    for sign, written in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), *([] if program else [("$", "$$")])):
        text = text.replace(sign, written)
    return f'"{text}"'


def unit(words: list[str]) -> str:
    """The systemd unit that runs `words`."""
    return _UNIT.format(name=NAME, command=" ".join(_word(word, program=n == 0) for n, word in enumerate(words)))


def task(words: list[str], folder: Path) -> str:
    """The Windows task that runs `words` in `folder` as the local service account, whenever the machine starts."""
    return _TASK.format(command=escape(words[0]), arguments=escape(subprocess.list2cmdline(words[1:])), folder=escape(str(folder)))


def install(config_path: Path | None, *, only_print: bool) -> int:
    """Install, start, and say so; the exit code. Raises ConfigError without the right to."""
    words = command() + (["--config", str(config_path.resolve())] if config_path is not None else [])
    folder = Path(words[0]).resolve().parent
    text = task(words, folder) if sys.platform == "win32" else unit(words)
    if only_print:
        print(text, end="")
        return 0
    return _install_task(text) if sys.platform == "win32" else _install_unit(text)


def _install_unit(text: str) -> int:
    try:
        UNIT_PATH.write_text(text)
    except OSError as error:
        raise ConfigError(f"{UNIT_PATH}: {error.strerror}", where="install-service", hint="run it as root, on a machine with systemd") from None
    for words in (["systemctl", "daemon-reload"], ["systemctl", "enable", "--now", NAME]):
        try:
            code = subprocess.run(words).returncode
        except OSError as error:
            raise ConfigError(f"{words[0]}: {error.strerror}", where="install-service") from None
        if code:
            return code
    print(f"{UNIT_PATH} is installed and runs; look at it with: systemctl status {NAME}")
    return 0


def _install_task(text: str) -> int:
    handle, name = tempfile.mkstemp(suffix=".xml")
    with os.fdopen(handle, "w", encoding="utf-16") as file:
        file.write(text)
    try:
        code = subprocess.run(["schtasks", "/Create", "/F", "/TN", NAME, "/XML", name]).returncode
        code = code or subprocess.run(["schtasks", "/Run", "/TN", NAME]).returncode
    finally:
        os.unlink(name)
    if code == 0:
        print(f"the task {NAME} is installed and runs; remove it with: schtasks /Delete /TN {NAME}")
    return code
