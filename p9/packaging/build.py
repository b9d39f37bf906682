"""Build dist/p9_microstream(.exe) and prove it: size, start time, memory, and its own quick test in a directory that holds nothing else.

    python -m p9.packaging.build [--quick-test 15s]

Run from a checkout. The work is done in an environment of its own (.venv-exe): what else a developer has installed would end up inside.
"""

import argparse
import ctypes.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SUFFIX = ".exe" if sys.platform == "win32" else ""
MAX_BYTES = 20 << 20
PINNED_TOOLS = ("setuptools==84.2.1", "cython==3.3.1", "picows==2.3.1", "pyinstaller==6.22.3")


def _python(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _run(*command: object, **options: object) -> None:
    print("+", *command, file=sys.stderr, flush=True)
    subprocess.run([str(part) for part in command], check=True, cwd=ROOT, **options)


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
    environment = ROOT / ".venv-exe"
    if not _python(environment).exists():
        venv.create(environment, with_pip=True)
    python = _python(environment)
    _run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *PINNED_TOOLS)
    _run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-build-isolation", "-e", ".")
    _run(python, "setup.py", "-q", "build_ext", "--inplace")
    _run(
        python, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN", "--distpath", "dist", "--workpath", "build/exe",
        "p9/packaging/p9_microstream.spec",
    )
    return ROOT / "dist" / f"p9_microstream{SUFFIX}"


def prove(executable: Path, quick_test: str) -> dict[str, object]:
    """Run the executable's quick test alone in an empty directory; what was measured."""
    with tempfile.TemporaryDirectory(prefix="p9-exe-") as folder:
        alone = Path(shutil.copy2(executable, folder))
        clean = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "TMPDIR", "SYSTEMROOT", "TEMP", "LANG")}
        starts = []
        for _ in range(3):
            began = time.perf_counter()
            subprocess.run([alone, "--version"], check=True, cwd=folder, env=clean, stdout=subprocess.DEVNULL)
            starts.append(time.perf_counter() - began)
        ran = subprocess.run([alone, "--quick-test", quick_test, "--simulate"], cwd=folder, env=clean, stdout=subprocess.PIPE, text=True)
        sys.stderr.write(ran.stdout)
        report = json.loads(ran.stdout.strip().splitlines()[-1]) if ran.stdout.strip() else {}
        return {
            "executable": executable.name,
            "size_mb": round(executable.stat().st_size / 1e6, 2),
            "version_s": round(min(starts), 3),
            "ready_s": report.get("ready_s"),
            "rss_start_mb": report.get("rss_start_mb"),
            "quick_test": "passed" if ran.returncode == 0 else f"failed ({ran.returncode})",
            "ok": ran.returncode == 0 and executable.stat().st_size <= MAX_BYTES,
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick-test", default="15s", metavar="TIME")
    options = parser.parse_args()
    check_machine()
    figures = prove(build(), options.quick_test)
    print(json.dumps(figures))
    return 0 if figures["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
