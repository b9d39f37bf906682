"""The workflow that builds and hands out the executables: its schema (all of it is on this machine), and a linter for what such files do wrong."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

WORKFLOW = Path(__file__).parents[2] / ".github" / "workflows" / "build.yml"
TEXT = WORKFLOW.read_text()
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the linters are checked where they are installed")


def schema(path: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", path]
    return subprocess.run(words, capture_output=True, text=True)


def linted(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([Path(sys.executable).with_name("zizmor"), "--offline", "--no-progress", folder], capture_output=True, text=True)


def test_it_is_a_workflow_and_the_linter_finds_nothing():
    for ran in (schema(WORKFLOW), linted(WORKFLOW.parent)):
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_linters_find_a_wrong_key_and_an_action_that_can_change_under_us(tmp_path):
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / "build.yml").write_text(TEXT.replace("runs-on:", "run-on:", 1))
    assert schema(folder / "build.yml").returncode == 1
    (folder / "build.yml").write_text(TEXT.replace("@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2", "@v4", 1))
    ran = linted(folder)
    assert ran.returncode != 0 and "unpinned" in ran.stdout


def test_both_executables_prove_themselves_and_are_handed_out_with_sums_and_a_bill_of_materials():
    job = yaml.safe_load(TEXT)["jobs"]["executable"]
    assert {row["file"] for row in job["strategy"]["matrix"]["include"]} == {"p9_microstream", "p9_microstream.exe"}
    runs = " ".join(step.get("run", "") for step in job["steps"])
    # without --no-proof both scripts end with the proof, whose first part is the quick test
    assert "scripts/exe.sh" in runs and "build.ps1" in runs and "--no-proof" not in runs
    assert "cyclonedx-py" in runs and "sha256sum" in runs
    (upload,) = (step for step in job["steps"] if "upload-artifact" in step.get("uses", ""))
    assert upload["with"]["path"] == "dist/${{ matrix.file }}*" and upload["with"]["if-no-files-found"] == "error"
