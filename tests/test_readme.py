"""README.md, CONTRIBUTING.md and docs/ name only what exists, and docs/architecture.md names every folder."""

import re
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = (
    "crds/alignment_api",
    "operator/alignment_operator",
    "trainer_image/alignment_trainer",
    "dashboard/alignment_dashboard",
)
PARENTS = {Path(package).name: Path(package).parent for package in PACKAGES}
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
CODE = re.compile(r"`([^`]+)`")


class Row(NamedTuple):
    """A line of a table in docs/architecture.md: folders and modules, and the main files of the folders."""

    names: list[str]
    main_files: list[str]


def rows(package: str) -> list[Row]:
    """Read the table under a package's heading."""
    section = ARCHITECTURE.split(f"### `{package}`")[1].split("\n#")[0]
    cells = [line.removeprefix("|").removesuffix("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return [Row(CODE.findall(first), CODE.findall(last)) for first, _, last in cells]


def existing(package: str) -> set[str]:
    """Return the folders and modules of a package, as the table writes them."""
    found = [path for path in (ROOT / package).iterdir() if not path.name.startswith("__") or path.name == "__main__.py"]
    folders = {f"{path.name}/" for path in found if path.is_dir()}
    return folders | {path.name for path in found if path.suffix == ".py"}


def layers(package: str) -> list[set[str]]:
    """Return the layers of a package's import contract, from the top."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    mine = next(found for found in contracts if found["type"] == "layers" and found["containers"] == [Path(package).name])
    return [set(layer.split(" | ")) for layer in mine["layers"]]


def paths(page: Path) -> list[str]:
    """Return what a page writes as code and means as a path: from the repository's root, or from an import package."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    beginnings = [f"{folder}/" for folder in (*PARENTS, *(path.name for path in ROOT.iterdir() if path.is_dir()))]
    return [found for found in CODE.findall(text) if found.startswith(tuple(beginnings))]


def exists(path: str) -> bool:
    """Check whether a path exists; a name such as KIND.py is for the reader to choose, and its folder must exist."""
    named = Path(path).parent if Path(path).stem.isupper() else Path(path)
    return (ROOT / PARENTS.get(named.parts[0], "") / named).exists()


@pytest.mark.parametrize("package", PACKAGES)
def test_the_tree_names_every_folder_and_module_of_a_package(package: str) -> None:
    assert {name for row in rows(package) for name in row.names} == existing(package)


@pytest.mark.parametrize("package", PACKAGES)
def test_main_files_are_in_their_folders(package: str) -> None:
    for row in rows(package):
        for file in row.main_files:
            assert any((ROOT / package / folder / file).exists() for folder in row.names), f"{package}: {row.names} has no {file}"


@pytest.mark.parametrize("package", PACKAGES)
def test_lines_are_in_the_order_of_imports(package: str) -> None:
    lines = [{name.removesuffix("/").removesuffix(".py") for name in row.names} for row in rows(package)]
    places = [
        place
        for line in lines
        for place, layer in enumerate(layers(package))
        if line & layer  # folders of YAML are in no layer
    ]
    assert places == sorted(places)
    assert {module for layer in layers(package) for module in layer} <= {module for line in lines for module in line}


def test_paths_in_the_text_exist() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "docs" / "architecture.md"]
    named = [(page.name, path) for page in pages for path in paths(page)]
    assert len(named) > 80
    assert [f"{page} names {path}" for page, path in named if not exists(path)] == []


@pytest.mark.parametrize(
    ("addition", "most"), [("a field of one kind of stage", 4), ("a kind of stage", 8), ("a metric", 4), ("a backend", 4)]
)
def test_an_addition_needs_few_files(addition: str, most: int) -> None:
    lines = (ROOT / "CONTRIBUTING.md").read_text().splitlines()
    edited = next(line for line in lines if line.startswith(f"| {addition} |")).split(" | ")[1]
    assert 1 < len([found for found in CODE.findall(edited) if "/" in found]) <= most


def test_what_the_pages_link_to_exists() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_operator_folder_never_becomes_a_package() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists()
    assert not (ROOT / "tests" / "operator" / "__init__.py").exists()
