"""A refused status keeps what decisions need, within bounds."""

from alignment_api.spec.status import AlignmentJobStatus, Condition, StageStatus, TrackingStatus
from alignment_operator.deciding.reduced_status import reduced
from builders import NOW


def test_what_a_reduced_status_keeps() -> None:
    progress = {"step": 1, "totalSteps": 2, "percent": 50, "updatedTime": NOW.isoformat()}
    stage = {
        "name": "sft",
        "state": "Restarting",
        "reason": "Defect",
        "message": "said\nby a pod \x1b" + "x" * 4000,
        "attempts": 3,
        "failedAttempt": 2,
        "applicationFailures": 2,
        "infrastructureFailures": 1,
        "retryTime": NOW.isoformat(),
        "child": "job-sft-2",
        "inputHash": "in",
        "gpuSeconds": 7,
        "lastCheckpoint": 40,
        "output": "workspace://x",
    }
    known = {"progress": progress, "runId": "run", "warnings": ["a", "b"]}
    condition = Condition(type="Failed", status="False", reason="Defect", message="m" * 4000)
    full = AlignmentJobStatus(
        observed_generation=2,
        phase="Restarting",
        reason="Defect",
        message="sft: it broke",
        current_stage="sft",
        progress="50%",
        eta="1m",
        model="hf://x",
        gpus=8,
        gpu_seconds=7,
        warnings=["c"],
        tracking=TrackingStatus(run_id="run"),
        conditions=[condition],
        stages=[StageStatus.model_validate({**stage, **known})],
    )
    left = reduced(full, "runId: Invalid value:\n too long")
    assert left.dump() == {
        "observedGeneration": 2,
        "phase": "Restarting",
        "reason": "Defect",
        "message": "the API server refused the full status (runId: Invalid value: too long): sft: it broke",
        "currentStage": "sft",
        "gpuSeconds": 7,
        "conditions": [{**condition.dump(), "message": "m" * 999 + "…"}],
        "stages": [{**StageStatus.model_validate(stage).dump(), "message": "said by a pod " + "x" * 985 + "…"}],
    }


def test_integers_are_ones_that_every_reader_accepts() -> None:
    stage = StageStatus(name="sft", state="Failed").model_copy(update={"attempts": 10**20, "gpu_seconds": -1})
    [left] = reduced(AlignmentJobStatus(stages=[stage]), "too large").stages or []
    assert (left.attempts, left.gpu_seconds) == (2**53 - 1, 0)
