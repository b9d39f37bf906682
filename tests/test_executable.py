"""What is different in the one executable, with real processes."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from p9 import executable

ROOT = Path(__file__).parents[1]
PYTHON = sys.executable

CHILD = """
import signal, sys, time
from p9 import executable
number = signal.SIGINT if sys.platform == "win32" else signal.SIGTERM
signal.signal(number, lambda *_: (print("told to stop", flush=True), sys.exit(0)))
executable.end_with_parent()
print("tied", flush=True)
for _ in range(300):
    time.sleep(0.1)
"""
PARENT = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]]); import time; time.sleep(30)"


@pytest.mark.skipif(sys.platform not in ("linux", "win32"), reason="other systems have no such tie")
def test_a_killed_bootloader_takes_the_appliance_with_it():
    # a bootloader can pass on every signal but SIGKILL: the appliance went on without it
    parent = subprocess.Popen([sys.executable, "-c", PARENT, CHILD], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout.readline() == "tied\n"
        parent.kill()
        assert parent.stdout.readline() == "told to stop\n"
    finally:
        parent.kill()
        parent.communicate(timeout=10)


def test_from_source_there_is_no_folder_and_no_bootloader():
    assert executable.folder() is None and not executable.single_file() and executable.write_config() is None


@pytest.fixture
def frozen(monkeypatch, tmp_path):
    """The interpreter, made to look like the executable; the folder in which that lies."""
    home, bundle = tmp_path / "home", tmp_path / "bundle"
    home.mkdir()
    (bundle / "p9").mkdir(parents=True)
    (bundle / "p9" / "config.yaml").write_text("# größer\n", encoding="utf-8")
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(home / "p9_microstream"))
    monkeypatch.setattr(sys, "_MEIPASS", str(bundle), raising=False)
    return home


def test_the_configuration_is_written_once_and_never_over_a_person_s(frozen):
    path = executable.write_config()
    assert path == frozen / "config.yaml" and path.read_text(encoding="utf-8") == "# größer\n"
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        executable.write_config()
    assert path.read_text() == "mine"


@pytest.mark.skipif(sys.platform == "win32", reason="a limit of size plays the full disk")
def test_a_full_disk_leaves_no_half_configuration(frozen):
    # half a file would be read at the next start
    limits = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (4, 4)); import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    frozen_as = f"sys.frozen = True; sys.executable = {str(frozen / 'x')!r}; sys._MEIPASS = {sys._MEIPASS!r}; "
    ran = subprocess.run(
        [PYTHON, "-c", limits + frozen_as + "from p9 import executable; executable.write_config()"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert "File too large" in ran.stderr and list(frozen.iterdir()) == []


@pytest.mark.parametrize("bundle, single", [("/tmp/_MEI1", True), ("{home}", False), ("{home}/_internal", False)])
def test_one_file_is_told_from_a_folder_of_files(monkeypatch, tmp_path, bundle, single):
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "p9_microstream"))
    monkeypatch.setattr(sys, "_MEIPASS", bundle.format(home=tmp_path), raising=False)
    assert executable.folder() == tmp_path and executable.single_file() is single


def test_what_no_old_code_page_has_is_said_into_a_pipe_all_the_same(monkeypatch):
    # a path such as this one ended the program with an error about its own error
    pipe = io.TextIOWrapper(io.BytesIO(), encoding="cp1252", newline="\n", write_through=True)
    monkeypatch.setattr(sys, "stdout", pipe)
    monkeypatch.setattr(sys, "platform", "win32")
    executable.speak_utf8()
    print("行情 für \udcff")
    assert pipe.buffer.getvalue().decode() == "行情 für \\udcff\n"


def test_no_window_is_held_where_there_is_none():
    executable.hold_window()  # or it would wait for a key until the test's time is up
