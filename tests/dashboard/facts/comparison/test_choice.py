"""Which runs an address compares."""

import pytest
from alignment_api.spec.job import AlignmentJob
from alignment_dashboard.data.listing import Failure, Guidance, Listing
from alignment_dashboard.facts.comparison.choice import choose, default_stage, without_stage
from alignment_dashboard.facts.stages import kind_of, measured_in
from compared_jobs import distill, dpo, feedback, job, sft

GUIDANCE = Guidance("", "", "", "", "", None, lambda job, stage: "")
MANY = [job(f"run-{number}") for number in range(25)]


def listing(*failures: Failure) -> Listing:
    """Return a listing of many jobs."""
    return Listing(tuple(MANY), (), GUIDANCE, failures)


def ids(count: int) -> list[str]:
    """Return the first identities."""
    return [f"uid-run-{number}" for number in range(count)]


@pytest.mark.parametrize(
    ("asked", "baseline", "count", "chosen", "sentences"),
    [
        (ids(2), None, 2, 0, []),
        (ids(3), "uid-run-2", 3, 2, []),
        (ids(3), "uid-gone", 3, 0, []),
        (ids(20), None, 20, 0, []),
        (ids(25), "uid-run-22", 20, 0, ["These are the first 20 of 25 runs: more lines cannot be told apart."]),
        ([], None, 0, 0, []),
        (
            ["gone", *ids(2)],
            None,
            2,
            0,
            ["One run is not compared, because no job has the id gone: deleted, or the address has a mistake."],
        ),
        (
            ["a", "b", "c"],
            None,
            0,
            0,
            ["3 runs are not compared, because no job has the id a, b or c: deleted, or the address has a mistake."],
        ),
    ],
)
def test_what_an_address_compares(asked: list[str], baseline: str | None, count: int, chosen: int, sentences: list[str]) -> None:
    found = choose(listing(), asked, baseline)
    assert (len(found.jobs), found.baseline, list(found.sentences)) == (count, chosen, sentences)


def test_a_run_that_is_not_in_a_stale_listing_is_not_called_deleted() -> None:
    sentence = choose(listing(Failure("Away", "The API server does not answer.")), ["gone"], None).sentences[0]
    assert sentence.endswith("the jobs cannot all be read now.")


@pytest.mark.parametrize(
    ("jobs", "stages", "usual", "kind", "missing"),
    [
        ([job("a", sft(), dpo()), job("b", sft(), dpo())], ["sft", "dpo"], "dpo", "dpo", None),
        ([job("a", sft()), job("b", sft(), dpo())], ["sft", "dpo"], "sft", "sft", None),
        ([job("a", dpo()), job("b", sft())], ["dpo", "sft"], "sft", "sft", "a has no stage sft, and no values below."),
        ([job("a", dpo()), job("b", dpo()), job("c", sft())], ["dpo", "sft"], "dpo", "dpo", "c has no stage dpo"),
        (
            [job("a", dpo()), job("b", dpo()), *(job(name, sft()) for name in "cde")],
            ["dpo", "sft"],
            "sft",
            "sft",
            "a and b have no stage sft",
        ),
        ([job("a", {"name": "judge", "evaluate": {}})], [], None, None, None),
        ([job("a", distill(), sft(), feedback())], ["distill", "sft", "feedback"], "sft", "sft", None),
        ([job("a", distill()), job("b", distill(), sft())], ["distill", "sft"], "distill", "distill", None),
        ([job("a", distill()), job("b", sft())], ["distill", "sft"], "sft", "sft", "a has no stage sft"),
    ],
)
def test_the_stage_that_is_compared(
    jobs: list[AlignmentJob], stages: list[str], usual: str | None, kind: str | None, missing: str | None
) -> None:
    assert (measured_in(jobs), default_stage(jobs)) == (stages, usual)
    if usual:
        assert kind_of(jobs, usual) == kind
        assert (without_stage(jobs, usual) or "").startswith(missing or "")
        assert bool(without_stage(jobs, usual)) == bool(missing)
