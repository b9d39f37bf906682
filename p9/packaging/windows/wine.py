"""A genuine Windows CPython under Wine, put together from published packages, and a compiler for its extension modules.

The interpreter is the PSF's own python311.dll with its modules, as the wheel of panda3d carries them for frozen games; the standard library in Python
is that of the Linux Python of the same minor version. MinGW-w64 compiles.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
INTERPRETER = "panda3d==1.10.16"
MINOR = (3, 11)
CC = "x86_64-w64-mingw32-gcc"
TOOLS = {CC: "gcc-mingw-w64-x86-64", "gendef": "mingw-w64-tools", "x86_64-w64-mingw32-dlltool": "binutils-mingw-w64-x86-64", "wine": "wine wine64"}
WINESERVERS = ("/usr/lib/wine/wineserver", "/usr/lib/wine/wineserver64")  # where Debian keeps it
NOT_WANTED = {"site-packages", "dist-packages", "lib-dynload", "test", "idlelib", "tkinter", "turtledemo", "__pycache__"}


def check_machine() -> None:
    """Raises SystemExit, with what to do, where something is missing."""
    missing = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if missing:
        raise SystemExit("missing for a Windows build: apt-get install --no-install-recommends " + " ".join(missing))
    if sys.version_info[:2] != MINOR:
        raise SystemExit(f"the Windows interpreter is {MINOR[0]}.{MINOR[1]}, and its library in Python comes from this one: set P9_PYTHON to such a Python")


class WindowsPython:
    """The interpreter in `folder`, with a Wine prefix of its own."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.exe = folder / "python.exe"
        # not in the checkout: its z: is a link to the root of everything, and setuptools follows links
        self.prefix = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "p9-microstream" / "wine"
        self.packages = folder / "Lib" / "site-packages"

    def assemble(self) -> None:
        """Once; a folder that is whole is left as it is."""
        whole = self.folder / "whole"
        if whole.exists() and whole.read_text() == INTERPRETER:
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        raw = self._interpreter()
        for name in ("DLLs", "libs"):
            (self.folder / name).mkdir(parents=True)
        shutil.copy(raw / "python311.dll", self.folder)
        shutil.copy(raw / "VCRUNTIME140.dll", self.folder / "vcruntime140.dll")
        for path in [*raw.glob("*.pyd"), *(raw / f"lib{name}.dll" for name in ("crypto-3", "ssl-3", "ffi-8"))]:
            shutil.copy(path, self.folder / "DLLs")
        shutil.copytree(sysconfig.get_path("stdlib"), self.folder / "Lib", ignore=lambda _, names: [n for n in names if n in NOT_WANTED or n.startswith("config-")])
        self.packages.mkdir()
        shutil.copytree(sysconfig.get_path("include"), self.folder / "include")
        shutil.copy(HERE / "pyconfig.h", self.folder / "include")  # Python.h looks beside itself first
        self._import_library()
        whole.write_text(INTERPRETER)

    def _interpreter(self) -> Path:
        downloads = self.folder.parent / "downloads"
        run(
            sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--platform", "win_amd64",
            "--python-version", f"{MINOR[0]}{MINOR[1]}", "-d", downloads, INTERPRETER,
        )  # fmt: skip
        with zipfile.ZipFile(next(downloads.glob("panda3d-*.whl"))) as wheel:
            wheel.extractall(downloads, [name for name in wheel.namelist() if name.startswith("deploy_libs/")])
        return downloads / "deploy_libs"

    def _import_library(self) -> None:
        definition = self.folder / "python311.def"
        definition.write_bytes(subprocess.run(["gendef", "-", str(self.folder / "python311.dll")], check=True, capture_output=True).stdout)
        run("x86_64-w64-mingw32-dlltool", "-d", definition, "-D", "python311.dll", "-l", self.folder / "libs" / "libpython311.a")
        run(CC, "-municode", "-O2", "-s", HERE / "python.c", "-o", self.exe, self.folder / "libs" / "libpython311.a")

    def install(self, requirements: Iterable[str]) -> None:
        """Windows wheels of `requirements` and what they need. Markers are told of Linux: whatever only Windows needs is to be named."""
        wanted = sorted(requirements)
        stamp = self.packages / "p9-requirements.txt"
        if stamp.exists() and stamp.read_text() == "\n".join(wanted):
            return
        shutil.rmtree(self.packages, ignore_errors=True)
        self.packages.mkdir()
        run(
            sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--target", self.packages, "--only-binary=:all:",
            "--platform", "win_amd64", "--python-version", f"{MINOR[0]}.{MINOR[1]}", "--implementation", "cp", *wanted,
        )  # fmt: skip
        stamp.write_text("\n".join(wanted))

    def compile(self, sources: Mapping[Path, Path]) -> None:
        """{C file: extension module}; only what is older than its source."""
        stale = {source: target for source, target in sources.items() if not target.exists() or target.stat().st_mtime < source.stat().st_mtime}

        def one(pair: tuple[Path, Path]) -> None:
            source, target = pair
            target.parent.mkdir(parents=True, exist_ok=True)
            run(
                CC, "-shared", "-O3", "-s", "-static-libgcc", "-fno-strict-aliasing", "-I", self.folder / "include", source, "-o", target,
                self.folder / "libs" / "libpython311.a", quiet=True,
            )  # fmt: skip

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for n, _ in enumerate(pool.map(one, stale.items()), 1):
                if n % 10 == 0 or n == len(stale):
                    print(f"{n} of {len(stale)} extension modules for Windows", file=sys.stderr, flush=True)

    def environment(self, **more: str) -> dict[str, str]:
        """Nothing that was said to the Linux Python; names of files beyond ASCII."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "P9_"))}
        wine = {"WINEPREFIX": str(self.prefix), "WINEARCH": "win64", "WINEDEBUG": "-all", "WINEDLLOVERRIDES": "mscoree,mshtml=", "LC_ALL": "C.UTF-8"}
        return ours | wine | {"PYTHONUTF8": "0", "PYTHONUNBUFFERED": "1"} | more

    def run(self, program: Path, *words: object, cwd: Path, timeout_s: float, **environment: str) -> tuple[int, str]:
        """A Windows program's exit code and what it printed, which is shown as it comes. After `timeout_s` all of this prefix is ended.

        Through pipes: Wine's programs take a file, or nothing, for a broken console.
        """
        self.prefix.parent.mkdir(parents=True, exist_ok=True)
        print("+ wine", program.name, *words, file=sys.stderr, flush=True)
        process = subprocess.Popen(
            ["wine", str(program), *map(str, words)], cwd=cwd, env=self.environment(**environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert process.stdout is not None
        timer = threading.Timer(timeout_s, self.end)
        timer.start()
        said = []
        for line in process.stdout:
            said.append(line.decode("utf-8", "replace"))
            if not re.search(r"could not resolve 'api-ms-win-|wine32", said[-1]):  # parts of Windows itself; of Wine for programs of 32 bits
                print(said[-1].rstrip(), file=sys.stderr, flush=True)
        timer.cancel()
        return process.wait(), "".join(said)

    def end(self) -> None:
        """Every program that runs in this prefix."""
        server = shutil.which("wineserver") or next((path for path in WINESERVERS if Path(path).exists()), "wineserver")
        subprocess.run([server, "-k"], env=self.environment(), check=False)


def run(*command: object, quiet: bool = False) -> None:
    words: Sequence[str] = [str(word) for word in command]
    if not quiet:
        print("+", *words, file=sys.stderr, flush=True)
    subprocess.run(words, check=True, stdout=sys.stderr)
