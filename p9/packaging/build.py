"""Build dist/p9_microstream(.exe) and let it prove itself: packaging/proof.py.

    python -m p9.packaging.build [--quick-test 15s] [--no-proof]

Run from a checkout, by any Python: only the standard library is imported here. The work is done in an environment of its own (.venv-exe): what
else a developer has installed would end up inside. Ends with one line of JSON; exits 1 when a bound fails.
"""

import argparse
import ctypes.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SUFFIX = ".exe" if sys.platform == "win32" else ""
PINNED_TOOLS = ("setuptools==84.2.1", "cython==3.3.1", "picows==2.3.1", "pyinstaller==6.22.3")


def environment_python() -> Path:
    """The Python of the build's environment, which need not exist yet."""
    return ROOT / ".venv-exe" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _run(*command: object, **environment: str) -> None:
    print("+", *command, file=sys.stderr, flush=True)
    subprocess.run([str(part) for part in command], check=True, cwd=ROOT, stdout=sys.stderr, env=os.environ | environment)


def _version(python: Path | str) -> str:
    return subprocess.run([python, "-c", "import sys; print(sys.version)"], check=True, stdout=subprocess.PIPE, text=True).stdout


def check_machine() -> None:
    """Refuse early, with what to do, where the build could only fail late. Raises SystemExit."""
    if sys.platform != "win32":
        if shutil.which("strip") is None:
            raise SystemExit("strip is missing and the executable would be twice its size: apt-get install binutils")
        name = f"python3.{sys.version_info.minor}"
        if not sysconfig.get_config_var("Py_ENABLE_SHARED") and ctypes.util.find_library(name) is None:
            raise SystemExit(f"this Python has no shared library, which PyInstaller needs: apt-get install {name}-dev, or set P9_PYTHON to another")


def build() -> Path:
    """The finished executable."""
    python = environment_python()
    if python.exists() and _version(python) != _version(sys.executable):
        shutil.rmtree(python.parents[1])  # another Python made it
    if not python.exists():
        venv.create(python.parents[1], with_pip=True)
    _run(sys.executable, "-m", "p9.packaging.charts")
    pip = (python, "-m", "pip", "install", "-q", "--disable-pip-version-check")
    _run(*pip, *PINNED_TOOLS, *tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"])
    _run(python, "setup.py", "-q", "build_ext", "--inplace")  # not through pip, which compiles all of it again somewhere else
    _run(
        python, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN", "--distpath", "dist", "--workpath", "build/exe",
        "p9/packaging/p9_microstream.spec", PYTHONNODEBUGRANGES="1",  # which sign of a line a call stands at is not kept: 3 % of all code
    )  # fmt: skip
    return ROOT / "dist" / f"p9_microstream{SUFFIX}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick-test", default="15s", metavar="TIME")
    parser.add_argument("--no-proof", action="store_true", help="build only")
    options = parser.parse_args()
    check_machine()
    executable = build()
    if options.no_proof:
        print(json.dumps({"executable": str(executable), "bytes": executable.stat().st_size}))
        return 0
    return subprocess.run([environment_python(), "-m", "p9.packaging.proof", executable, "--quick-test", options.quick_test], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
