"""An export after an edit: what it has written stays, and only its copies and limits are done again."""

from typing import Any

import pytest
from alignment_api.spec.job import AlignmentJob
from builders import a_child, a_job, a_training
from plans import names, planned, stage, then

MEASURED = {"models": [{"stage": "out"}], "tasks": [{"name": "t", "benchmark": "arc_easy"}]}
PROOF = {"dataset": {"uri": "workspace://rows.jsonl"}, "maximumDivergence": 0.01}


def exporting(generation: int = 1, compute: dict[str, Any] | None = None, **export: Any) -> AlignmentJob:
    out = {
        "name": "out",
        "export": {"quantization": "Int8", "proof": PROOF, **export},
        **({"compute": compute} if compute else {}),
    }
    stages = [{"name": "sft", "sft": a_training()}, out, {"name": "measure", "evaluate": MEASURED}]
    return a_job(generation, stages=stages)


EDITS: list[tuple[str, dict[str, Any]]] = [
    ("another destination", {"destinations": ["s3://bucket/out"]}),
    ("a name in the registry", {"registeredModel": "mine"}),
    ("a higher limit", {"proof": {**PROOF, "maximumDivergence": 0.1}}),
]


@pytest.mark.parametrize("edit", [edit for _, edit in EDITS], ids=[situation for situation, _ in EDITS])
def test_an_edit_of_copies_and_limits_publishes_again_what_was_written(edit: dict[str, Any]) -> None:
    job = exporting()
    observed = [a_child(job, name, "Succeeded") for name in ("sft", "out", "measure")]
    finished = planned(job, observed)
    assert finished.status.phase == "Succeeded"
    edited = exporting(2, **edit)
    clearing = planned(then(edited, finished), observed, 10)
    assert (names(clearing), stage(clearing, "out").reason) == (["job-sft-1", "job-measure-1"], "SpecChanged")
    begun = planned(then(edited, clearing), [observed[0], observed[2]], 20)
    assert names(begun) == ["job-sft-1", "job-out-2", "job-measure-1"]
    assert stage(begun, "out").input_hash == stage(finished, "out").input_hash
    assert stage(begun, "measure") == stage(finished, "measure"), "the same weights are not measured again"
    again = [*observed, a_child(edited, "out", "Succeeded", 2)]
    assert planned(then(edited, begun), [again[0], again[3], again[2]], 30).status.phase == "Succeeded"


def test_an_edit_that_comes_as_the_export_succeeds_is_not_lost() -> None:
    job = exporting()
    running = planned(job, [a_child(job, "sft", "Succeeded"), a_child(job, "out", "Running")])
    edited = exporting(2, destinations=["s3://bucket/out"])
    observed = [a_child(job, "sft", "Succeeded"), a_child(job, "out", "Succeeded")]
    clearing = planned(then(edited, running), observed, 10)
    assert names(planned(then(edited, clearing), observed[:1], 20)) == ["job-sft-1", "job-out-2"]


def test_other_hardware_runs_no_finished_export_again() -> None:
    job = exporting()
    observed = [a_child(job, name, "Succeeded") for name in ("sft", "out", "measure")]
    finished = planned(job, observed)
    assert planned(then(exporting(2, compute={"memory": "64Gi"}), finished), observed, 10).status.phase == "Succeeded"
