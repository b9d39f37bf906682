"""The table of checks in docs/analytics.md against the tests: each of them is there, and names the section that it checks."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SECTIONS = [f"4.{n}" for n in range(1, 14)]
ROW = re.compile(r"^\| (4\.[\d., to]+)(?: [^|]*)? \| [^|]+ \| `(tests/[\w/]+\.py)::(\w+)` \|$", re.M)


def rows() -> list[tuple[str, str, str]]:
    return ROW.findall((ROOT / "docs" / "analytics.md").read_text())


@pytest.mark.parametrize("sections, path, name", rows(), ids=lambda value: value if value.startswith("test_") else "")
def test_each_check_is_a_test_that_names_its_source(sections, path, name):
    tree = ast.parse((ROOT / path).read_text())
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name]
    assert found, "no such test"
    of_name = re.sub(r"_4_(\d+)_", r" 4.\1 ", name)
    said = f"{of_name} {ast.get_docstring(found[0]) or ''} {ast.get_docstring(tree) or ''}"
    for section in re.findall(r"4\.\d+", sections):
        assert re.search(rf"(?<![\d.]){re.escape(section)}(?!\d)", said), f"{section} is not named"


def test_no_section_is_without_a_check_and_every_row_is_read():
    listed = [line for line in (ROOT / "docs" / "analytics.md").read_text().splitlines() if line.startswith("| 4.")]
    assert len(rows()) == len(listed) > 50
    assert {section for sections, _, _ in rows() for section in re.findall(r"4\.\d+", sections)} == set(SECTIONS)
