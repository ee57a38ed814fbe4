"""Builds other versions for the upgrade tests: the previous one, and this one with another default."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from cluster.environment import ROOT, Environment, Missing

BEFORE = "cd75c973ae735602ffac598422a2622a508ab39d"
"""The last commit of the previous version."""

_CODE = {"operator": "operator/alignment_operator", "trainer": "trainer_image/alignment_trainer"}
_CONTRACT = "crds/alignment_api"
_CHART = "charts/alignment-operator"
_DEFAULTS = "/opt/alignment/alignment_api/recipes/defaults.yaml"


class Versions(NamedTuple):
    """The chart and the tag of the previous version's images, and the tag of an operator with another default."""

    chart_before: Path
    before: str
    other_defaults: str


def make_versions(environment: Environment, tag: str, folder: Path) -> Versions:
    """Build the images of other versions from the current ones."""
    chart = _unpack_before(folder)
    return Versions(chart, _make_images_before(environment, tag, folder), _make_other_defaults(environment, tag, folder))


def _unpack_before(folder: Path) -> Path:
    """Unpack the previous version from the history of this repository, and return its chart."""
    parts = (*_CODE.values(), _CONTRACT, _CHART)
    done = subprocess.run(["git", "archive", BEFORE, "--", *parts], cwd=ROOT, capture_output=True, check=False)
    if done.returncode != 0:
        raise Missing(
            f"the previous version ({BEFORE}) is not in this clone; run git fetch --unshallow ({done.stderr.decode().strip()})"
        )
    subprocess.run(["tar", "--extract", "--directory", folder], input=done.stdout, check=True)
    return folder / _CHART


def _make_images_before(environment: Environment, tag: str, sources: Path) -> str:
    """Build images of the previous version on the dependencies of the current images, because installing those takes minutes."""
    earlier = f"{tag}-before"
    for program, code in _CODE.items():
        lines = ["RUN rm -rf alignment_*", *(f"COPY {part} {Path(part).name}/" for part in (_CONTRACT, code))]
        _make(environment, program, tag, earlier, lines, sources)
    return earlier


def _make_other_defaults(environment: Environment, tag: str, folder: Path) -> str:
    """Build a current operator whose default keeps one more checkpoint."""
    other = f"{tag}-defaults"
    lines = [f"RUN grep -q 'keep: 2' {_DEFAULTS} && sed -i 's/keep: 2/keep: 3/' {_DEFAULTS}"]
    _make(environment, "operator", tag, other, lines, folder)
    return other


def _make(environment: Environment, program: str, base: str, tag: str, lines: list[str], context: Path) -> None:
    name = f"{environment.registry}/alignment-{program}"
    recipe = context / f"{tag}.Dockerfile"
    recipe.write_text("\n".join([f"FROM {name}:{base}", "USER 0", *lines, "USER 10001:10001", ""]))
    builder = "buildah" if shutil.which("buildah") else "docker"
    insecure = ["--tls-verify=false"] if builder == "buildah" and environment.state else []
    for command in (
        ["build", *insecure, "--tag", f"{name}:{tag}", "--file", str(recipe), str(context)],
        ["push", *insecure, f"{name}:{tag}"],
    ):
        done = subprocess.run([builder, *command], capture_output=True, text=True, check=False, env=os.environ)
        if done.returncode != 0:
            raise Missing(f"{builder} {command[0]} failed:\n{done.stderr[-3000:]}")
