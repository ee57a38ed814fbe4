"""Each change of state is one Event."""

from alignment_api.spec.status import AlignmentJobStatus, StageStatus
from alignment_operator.deciding.events import new_events


def status(phase: str, *stages: StageStatus, reason: str = "R", message: str = "m") -> AlignmentJobStatus:
    return AlignmentJobStatus.model_validate({"phase": phase, "reason": reason, "message": message, "stages": list(stages)})


def stage(state: str, **others: object) -> StageStatus:
    return StageStatus.model_validate({"name": "sft", "state": state, "attempts": 1, "child": "job-sft-1", **others})


def events(old: AlignmentJobStatus | None, new: AlignmentJobStatus) -> list[tuple[str, str]]:
    return [(event.type, event.reason) for event in new_events(old, new)]


def test_the_events_of_a_job() -> None:
    moments: list[tuple[AlignmentJobStatus, list[tuple[str, str]]]] = [
        (status("Pending", stage("Pending", reason="Starting")), []),
        (status("Pending", stage("Pending", reason="PullingImage", message="for 2m")), []),
        (status("Pending", stage("Pending", reason="Unschedulable", message="no node")), [("Warning", "Unschedulable")]),
        (status("Running", stage("Running")), [("Normal", "StageStarted")]),
        (status("Restarting", stage("Restarting", reason="Killed", failed_attempt=1)), [("Warning", "Killed")]),
        (status("Pending", stage("Pending", reason="Starting", failed_attempt=1, attempts=2)), []),
        (status("Running", stage("Running", child="job-sft-2", attempts=2)), [("Normal", "StageStarted")]),
        (status("Suspended", stage("Suspended")), [("Normal", "Suspended")]),
        (
            status("Succeeded", stage("Succeeded", output="workspace://x")),
            [("Normal", "StageSucceeded"), ("Normal", "Completed")],
        ),
    ]
    before = None
    for moment, expected in moments:
        assert events(before, moment) == expected
        assert events(moment, moment) == []
        before = moment


def test_an_attempt_that_is_stopped_before_it_started_has_no_event() -> None:
    stopping = stage("Running", reason="Suspending", message="saving a checkpoint and stopping")
    assert events(status("Pending", stage("Pending", reason="Starting")), status("Running", stopping)) == []


def test_the_end_of_a_job_is_an_event_with_its_reason() -> None:
    assert events(status("Running", stage("Running")), status("Failed", stage("Failed"), reason="BadData")) == [
        ("Warning", "BadData")
    ]


def test_a_stage_that_fails_while_others_continue_is_an_event_and_the_end_of_the_job_another() -> None:
    both = status("Running", stage("Running"), stage("Running", name="dpo"))
    one = status("Running", stage("Failed", reason="BadData", message="no rows"), stage("Running", name="dpo"))
    [event] = new_events(both, one)
    assert event == ("Warning", "BadData", "sft failed, and what does not build on it goes on: no rows")
    over = status("Failed", stage("Failed", reason="BadData"), stage("Succeeded", name="dpo"), reason="BadData")
    assert events(one, over) == [("Normal", "StageSucceeded"), ("Warning", "BadData")]
    assert events(both, status("Failed", stage("Failed"), stage("Failed", name="dpo"), reason="BadData")) == [
        ("Warning", "BadData")
    ]
