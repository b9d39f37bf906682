"""Where state is kept, on a real file system. A folder that cannot be made is played by a file of its name: root may write everywhere else."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from p9 import data_dir
from p9.errors import ConfigError

ROOT = Path(__file__).parents[1]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home and a folder for temporary files of this test's own."""
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "home"


def test_what_is_configured_is_made_and_taken(tmp_path):
    assert data_dir.resolve(str(tmp_path / "a" / "b"), None) == tmp_path / "a" / "b"
    assert (tmp_path / "a" / "b").is_dir()


def test_a_tilde_is_the_home(home):
    assert data_dir.resolve("~/state", None) == home / "state"


def test_what_is_configured_and_cannot_be_written_is_refused_and_nothing_else_is_taken(tmp_path, home):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written") as caught:
        data_dir.resolve(str(tmp_path / "file"), None)
    assert caught.value.where == "data_dir"
    assert not home.exists()


def test_it_lies_beside_the_configuration(tmp_path, home):
    assert data_dir.resolve("", tmp_path / "config.yaml") == tmp_path / "data"


def test_and_in_the_system_s_place_where_that_cannot_be_written(tmp_path, home, monkeypatch):
    (tmp_path / "data").write_text("in the way")
    assert data_dir.resolve("", tmp_path / "config.yaml") == home / ".local" / "state" / "p9_microstream"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    assert data_dir.resolve("", tmp_path / "config.yaml") == tmp_path / "xdg" / "p9_microstream"


def test_beside_the_executable_where_there_is_no_configuration(tmp_path, home, monkeypatch):
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "p9_microstream"))
    assert data_dir.resolve("", None) == tmp_path / "data"


def test_the_last_place_is_the_folder_for_temporary_files_and_each_user_has_one(tmp_path, home):
    home.write_text("in the way")
    assert data_dir.resolve("", None) == tmp_path / "temporary" / f"p9_microstream-{os.getuid()}"


def test_nowhere_to_write_is_said_with_every_place_that_was_tried(tmp_path, home):
    home.write_text("in the way")
    (tmp_path / "temporary").write_text("in the way")
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(ConfigError, match="none of") as caught:
        data_dir.resolve("", tmp_path / "config.yaml")
    for place in (tmp_path / "data", home, tmp_path / "temporary"):
        assert str(place) in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may become a user that nobody knows")
def test_a_user_without_a_home_is_no_error():
    # under systemd's DynamicUser or in a container there may be none
    code = "import os, pwd, tempfile; from p9 import data_dir; tempfile.tempdir = '/tmp'; os.setuid(54321); print(data_dir.resolve('', None))"
    environment = {key: value for key, value in os.environ.items() if key not in ("HOME", "XDG_STATE_HOME")}
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ran.stdout.strip() == "/tmp/p9_microstream-54321", ran.stderr
    Path("/tmp/p9_microstream-54321").rmdir()
