"""Each image has the versions that development uses, and only the packages that its program needs."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("operator", "dashboard", "trainer_image")


def pins(folder: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", (folder / "requirements.lock").read_text(), re.MULTILINE))


@pytest.mark.parametrize("package", PACKAGES)
def test_a_lock_is_a_subset_of_the_development_lock(package: str) -> None:
    assert pins(ROOT / package).items() <= pins(ROOT).items(), "run `make lock`"


@pytest.mark.parametrize("package", PACKAGES)
def test_a_lock_has_all_dependencies_of_the_program(package: str) -> None:
    required = [
        re.split(r"[^a-z0-9-]", requirement, maxsplit=1)[0]
        for project in (package, "crds")
        for requirement in tomllib.loads((ROOT / project / "pyproject.toml").read_text())["project"]["dependencies"]
    ]
    assert set(required) - {"alignment-api"} <= set(pins(ROOT / package)), "run `make lock`"


@pytest.mark.parametrize("package", PACKAGES)
def test_a_lock_has_hashes_and_no_address(package: str) -> None:
    lock = (ROOT / package / "requirements.lock").read_text()
    assert "://" not in lock and "--index" not in lock
    for requirement in re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)[1:]:
        assert "--hash=sha256:" in requirement


def test_only_the_trainer_has_torch() -> None:
    assert [package for package in PACKAGES if "torch" in pins(ROOT / package)] == ["trainer_image"]
