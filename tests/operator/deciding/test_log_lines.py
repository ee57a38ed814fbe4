"""Each decision is one line of the log, once."""

from alignment_api.spec.status import AlignmentJobStatus, StageStatus
from alignment_operator.deciding.log_lines import log_lines


def status(phase: str, *stages: StageStatus, **others: object) -> AlignmentJobStatus:
    return AlignmentJobStatus.model_validate({"phase": phase, "stages": list(stages), **others})


def stage(state: str, attempts: int = 1, name: str = "sft", **others: object) -> StageStatus:
    return StageStatus.model_validate({"name": name, "state": state, "attempts": attempts, **others})


WAITING = stage("Waiting", 0, "dpo")
KILLED = {"reason": "Killed", "message": "attempt 1 ended: job-sft-1-master-0: killed by signal 9\n\x1b[31mretrying in 10 s"}
LIFE: list[tuple[AlignmentJobStatus, list[str]]] = [
    (
        status("Pending", stage("Pending", reason="Starting", message="attempt 1 is being started"), WAITING),
        ["team/job sft 1: Pending (Starting): attempt 1 is being started"],
    ),
    (status("Pending", stage("Pending", reason="Starting", message="1 of 2 pods are running"), WAITING), []),
    (
        status("Pending", stage("Pending", reason="FailedMount", message="no secret"), WAITING),
        ["team/job sft 1: Pending (FailedMount): no secret"],
    ),
    (status("Running", stage("Running"), WAITING), ["team/job sft 1: Running"]),
    (
        status("Restarting", stage("Restarting", failed_attempt=1, **KILLED), WAITING),
        ["team/job sft 1: Restarting (Killed): attempt 1 ended: job-sft-1-master-0: killed by signal 9 [31mretrying in 10 s"],
    ),
    (
        status("Pending", stage("Pending", 2, reason="Starting", failed_attempt=1), WAITING),
        ["team/job sft 2: Pending (Starting)"],
    ),
    (
        status("Running", stage("Running", 2, reason="Stalled", message="no progress for 60 s", failed_attempt=2), WAITING),
        ["team/job sft 2: Running (Stalled): no progress for 60 s"],
    ),
    (
        status("Suspended", stage("Suspended", 2, reason="Suspended"), WAITING, reason="Suspended", message="suspended"),
        ["team/job sft 2: Suspended", "team/job: Suspended: suspended"],
    ),
    (
        status("Failed", stage("Suspended", 2, reason="Suspended"), WAITING, reason="InvalidSpec", message="a: wrong\nb: wrong"),
        ["team/job: Failed (InvalidSpec): a: wrong b: wrong"],
    ),
    (
        status("Pending", stage("Succeeded", 2, message="completed", output="workspace://x"), WAITING),
        ["team/job sft 2: Succeeded: completed; workspace://x"],
    ),
    (
        status("Succeeded", stage("Succeeded", 2, output="workspace://x"), stage("Succeeded", 1, "dpo"), reason="Completed"),
        ["team/job dpo 1: Succeeded", "team/job: Succeeded (Completed)"],
    ),
]


def test_the_log_lines_of_a_job() -> None:
    before = None
    for moment, expected in LIFE:
        assert log_lines("team/job", before, moment) == expected
        assert log_lines("team/job", moment, moment) == []
        before = moment


def test_a_stage_that_builds_on_a_failed_one_has_a_line() -> None:
    lost = stage("Waiting", 0, "dpo", reason="BuildsOnFailedStage", message="it builds on sft, which failed")
    assert log_lines("team/job", status("Running", WAITING), status("Running", lost)) == [
        "team/job dpo 0: Waiting (BuildsOnFailedStage): it builds on sft, which failed"
    ]


def test_a_long_message_is_cut() -> None:
    [line] = log_lines("team/job", None, status("Running", stage("Failed", reason="Defect", message="x" * 4000)))
    assert len(line) == 1000
