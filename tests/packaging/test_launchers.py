"""The launchers: the shell's are run, PowerShell's are parsed (there is no PowerShell to run them on most machines that test)."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

ROOT = Path(__file__).parents[2]
POWERSHELL = sorted([*(ROOT / "scripts").glob("*.ps1"), ROOT / "build.ps1"])
SAYS_ITS_WORDS = '#!/bin/sh\nfor word in "$@"; do echo "[$word]"; done\nexit 7\n'


@pytest.fixture(params=["{0}", "{0}/../dist", "{0}/../.venv/bin"])
def scripts(tmp_path, request):
    """The shell launchers in a folder with spaces, and a program that says how it was called."""
    folder = tmp_path / "a folder" / "scripts"
    folder.mkdir(parents=True)
    for name in ("start", "quick-test", "stop", "install-service"):
        shutil.copy2(ROOT / "scripts" / f"{name}.sh", folder)
    home = Path(request.param.format(folder)).resolve()
    home.mkdir(parents=True, exist_ok=True)
    (home / "p9_microstream").write_text(SAYS_ITS_WORDS)
    (home / "p9_microstream").chmod(0o755)
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="shell scripts")
@pytest.mark.parametrize(
    "name, words, called",
    [
        ("start", ["--config", "my file.yaml"], ["--config", "my file.yaml"]),
        ("quick-test", ["20s", "--simulate"], ["--quick-test", "20s", "--simulate"]),
        ("quick-test", [], ["--quick-test"]),
        ("stop", [], ["stop"]),
        ("install-service", ["--print"], ["install-service", "--print"]),
    ],
)
def test_a_launcher_finds_the_program_and_passes_on_words_and_exit_code(scripts, name, words, called):
    ran = subprocess.run([scripts / f"{name}.sh", *words], cwd="/", capture_output=True, text=True)
    assert ran.stdout.splitlines() == [f"[{word}]" for word in called]
    assert ran.returncode == 7


@pytest.mark.skipif(sys.platform == "win32", reason="shell scripts")
def test_a_launcher_without_a_program_says_what_to_do(tmp_path):
    shutil.copy2(ROOT / "scripts" / "start.sh", tmp_path)
    ran = subprocess.run([tmp_path / "start.sh"], capture_output=True, text=True)
    assert ran.returncode == 127 and "exe.sh" in ran.stderr


def mistakes(text: bytes) -> Iterator[Node]:
    """Where the grammar of PowerShell does not hold."""
    waiting = [Parser(Language(tree_sitter_powershell.language())).parse(text).root_node]
    while waiting:
        node = waiting.pop()
        if node.is_error or node.is_missing:
            yield node
        waiting += node.children


@pytest.mark.parametrize("path", POWERSHELL, ids=lambda path: path.name)
def test_powershell_can_read_its_scripts(path):
    assert [(node.start_point, node.text) for node in mistakes(path.read_bytes())] == []


def test_the_reader_of_powershell_finds_a_mistake():
    assert list(mistakes(b"if ($x) { Write-Host 'open'")) and list(mistakes(b"& $(x"))


@pytest.mark.parametrize("path", POWERSHELL, ids=lambda path: path.name)
def test_windows_powershell_5_can_run_its_scripts(path):
    text = path.read_text()
    assert text.isascii(), "without a byte order mark it reads the file in the machine's code page"
    code = re.sub(r"'[^']*'|#.*", "", text)
    assert not re.search(r"&&|\|\||\?\?|\?\.|\?\s*:|\$Is(Windows|Linux|MacOS)\b", code), "syntax of PowerShell 7"
    assert "Set-StrictMode" in text and "$ErrorActionPreference = 'Stop'" in text


@pytest.mark.parametrize("name", ["start", "quick-test", "stop", "install-service"])
def test_both_shells_have_the_same_launchers(name):
    shell, power = ((ROOT / "scripts" / f"{name}.{suffix}").read_text() for suffix in ("sh", "ps1"))
    words = re.search(r'start\.sh" (\S+) "\$@"', shell)
    if name != "start":
        assert f"'start.ps1') '{words[1]}' @args" in power
