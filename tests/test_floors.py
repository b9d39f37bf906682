"""The house's floors: imports go down only, and every module lives on one. This list is the drawing (docs/architecture.md)."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Lowest first. A module may import what stands on a lower floor, or on its own floor where that is marked `*` (and never in a circle).
P9_FLOORS = [
    ["errors", "secret", "loop", "trust", "budget", "executable", "breaker", "line_file", "records", "ops.log_file", "number", "client*"],
    ["config*", "instrument", "ops.logs", "key", "samples"],
    ["fact"],
    ["venue"],
    ["option", "history", "stop_order"],
    ["venues*"],
    ["market*", "delivery*", "analysis*", "evaluation*", "snapshots*", "capture.recording", "capture.recorder"],
    ["capture*"],
    ["ops*"],
    ["thresholds"],
    ["simulate*", "packaging*", "publication", "boards", "options", "accounts", "coverage", "confirmation", "presentation", "storage", "data_dir", "instance", "hot_reload"],
    ["markets", "plan"],
    ["signals"],
    ["reconfiguration"],
    ["app", "replay", "backfill", "fuse"],
    ["evaluate"],
    ["quicktest*"],
    ["__main__"],
]
CEXT_FLOORS = [
    ["units", "word", "black76", "amount"],
    ["clock", "cursor", "quantiles", "cadence"],
    ["decimal"],
    ["wide"],
    ["events", "symbols", "writer", "held", "crc32c", "tap"],
    ["backlog", "heard", "replies", "journal", "latency", "retention", "film", "ladder"],
    ["channel"],
    ["batch", "store"],
    ["intake"],
    ["sequence", "normalizer*", "book*", "outbox*", "touch", "tape", "delay", "turnover"],
    ["checksum", "names", "levels", "bar", "doubts", "prints", "deltas", "worth"],
    ["measures*"],
    ["consolidated"],
    ["stream"],
    ["grid", "notice"],
    ["seeding"],
    ["venues*", "streams*"],
    ["instrument"],
    ["pipeline"],
    ["listener", "audit"],
]


def floor_of(module: str, floors: list[list[str]]) -> tuple[int, bool] | None:
    """(floor, whether its own floor may be imported); the longest matching name wins."""
    best: tuple[int, int, bool] | None = None
    for height, names in enumerate(floors):
        for name in names:
            plain = name.rstrip("*")
            if (module == plain or module.startswith(plain + ".")) and (best is None or len(plain) > best[0]):
                best = (len(plain), height, name.endswith("*"))
    return (best[1], best[2]) if best else None


def p9_modules() -> dict[str, set[str]]:
    """{module below p9: the p9 modules it imports}"""
    found = {}
    for path in (ROOT / "p9").rglob("*.py"):
        name = ".".join(path.relative_to(ROOT / "p9").with_suffix("").parts)
        if name.endswith("__init__"):
            continue
        imported = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "p9":
                base = node.module.removeprefix("p9").lstrip(".")
                for alias in node.names:
                    deeper = f"{base}.{alias.name}".lstrip(".")
                    imported.add(deeper if (ROOT / "p9" / (deeper.replace(".", "/") + ".py")).exists() else base)
            elif isinstance(node, ast.Import):
                imported |= {alias.name.removeprefix("p9.") for alias in node.names if alias.name.startswith("p9.")}
        found[name] = {name for name in imported if name}
    return found


def cext_modules() -> dict[str, set[str]]:
    """{module below cext: the cext modules it imports or cimports}"""
    found: dict[str, set[str]] = {}
    for path in [*(ROOT / "cext").rglob("*.pyx"), *(ROOT / "cext").rglob("*.pxd")]:
        name = ".".join(path.relative_to(ROOT / "cext").with_suffix("").parts)
        if name.endswith("__init__"):
            continue
        imported = set(re.findall(r"^\s*from cext\.([\w.]+) c?import", path.read_text(), re.M))
        imported |= {f"{a}" for a in re.findall(r"^\s*from cext c?import (\w+)", path.read_text(), re.M)}
        found.setdefault(name, set()).update(imported - {name})
    return found


@pytest.mark.parametrize("modules, floors", [(p9_modules(), P9_FLOORS), (cext_modules(), CEXT_FLOORS)], ids=["p9", "cext"])
def test_imports_go_down_only(modules, floors):
    wrong = []
    for module, imported in modules.items():
        place = floor_of(module, floors)
        assert place is not None, f"{module} lives on no floor"
        for other in imported:
            below = floor_of(other, floors)
            assert below is not None, f"{other}, imported by {module}, lives on no floor"
            if below[0] > place[0] or (below[0] == place[0] and not place[1]):
                wrong.append(f"{module} (floor {place[0]}) imports {other} (floor {below[0]})")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("modules", [p9_modules(), cext_modules()], ids=["p9", "cext"])
def test_no_imports_go_in_a_circle(modules):
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path, module))
        if module in done:
            return
        for other in modules.get(module, ()):
            visit(other, (*path, module))
        done.add(module)

    for module in modules:
        visit(module, ())


def test_venues_and_streams_never_import_each_other():
    for module, imported in cext_modules().items():
        if module.startswith("venues."):
            assert not any(name.startswith("streams") for name in imported), module
        if module.startswith("streams."):
            assert not any(name.startswith("venues") for name in imported), module


def test_the_simulator_shares_no_decoding_code():
    for path in (ROOT / "p9" / "simulate").rglob("*.py"):
        assert not re.search(r"^\s*(?:from|import) (?:cext|p9\.venue)", path.read_text(), re.M), path.name


def test_the_hot_path_never_imports_p9():
    for path in [*(ROOT / "cext").rglob("*.pyx"), *(ROOT / "cext").rglob("*.pxd")]:
        assert not re.search(r"^\s*(?:from|c?import) p9", path.read_text(), re.M), path.name
