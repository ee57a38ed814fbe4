"""The README's tree has a line for every module, and names none that is not there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = (
    "crds/alignment_api",
    "operator/alignment_operator",
    "trainer_image/alignment_trainer",
    "dashboard/alignment_dashboard",
)


def tree() -> dict[str, set[str]]:
    """Read the tree: a package begins at the margin, its modules are indented."""
    text = (ROOT / "README.md").read_text().split("## Where things are")[1].split("```")[1]
    found: dict[str, set[str]] = {}
    package = ""
    for line in text.splitlines():
        if line.startswith("  ") and line.split()[0].endswith(".py"):
            found[package].add(line.split()[0])
        elif line and not line.startswith(" "):
            package = line.split()[0].rstrip("/")
            found[package] = set()
    return found


def test_the_tree_names_every_module() -> None:
    named = tree()
    for package in PACKAGES:
        there = {str(path.relative_to(ROOT / package)) for path in (ROOT / package).rglob("*.py") if path.name != "__init__.py"}
        assert named[package] == there


def test_what_the_readme_links_to_is_there() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_operator_folder_never_becomes_a_package() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists()
    assert not (ROOT / "tests" / "operator" / "__init__.py").exists()
