"""What holds for every file of the tree."""

import ast
import contextlib
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = (".py", ".pyx", ".pxd", ".sh", ".ps1", ".js", ".md")


def files() -> list[Path]:
    """Those that git knows; without git, or in a copy that is no checkout, those of our own folders."""
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
        return [ROOT / name for name in listed if name and (ROOT / name).is_file()]
    return [path for folder in ("p9", "cext", "tests", "scripts", "docs") for path in (ROOT / folder).rglob("*") if path.suffix in SOURCES]


FILES = files()
CODE = [path for path in FILES if path.suffix in (".py", ".pyx", ".pxd")]
VENUES_OWN = ("p9/venues/", "cext/venues/", "p9/simulate/", "p9/config/venues.py")
FORBIDDEN_NAMES = {"utils", "helpers", "common", "misc", "manager", "base"}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_only_the_venues_own_places_say_a_venues_name():
    wrong = []
    for path in CODE:
        name = relative(path)
        if not name.startswith(("p9/", "cext/")) or name.startswith(VENUES_OWN):
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.search(r"binance|bybit|okx", line, re.I):
                wrong.append(f"{name}:{number}: {line.strip()}")
    assert not wrong, "\n".join(wrong)


def test_no_task_can_forget_that_it_was_stopped():
    """Python 3.11's wait_for loses a cancellation that falls on the moment of success: a capture once hung at its stop. asyncio.timeout does not."""
    wrong = [relative(path) for path in CODE if relative(path).startswith("p9/") and "wait_for(" in path.read_text()]
    assert not wrong


def test_files_are_named_for_what_they_define():
    assert not [relative(path) for path in FILES if path.stem.lower() in FORBIDDEN_NAMES]


@pytest.mark.parametrize("path", [path for path in CODE if relative(path).startswith("cext/")], ids=relative)
def test_the_hot_path_is_portable_c(path):
    text = path.read_text()
    assert "__int128" not in re.sub(r"#.*|\"\"\".*?\"\"\"", "", text, flags=re.S), "MSVC has no __int128"
    assert not re.search(r"\b(?:cdef|cpdef|<)\s*(?:unsigned )?long\b(?! long)", text), "long has 32 bits on Windows: int64_t"


@pytest.mark.parametrize("path", [path for path in CODE if path.suffix == ".pyx"], ids=relative)
def test_every_literal_is_as_long_as_it_says(path):
    """`put_bytes(w, b"null", 4)`: a length that is counted by hand once cut a payload's last letter off."""
    for text, size in re.findall(r"""\bput_bytes\(\w+, (b'(?:\\.|[^'\\])*'|b"(?:\\.|[^"\\])*"), (\d+)\)""", path.read_text()):
        assert len(ast.literal_eval(text)) == int(size), text


@pytest.mark.parametrize("path", [path for path in CODE if path.suffix != ".pxd" or path.stem != "__init__"], ids=relative)
def test_every_module_says_what_it_is(path):
    text = path.read_text().lstrip()
    assert not text or text.startswith(('"""', 'r"""', "#")), "begins with a docstring"


def test_no_machines_paths_or_hosts_are_committed():
    wrong = []
    for path in FILES:
        if path.suffix in (".png", ".gz", ".ico") or relative(path) == "tests/test_source.py":
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if re.search(r"/(?:work|farm|root)/[a-z.]|registry[.]npmjs|pypi[.]org|files[.]pythonhosted|deb[.]debian", line):
                wrong.append(f"{relative(path)}:{number}: {line.strip()[:100]}")
    assert not wrong, "\n".join(wrong)


def test_nothing_is_left_unfinished_in_words():
    marks = "TO" + "DO|FIX" + "ME|raise NotImplemented" + "Error"
    assert not [relative(path) for path in CODE if relative(path).startswith(("p9/", "cext/")) and re.search(rf"\b(?:{marks})\b", path.read_text())]
