"""Build dist/p9_microstream.exe under Wine, run the unit tests there, and let the executable prove itself.

    python -m p9.packaging.windows.build [--quick-test 20s] [--no-tests]

By a Linux Python 3.11 whose environment has cython and setuptools (scripts/exe-windows.sh sees to that). What this shows and what not: docs/packaging.md.
Ends with one line of JSON; exits 1 when something failed.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from p9.packaging.charts import VENDOR
from p9.packaging.windows.wine import WindowsPython, check_machine, run

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "build" / "windows"
TREE = FOLDER / "tree"
EXE = "p9_microstream.exe"
MODULE = ".cp311-win_amd64.pyd"
ONLY_WINDOWS = ("colorama==0.4.6", "pefile==2024.8.26", "pywin32-ctypes==0.2.3")
TEST_TOOLS = ("pytest", "pytest-asyncio", "pytest-timeout", "hypothesis")
UNIT_TESTS = (
    "tests/cext", "tests/market", "tests/venues", "tests/config", "tests/analysis", "tests/client", "tests/snapshots", "tests/ops", "tests/delivery",
    "tests/test_config.py", "tests/test_budget.py", "tests/test_breaker.py", "tests/test_instrument.py", "tests/test_publication.py", "tests/test_executable.py",
    "tests/test_instance.py", "tests/test_number.py", "tests/test_history.py", "tests/test_command_line.py",
)  # fmt: skip
# another program; NumPy, whose Windows build calls what Wine does not have; what only Linux has
NOT_THERE = re.compile(r"numpy|tests\.reference|redis_(?:process|servers|forms)|jsonschema|^import (?:resource|fcntl)$|os\.getuid", re.M)
LEFT_OUT = {
    "tests/analysis/test_micro_price.py": "NumPy, through the reference that it asks",
    "tests/client/test_event.py": "NumPy, through the simulated bus that it reads",
    "tests/snapshots/test_folder.py": "makes names that Windows refuses, to see them refused",
    "tests/snapshots/test_shelf.py": "a full disk is played by a device of Linux",
    "tests/ops/test_gate.py": "looks at a file's mode: on Windows the folder's access list is what protects the token",
    "tests/ops/test_memory.py": "reads /proc",
    "tests/ops/test_monitoring.py": "runs Prometheus",
    "tests/delivery/test_embedded.py": "runs Valkey, and Unix sockets",
}


def requirements() -> list[str]:
    """What the appliance and its tests need on Windows, out of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = []
    for line in project["dependencies"]:
        name, _, marker = (part.strip() for part in line.partition(";"))
        if "!= 'win32'" not in marker:
            found.append(name)
    tools = [line for line in project["optional-dependencies"]["dev"] if re.split(r"[=<>]", line)[0] in (*TEST_TOOLS, "pyinstaller", "setuptools")]
    return [*found, *tools, *ONLY_WINDOWS]


def unit_tests() -> list[str]:
    """Of UNIT_TESTS those that can run there."""
    found = []
    for place in UNIT_TESTS:
        for path in sorted((ROOT / place).rglob("test_*.py") if (ROOT / place).is_dir() else [ROOT / place]):
            name = path.relative_to(ROOT).as_posix()
            if path.exists() and name not in LEFT_OUT and not NOT_THERE.search(path.read_text()):
                found.append(name)
    return found


def copy_tree() -> None:
    """The sources as they are committed or edited, without what was built for Linux; what is no source any more goes."""
    names = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True).stdout
    charts = [path.relative_to(ROOT).as_posix() for path in VENDOR.glob("*")]  # fetched, not committed
    sources = {name for name in (*filter(None, names.decode().split("\0")), *charts) if (ROOT / name).is_file()}
    for part in ("cext", "p9", "tests"):
        for path in (TREE / part).rglob("*.*"):
            name = path.relative_to(TREE).as_posix()
            if path.is_file() and (name.replace(MODULE, ".pyx") if name.endswith(MODULE) else name) not in sources:
                path.unlink()
    for name in sources:
        source, target = ROOT / name, TREE / name
        if not (target.exists() and target.stat().st_mtime >= source.stat().st_mtime):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def extension_modules() -> dict[Path, Path]:
    """{C file: extension module}"""
    run(sys.executable, "setup.py", "-q", "build_ext", "--inplace")  # writes build/cython
    generated = ROOT / "build" / "cython"
    return {
        generated / path.relative_to(ROOT).with_suffix(".c"): TREE / path.relative_to(ROOT).with_suffix(MODULE)
        for path in sorted((ROOT / "cext").rglob("*.pyx"))
    }


def run_unit_tests(python: WindowsPython) -> dict[str, object]:
    recordings = Path(os.environ.get("P9_RECORDINGS") or ROOT.parent / "shared" / "recordings").resolve()
    code, text = python.run(
        python.exe, "-m", "pytest", "-o", "addopts=--strict-markers --import-mode=importlib", "-q", "-p", "no:cacheprovider", *unit_tests(), cwd=TREE,
        timeout_s=1800, PYTHONPATH=".", CI="true", P9_RECORDINGS=f"Z:{recordings}",
    )  # fmt: skip
    return {"unit_tests": text.strip().splitlines()[-1] if text.strip() else "nothing was printed", "unit_tests_ok": code == 0}


def freeze(python: WindowsPython) -> Path | None:
    """The executable; None: it could not be made."""
    code, _ = python.run(
        python.exe, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN", "--distpath", "dist", "--workpath", "work", "p9/packaging/p9_microstream.spec",
        cwd=TREE, timeout_s=1200, PYTHONPATH=".",
    )  # fmt: skip
    return TREE / "dist" / EXE if code == 0 else None


def prove(python: WindowsPython, quick_test: str) -> dict[str, object]:
    """The very proof of the Linux executable, by the Windows Python."""
    code, text = python.run(
        python.exe, "-m", "p9.packaging.proof", f"dist/{EXE}", "--quick-test", quick_test, cwd=TREE, timeout_s=1200, PYTHONPATH=".",
    )  # fmt: skip
    try:
        return {"proof_exit": code, **json.loads(text.strip().splitlines()[-1])}
    except (ValueError, IndexError):
        return {"proof_exit": code, "ok": False, "failed": [f"the proof ended without a word: exit code {code}"]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick-test", default="20s", metavar="TIME")
    parser.add_argument("--no-tests", action="store_true", help="no unit tests")
    options = parser.parse_args()
    check_machine()
    python = WindowsPython(FOLDER / "python")
    python.assemble()
    python.install(requirements())
    copy_tree()
    python.compile(extension_modules())
    report: dict[str, object] = {} if options.no_tests else run_unit_tests(python)
    try:
        made = freeze(python)
        report |= prove(python, options.quick_test) if made is not None else {"ok": False, "failed": ["PyInstaller"]}
    finally:
        python.end()
    if made is not None:
        (ROOT / "dist").mkdir(exist_ok=True)
        shutil.copy(made, ROOT / "dist")
    report["ok"] = report["ok"] is True and report.get("unit_tests_ok", True) is True
    print(json.dumps(report))
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
