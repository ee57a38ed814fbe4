"""The API server refuses impossible specs with a clear sentence; the operator reports at once what only it can check."""

from pathlib import Path
from typing import Any

import pytest
from builders import a_document
from cluster.installation import Installation
from cluster.jobs import EXAMPLES, StartJob
from cluster.kubectl import Kubectl, Refused
from cluster.names import JOBS
from refused_specs import REFUSED, SIXTEEN, TAKEN, Refusal, batch, documented

REFUSED_BY_OPERATOR: list[tuple[str, dict[str, Any], str]] = [
    (
        "a-batch-that-does-not-divide",
        batch(30, {"nodes": 2, "gpusPerNode": 8}),
        "spec.stages[0].sft.optimization.globalBatchSize: 30 cannot be divided among 16 processes with micro-batches of 1: "
        "it must be a multiple of 16; the nearest possible values are 16 or 32",
    ),
    (
        "a-batch-a-recipe-could-divide",
        batch(30, SIXTEEN, recipe="zephyr-paper"),
        "spec.stages[0].sft.optimization.globalBatchSize: 30 cannot be divided among 16 processes with micro-batches of",
    ),
    ("no-say-about-gpus", {"compute": {}}, "spec.compute.gpusPerNode: is not set; set it to the GPUs of each node"),
]


@pytest.mark.parametrize("refusal", REFUSED, ids=lambda refusal: refusal.situation)
def test_an_impossible_spec_is_refused_with_a_sentence(refusal: Refusal, installation: Installation) -> None:
    with pytest.raises(Refused) as refused:
        Kubectl(JOBS).admit(documented(refusal.spec))
    assert refusal.sentence in str(refused.value)


@pytest.mark.parametrize("spec", [spec for _, spec in TAKEN], ids=[situation for situation, _ in TAKEN])
def test_a_possible_spec_is_accepted(spec: dict[str, Any], installation: Installation) -> None:
    Kubectl(JOBS).admit(documented(spec))


@pytest.mark.parametrize("name", ["Job", "job.one", "1job", "j" * 33])
def test_a_name_that_is_invalid_for_children_is_refused(name: str, installation: Installation) -> None:
    with pytest.raises(Refused):
        Kubectl(JOBS).admit(a_document(name))


@pytest.mark.parametrize(("name", "spec", "sentence"), REFUSED_BY_OPERATOR, ids=[row[0] for row in REFUSED_BY_OPERATOR])
def test_the_status_reports_what_only_the_operator_can_check(
    name: str, spec: dict[str, Any], sentence: str, start: StartJob
) -> None:
    job = start(documented(spec, name))
    status = job.wait("the job is refused", lambda status: status.get("phase") == "Failed")
    assert status["reason"] == "InvalidSpec"
    assert sentence in status["message"]
    assert job.children() == []


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_is_admitted(path: Path, installation: Installation) -> None:
    Kubectl(JOBS)("apply", "--dry-run=server", "--filename", str(path))
