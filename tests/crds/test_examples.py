"""Every example in the repository parses, resolves and renders."""

import re
from pathlib import Path

import pytest
from alignment_api.document import read_document
from alignment_api.resolving.validation import read_job, resolve_job, runnable_job
from alignment_operator.backends import pytorchjob
from alignment_operator.deciding.stage_run import fresh_run
from alignment_operator.settings import Settings

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_resolves_and_renders(path: Path) -> None:
    job = read_job(read_document(path))
    spec = resolve_job(job).spec
    named = job.model_copy(update={"metadata": job.metadata.model_copy(update={"uid": "0123456789", "namespace": "team"})})
    for stage in spec.stages or []:
        *_, child = pytorchjob.render(fresh_run(named, spec, stage), Settings())
        assert child["kind"] == "PyTorchJob"


def test_there_are_examples() -> None:
    assert "tiny.yaml" in [path.name for path in EXAMPLES]


def test_the_tutor_compares_two_schedules_and_nothing_else() -> None:
    cosine, constant = (
        stage.sft for stage in resolve_job(read_job(read_document(ROOT / "examples/tutor-schedules.yaml"))).spec.stages or []
    )
    assert cosine and constant and cosine.optimization and constant.optimization
    assert (cosine.optimization.schedule, constant.optimization.schedule) == ("Cosine", "Constant")
    optimization = constant.optimization.model_copy(update={"schedule": "Cosine"})
    assert constant.model_copy(update={"optimization": optimization}) == cosine


def test_the_tutor_runs_with_the_other_model_of_its_report() -> None:
    document = read_document(ROOT / "examples/tutor.yaml")
    document["spec"]["model"] = {"uri": "hf://bigscience/bloom-560m", "chatTemplate": "ChatML"}
    assert runnable_job(read_job(document)).spec.stages


COPIED = [
    path
    for pattern in ("examples/*.yaml", "crds/alignment_api/recipes/*.yaml", "docs/*.md", "README.md", "crds/alignmentjobs.yaml")
    for path in sorted(ROOT.glob(pattern))
]


@pytest.mark.parametrize("path", COPIED, ids=lambda path: path.name)
def test_a_number_that_people_copy_is_one_for_every_yaml_reader(path: Path) -> None:
    # Readers of YAML 1.1 other than the API server's take 5e-7, which has no dot, for text.
    assert re.findall(r": \"?[0-9]+[eE][-+]?[0-9]+\b", re.sub(r"# .*", "", path.read_text())) == []
