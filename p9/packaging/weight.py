"""What each part weighs inside a finished executable: compressed bytes by package, the interpreter and the standard library among them."""

import re
import sys
from collections import Counter
from pathlib import Path

INTERPRETER = "(Python itself)"
STDLIB = "(standard library)"
LIBRARIES = "(system libraries)"
PAGE = "(the dashboard's page and its charts)"
_LIBRARY = re.compile(r"(?:^|/)(?:lib[\w+-]+\.so|api-ms-win|vcruntime|ucrtbase|lib\w+-\d+\.dll)")


def group_of(name: str, kind: str) -> str:
    """The part that an entry of the archive belongs to. `kind`: PyInstaller's letter for it (b: a library or extension module)."""
    name = name.replace("\\", "/")
    if re.match(r"(lib)?python3[^/]*\.(so|dll)", name) or name.startswith(("pyimod", "pyiboot", "struct", "base_library")):
        return INTERPRETER
    top, rest = (name.split("/", 1)[0], "/" in name) if kind in "bx" else (name.split(".", 1)[0], True)
    if not rest:
        top = re.sub(r"\.(cpython-[^.]*|cp\d+-[^.]*|abi3)?\.?(so|pyd)$", "", top)
        if _LIBRARY.search(name):
            return LIBRARIES
    if "dashboard/static/" in name:
        return PAGE
    if "lib-dynload/" in name or top in sys.stdlib_module_names:
        return STDLIB
    return re.sub(r"-[\d.]+\.dist-info$|\.libs$", "", top)


def weigh(executable: Path) -> dict[str, int]:
    """{part: compressed bytes}, the heaviest first. The sum is the file, its bootloader apart."""
    from PyInstaller.archive.readers import CArchiveReader

    archive = CArchiveReader(str(executable))
    weights: Counter[str] = Counter()
    for name, (_, n, _, _, kind) in archive.toc.items():
        if kind != "z":
            weights[group_of(name, kind)] += n
            continue
        for module, (_, _, length) in archive.open_embedded_archive(name).toc.items():
            weights[group_of(module, "m")] += length
    return dict(weights.most_common())
