"""When a claim that a job created before is too narrow for what the job needs now."""

from typing import Any

import pytest
from alignment_api.names import JOB_LABEL
from alignment_operator.backends.workspace_claim import created_claims, narrow_claim
from builders import a_job, a_run

ONE, SEVERAL = "ReadWriteOnce", "ReadWriteMany"


def claim(*modes: str, job: str | None = "job") -> dict[str, Any]:
    return {"metadata": {"name": "job-workspace", "labels": {JOB_LABEL: job} if job else {}}, "spec": {"accessModes": [*modes]}}


@pytest.mark.parametrize(
    ("situation", "nodes", "parallel", "found", "is_narrow"),
    [
        ("one stage after the other on one node", 1, 1, claim(ONE), False),
        ("stages side by side since an edit", 1, 2, claim(ONE), True),
        ("several nodes since an edit", 2, 1, claim(ONE), True),
        ("several nodes of which one may write", 2, 1, claim("ReadOnlyMany", ONE), True),
        ("stages side by side from the beginning", 1, 2, claim(SEVERAL), False),
        ("a claim with several modes", 2, 2, claim(ONE, SEVERAL), False),
        ("a claim of another job", 1, 2, claim(ONE, job="other"), False),
        ("a claim that a person made", 1, 2, claim(ONE, job=None), False),
    ],
)
def test_a_claim_that_was_created_for_one_node(
    situation: str, nodes: int, parallel: int, found: dict[str, Any], is_narrow: bool
) -> None:
    spec = {"compute": {"nodes": nodes, "gpusPerNode": 0}, "storage": {"size": "1Gi"}, "parallelStages": parallel}
    (wanted,) = created_claims(a_run(a_job(**spec), "sft"))
    sentence = narrow_claim(wanted, found)
    assert (sentence is not None) == is_narrow, situation
    if sentence:
        modes = ", ".join(found["spec"]["accessModes"])
        assert sentence.startswith(f"spec.storage: the claim job-workspace stays {modes}, as it was created, and parallelStages")
