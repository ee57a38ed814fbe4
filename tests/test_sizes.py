"""Modules, folders and functions stay as small as CONTRIBUTING.md promises."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("crds", "operator", "trainer_image", "dashboard")
MODULES = [path for package in PACKAGES for path in (ROOT / package).glob("alignment_*/**/*.py") if path.name != "__init__.py"]
LONGEST_MODULE, MOST_MODULES, LONG_FUNCTION = 300, 16, 20


def function_lengths(path: Path) -> Iterator[int]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            yield node.end_lineno - node.lineno + 1


def test_modules_are_short() -> None:
    assert [path.name for path in MODULES if len(path.read_text().splitlines()) > LONGEST_MODULE] == []


def test_folders_have_few_modules() -> None:
    assert {
        str(folder): count for folder, count in Counter(path.parent for path in MODULES).items() if count > MOST_MODULES
    } == {}


def test_nine_of_ten_functions_are_short() -> None:
    lengths = sorted(length for path in MODULES for length in function_lengths(path))
    assert lengths[len(lengths) * 9 // 10] <= LONG_FUNCTION
