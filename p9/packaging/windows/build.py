"""Build dist/p9_microstream.exe under Wine, run the unit tests there, and let the executable prove itself.

    python -m p9.packaging.windows.build [--quick-test 20s] [--no-tests]

By a Linux Python 3.11 whose environment has cython and setuptools (scripts/exe-windows.sh sees to that). What this shows and what not: docs/packaging.md.
Ends with one line of JSON; exits 1 when something failed.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

from p9.packaging.windows.wine import WindowsPython, check_machine, run

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "build" / "windows"
TREE = FOLDER / "tree"
EXE = "p9_microstream.exe"
ONLY_WINDOWS = ("colorama==0.4.6", "pefile==2024.8.26", "pywin32-ctypes==0.2.3")
TEST_TOOLS = ("pytest", "pytest-asyncio", "pytest-timeout", "hypothesis")
UNIT_TESTS = ("tests/cext", "tests/market", "tests/venues", "tests/config", "tests/test_config.py", "tests/test_budget.py", "tests/test_breaker.py",
              "tests/test_instrument.py", "tests/test_publication.py", "tests/test_executable.py", "tests/delivery/resp_server")  # fmt: skip


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
    """Those that need neither another program nor NumPy, whose Windows build calls what Wine does not have."""
    found = []
    for place in UNIT_TESTS:
        for path in sorted((ROOT / place).rglob("test_*.py") if (ROOT / place).is_dir() else [ROOT / place]):
            if path.exists() and not re.search(r"numpy|tests\.reference|redis_process", path.read_text()):
                found.append(path.relative_to(ROOT).as_posix())
    return found


def copy_tree() -> None:
    """The sources as they are committed or edited, without what was built for Linux."""
    names = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True).stdout
    for name in filter(None, names.decode().split("\0")):
        source, target = ROOT / name, TREE / name
        if source.is_file() and not (target.exists() and target.stat().st_mtime >= source.stat().st_mtime):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def extension_modules() -> dict[Path, Path]:
    """{C file: extension module}"""
    run(sys.executable, "setup.py", "-q", "build_ext", "--inplace")  # writes build/cython
    generated = ROOT / "build" / "cython"
    return {
        generated / path.relative_to(ROOT).with_suffix(".c"): TREE / path.relative_to(ROOT).with_suffix(".cp311-win_amd64.pyd")
        for path in sorted((ROOT / "cext").rglob("*.pyx"))
    }


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
    report: dict[str, object] = {}
    if not options.no_tests:
        code, text = python.run(python.exe, "-m", "pytest", "-q", "-p", "no:cacheprovider", *unit_tests(), cwd=TREE, timeout_s=1800, PYTHONPATH=".")
        print(text[-3000:], file=sys.stderr)
        report["unit_tests"] = text.strip().splitlines()[-1] if text.strip() else "nothing was printed"
        report["unit_tests_ok"] = code == 0
    code, text = python.run(
        python.exe, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN", "--distpath", "dist", "--workpath", "work", "p9/packaging/p9_microstream.spec",
        cwd=TREE, timeout_s=1200, PYTHONPATH=".",
    )  # fmt: skip
    if code != 0:
        print(text[-3000:], file=sys.stderr)
        print(json.dumps({"ok": False, "failed": "PyInstaller", **report}))
        return 1
    alone = FOLDER / "alone"
    shutil.rmtree(alone, ignore_errors=True)
    alone.mkdir()
    shutil.copy(TREE / "dist" / EXE, alone)
    (ROOT / "dist").mkdir(exist_ok=True)
    shutil.copy(TREE / "dist" / EXE, ROOT / "dist")
    began_s = time.monotonic()
    code, text = python.run(alone / EXE, "--version", cwd=alone, timeout_s=300)
    report |= {"bytes": (alone / EXE).stat().st_size, "version": text.strip(), "version_s": round(time.monotonic() - began_s, 2)}
    code, text = python.run(alone / EXE, "--quick-test", options.quick_test, "--simulate", cwd=alone, timeout_s=600)
    print(text[-6000:], file=sys.stderr)
    report |= {"quick_test_exit": code, "config_beside_it": (alone / "config.yaml").exists()}
    ok = code == 0 and report.get("unit_tests_ok", True) is True
    print(json.dumps({"ok": ok, **report}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
