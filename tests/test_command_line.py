"""The command line within one process: where the configuration is found, what each word does, which exit code a mistake has."""

import sys
from pathlib import Path

import pytest

from p9 import __main__ as command_line
from p9.errors import BusAway
from p9.instance import Instance


@pytest.fixture
def p9(monkeypatch, tmp_path):
    """Runs the command line in an empty folder: (exit code)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("P9_CONFIG", raising=False)
    monkeypatch.setenv("P9__DATA_DIR", str(tmp_path / "state"))

    def run(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["p9_microstream", *words])
        return command_line.main()

    return run


def test_without_any_the_defaults_are_checked(p9, capsys):
    assert p9("--check-config") == 0
    assert capsys.readouterr().out.startswith("the defaults: good; markets: ")


def test_the_configuration_of_this_folder_is_found_and_a_named_one_comes_first(p9, capsys, tmp_path, monkeypatch):
    (tmp_path / "config.yaml").write_text("")
    p9("--check-config")
    assert capsys.readouterr().out.startswith(f"{tmp_path / 'config.yaml'}: good")
    for name in ("environment.yaml", "option.yaml"):
        (tmp_path / name).write_text("")
    monkeypatch.setenv("P9_CONFIG", "environment.yaml")
    p9("--check-config")
    assert capsys.readouterr().out.startswith("environment.yaml: good")
    p9("--check-config", "--config", "option.yaml")
    assert capsys.readouterr().out.startswith("option.yaml: good")


def test_one_that_was_named_and_is_not_there_is_never_passed_over(p9, capsys, tmp_path, monkeypatch):
    (tmp_path / "config.yaml").write_text("")
    assert p9("--check-config", "--config", "absent.yaml") == 2
    assert "absent.yaml" in capsys.readouterr().err
    monkeypatch.setenv("P9_CONFIG", "gone.yaml")
    assert p9("--check-config") == 2
    assert "gone.yaml" in capsys.readouterr().err
    assert p9("--check-config", "--config", str(tmp_path)) == 2  # a folder


def test_stop_has_nothing_to_stop(p9, capsys, tmp_path):
    assert p9("stop") == 0
    assert capsys.readouterr().out == f"no appliance works in {tmp_path / 'state'}\n"


def test_stop_says_when_it_was_not_heard(p9, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(command_line, "STOP_TIMEOUT_S", 0.1)
    (tmp_path / "state").mkdir()
    deaf = Instance(tmp_path / "state")
    assert deaf.claim()
    assert p9("stop") == 1
    assert "was asked to stop and still runs" in capsys.readouterr().err
    deaf.release()


@pytest.mark.skipif(sys.platform != "linux", reason="a systemd unit")
def test_install_service_shows_a_unit_for_this_very_program(p9, capsys, tmp_path):
    (tmp_path / "config.yaml").write_text("")
    assert p9("install-service", "--print") == 0
    unit = capsys.readouterr().out
    assert f'ExecStart="{sys.executable}" "-m" "p9" "--config" "{tmp_path / "config.yaml"}"\n' in unit
    assert "Type=notify" in unit and "WatchdogSec=30" in unit


@pytest.mark.parametrize(
    "error, code", [(BusAway("Redis does not answer", where="redis.url"), 3), (ValueError("a strange number"), 2), (KeyboardInterrupt(), 130)]
)
def test_every_end_has_its_exit_code(p9, capsys, monkeypatch, error, code):
    def fail(options):
        raise error

    monkeypatch.setattr(command_line, "_dispatch", fail)
    assert p9() == code
    assert str(error) in capsys.readouterr().err


def test_the_executable_writes_its_configuration_or_says_that_it_cannot(monkeypatch, tmp_path, capsys):
    bundle = tmp_path / "bundle" / "p9"
    bundle.mkdir(parents=True)
    (bundle / "config.yaml").write_text("log: {level: error}\n")
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "_MEIPASS", str(bundle.parent), raising=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "p9_microstream"))
    assert command_line._first_start() == tmp_path / "config.yaml"
    assert "is written" in capsys.readouterr().err
    monkeypatch.setattr(sys, "executable", str(tmp_path / "absent" / "p9_microstream"))
    assert command_line._first_start() is None
    assert "going on with the defaults" in capsys.readouterr().err


def test_a_configuration_that_was_written_is_one_that_can_be_read():
    from p9.config import Config, load

    assert load(Path(__file__).parents[1] / "config.yaml") == Config()
