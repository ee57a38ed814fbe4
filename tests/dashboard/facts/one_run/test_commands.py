"""Commands that people copy from the page of a run."""

import shlex
from pathlib import Path

import pytest
from alignment_api.spec.status import AlignmentJobStatus
from alignment_dashboard.facts.one_run.commands import commands, follow_log
from builders import a_job


def purposes(job: object, stages: list[str], workspace: Path | None) -> list[str]:
    return [command.purpose for command in commands(job, stages, workspace, None)]  # type: ignore[arg-type]


def test_on_a_cluster() -> None:
    texts = [command.text for command in commands(a_job(), ["sft"], None, None)]
    assert texts[:3] == [
        "kubectl get alignmentjob job --namespace team --output wide",
        "kubectl describe alignmentjob job --namespace team",
        "kubectl logs --namespace team --selector alignment-operator.dev/job=job,alignment-operator.dev/stage=sft "
        "--follow --tail 50",
    ]
    assert shlex.split(texts[3])[-1] == '{"spec":{"suspend":true}}'


def test_on_one_machine() -> None:
    assert follow_log(a_job(), "sft", Path("/home/me/my work")).startswith("tail -n 50 -F '/home/me/my work/team/")
    assert purposes(a_job(), ["sft"], Path("/work")) == ["follow the log", "explain every value", "run it, or resume it"]
    assert purposes(a_job(), ["a", "b"], Path("/work"))[:2] == ["follow the log of a", "follow the log of b"]


def test_mlflow_on_one_machine() -> None:
    last = commands(a_job(), [], Path("/work"), "sqlite:////home/me/my work/mlflow.db")[-1]
    assert last.text.endswith("/bin/mlflow ui --backend-store-uri 'sqlite:////home/me/my work/mlflow.db'")


@pytest.mark.parametrize(
    ("suspend", "phase", "last"),
    [
        (False, "Running", "suspend it; it keeps its checkpoints"),
        (True, "Suspended", "resume it"),
        (False, "Succeeded", "describe it, with its events"),
    ],
)
def test_what_can_be_done_depends_on_the_state(suspend: bool, phase: str, last: str) -> None:
    job = a_job(status=AlignmentJobStatus.parse({"phase": phase}), suspend=suspend)
    assert purposes(job, [], None)[-1] == last
