"""Each image has the versions that development uses, and only the packages that its program needs."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("operator", "dashboard", "trainer_image")
TRAINER = ROOT / "trainer_image"
EXTRAS = tomllib.loads((TRAINER / "pyproject.toml").read_text())["project"]["optional-dependencies"]
EXTRA_LOCKS = [f"trainer_image/requirements-{extra}.lock" for extra in EXTRAS]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def pins(folder: Path, lock: str = "requirements.lock") -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", (folder / lock).read_text(), re.MULTILINE))


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


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_adds_packages_to_the_trainer_and_changes_none(extra: str) -> None:
    lock = f"requirements-{extra}.lock"
    found = pins(TRAINER, lock)
    assert pins(TRAINER).items() < found.items() <= pins(ROOT).items(), "run `make lock`"
    assert {f"{name}=={version}" for name, version in found.items()} >= set(EXTRAS[extra])
    # What the build argument EXTRAS names must be among the files that an image is built from.
    assert f"!trainer_image/{lock}\n" in (ROOT / ".dockerignore").read_text()
    copied = re.search(r"AS trainer-dependencies\nARG EXTRAS=\n.*?^COPY ([^\n]+)\n(?=RUN)", DOCKERFILE, re.MULTILINE | re.DOTALL)
    assert copied and f"trainer_image/{lock}" in copied[1].split()


@pytest.mark.parametrize("lock", [f"{package}/requirements.lock" for package in PACKAGES] + EXTRA_LOCKS)
def test_a_lock_has_hashes_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text and "--index" not in text
    for requirement in re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]:
        assert "--hash=sha256:" in requirement


def test_only_the_trainer_has_torch() -> None:
    assert [package for package in PACKAGES if "torch" in pins(ROOT / package)] == ["trainer_image"]
