"""Every example in the repository parses, resolves and renders."""

from pathlib import Path

import pytest
from alignment_api.document import read_document
from alignment_api.validation import read_job, resolve_job
from alignment_operator.backends import pytorchjob
from alignment_operator.settings import Settings
from alignment_operator.stage_run import fresh_run

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))


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
