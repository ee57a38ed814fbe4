"""Each run has one look, and new runs change none."""

from datetime import UTC, datetime, timedelta

from alignment_api.spec.job import AlignmentJob
from alignment_dashboard.facts.colours import looks

START = datetime(2026, 1, 1, tzinfo=UTC)


def job(number: int, zone: str = "+00:00") -> AlignmentJob:
    return AlignmentJob.parse(
        {
            "apiVersion": "alignment-operator.dev/v1alpha1",
            "kind": "AlignmentJob",
            "metadata": {
                "name": f"job-{number}",
                "uid": f"uid-{number}",
                "creationTimestamp": (START + timedelta(minutes=number)).isoformat().replace("+00:00", zone),
            },
            "spec": {"model": {"uri": "workspace://model"}, "stages": [{"name": "sft", "sft": {}}]},
        }
    )


def test_the_runs_of_a_sweep_look_different() -> None:
    assert len(set(looks([job(number) for number in range(20)]).values())) == 20


def test_a_new_run_changes_no_other_look() -> None:
    before, after = looks([job(number) for number in range(5)]), looks([job(number) for number in (5, 4, 3, 2, 1, 0)])
    assert {identity: after[identity] for identity in before} == before


def test_a_creation_without_a_time_zone_is_in_utc() -> None:
    assert looks([job(2, ""), job(1), job(3)]) == looks([job(1), job(2), job(3)])
