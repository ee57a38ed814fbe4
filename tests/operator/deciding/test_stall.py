"""When a running attempt is stalled, and when its progress is unknown."""

from dataclasses import replace

import pytest
from alignment_api.resolving.record import settle
from alignment_api.spec.status import Progress
from alignment_operator.deciding.observation import NODE_NOT_READY, Pulse, Report
from alignment_operator.deciding.plan import plan
from builders import NOW, PLAN_SETTINGS, a_child, a_job, later
from plans import names, planned, progress, pulse, stage, then


def test_a_stall_is_a_failure() -> None:
    job = a_job(restart={"applicationFailures": 1, "stallTimeoutSeconds": 100})
    child = a_child(job, "sft", "Running")
    fine = planned(job, [child], 140, {"sft": progress(5, 60)}, pulses=pulse(135, has_stepped=True))
    assert (names(fine), fine.requeue_after_seconds) == (["job-sft-1"], 20)
    stalled = planned(then(job, fine), [child], 160, {"sft": progress(5, 60)}, pulses=pulse(155, has_stepped=True))
    assert names(stalled) == []
    assert (stalled.status.phase, stalled.status.reason) == ("Restarting", "Stalled")
    following = planned(then(job, stalled), [], 170)
    assert names(following) == ["job-sft-2"]


STALLS: list[tuple[str, float, dict[str, Progress] | None, str | None, dict[str, Pulse] | None, str | None]] = [
    # at a moment, what is known about an attempt that started at 0 with a timeout of 100 s; the reason that follows
    ("just started, nothing heard", 90, None, None, None, None),
    ("no step yet, and its processes work", 1000, None, None, pulse(995), None),
    ("no step yet, and its processes do nothing", 1000, None, None, pulse(995, alive=890), "Stalled"),
    ("no step since it resumed, and its processes work", 1000, {"sft": progress(40, -500)}, None, pulse(995), None),
    ("its pod reports steps", 1000, {"sft": progress(5, 950)}, None, pulse(995, has_stepped=True), None),
    (
        "no more steps, but its processes work",
        1000,
        {"sft": progress(5, 890)},
        None,
        pulse(995, has_stepped=True),
        "Stalled",
    ),
    ("its pod reports steps while MLflow is away", 1000, {"sft": progress(5, 950)}, "away", pulse(995, has_stepped=True), None),
    ("the pod does not answer, MLflow has new steps", 1000, {"sft": progress(5, 950)}, None, None, None),
    ("the pod does not answer, and MLflow has no new steps", 350, {"sft": progress(5, 50)}, None, None, "ProgressUnknown"),
    ("the pod does not answer, and MLflow is away", 50, None, "away", None, "ProgressUnknown"),
    ("the pod no longer answers, and MLflow is away", 300, None, "away", pulse(30), "ProgressUnknown"),
    ("both are silent for four times as long", 401, None, "away", None, "Stalled"),
    ("the pulse is an earlier attempt's", 350, None, None, {"sft": Pulse(7, later(349), later(349))}, "ProgressUnknown"),
]


@pytest.mark.parametrize(
    ("seconds", "known", "silence", "pulses", "reason"), [row[1:] for row in STALLS], ids=[row[0] for row in STALLS]
)
def test_when_an_attempt_stalls(
    seconds: float,
    known: dict[str, Progress] | None,
    silence: str | None,
    pulses: dict[str, Pulse] | None,
    reason: str | None,
) -> None:
    job = a_job(restart={"stallTimeoutSeconds": 100})
    decided = planned(job, [a_child(job, "sft", "Running")], seconds, known, silence, pulses)
    assert stage(decided, "sft").reason == reason
    assert names(decided) == ([] if reason == "Stalled" else ["job-sft-1"])


def test_a_silent_node_is_reported_until_the_attempt_stalls() -> None:
    job = a_job(restart={"stallTimeoutSeconds": 100})
    child = replace(a_child(job, "sft", "Running"), reason=NODE_NOT_READY, message="waiting for job-sft-1-master-0")
    known = {"sft": progress(40, 50)}
    waiting = planned(job, [child], 60, known, pulses=pulse(50, has_stepped=True))
    assert (waiting.status.phase, waiting.status.reason) == ("Running", "NodeNotReady")
    assert waiting.status.message == "sft: waiting for job-sft-1-master-0"
    assert (names(waiting), waiting.status.eta, waiting.status.estimated_completion_time) == (["job-sft-1"], None, None)
    # The node answers again.
    going_on = planned(then(job, waiting), [replace(child, reason="", message="")], 70, known, pulses=pulse(69, has_stepped=True))
    assert (going_on.status.reason, going_on.status.eta) == ("Training", "1m")
    stalled = planned(then(job, waiting), [child], 451, known, pulses=pulse(50, has_stepped=True))
    assert (names(stalled), stalled.status.phase, stalled.status.reason) == ([], "Restarting", "Stalled")


def test_silence_before_the_operator_sent_its_first_request_does_not_count() -> None:
    job = a_job(restart={"stallTimeoutSeconds": 100})
    child = a_child(job, "sft", "Running")
    before = planned(job, [child], 5000, {"sft": progress(50, 4990)}, pulses=pulse(4995, has_stepped=True))
    started = planned(then(job, before), [child], 20_000, is_asked=False)
    assert (names(started), started.status.reason) == (["job-sft-1"], "Training")
    answered = planned(then(job, before), [child], 20_015, {"sft": progress(80, 20_010)}, pulses=pulse(20_014, has_stepped=True))
    assert (names(answered), answered.status.reason) == (["job-sft-1"], "Training")


def test_a_pod_counts_as_heard_for_three_requests_if_they_are_rare() -> None:
    rare = PLAN_SETTINGS.model_copy(update={"progress_interval_seconds": 60})
    job = a_job(restart={"stallTimeoutSeconds": 100})
    soon = Report({"sft": progress(5, 950)}, silence="away", pulses=pulse(830, has_stepped=True), asked_since={"sft": NOW})
    reasons = [
        stage(plan(job, settle(job), [a_child(job, "sft", "Running")], soon, settings, later(1000)), "sft").reason
        for settings in (rare, PLAN_SETTINGS)
    ]
    assert reasons == [None, "ProgressUnknown"]


def test_an_activity_that_advances_before_the_first_step_is_progress() -> None:
    job = a_job(restart={"stallTimeoutSeconds": 100})
    downloading = pulse(995, alive=500, advanced_time=later(990), doing="downloading: 5 of 10 GB")
    assert names(planned(job, [a_child(job, "sft", "Running")], 1000, pulses=downloading)) == ["job-sft-1"]


def test_work_before_the_first_step_is_shown() -> None:
    job = a_job()
    decided = planned(job, [a_child(job, "sft", "Running")], 60, pulses=pulse(58, doing="loading weights: 3 of 15 GB"))
    assert (decided.status.reason, decided.status.message) == ("Preparing", "sft: loading weights: 3 of 15 GB")
