"""Which run is the best, in one sentence."""

import pytest
from alignment_api.metrics import EVALUATION_LOSS, EVALUATION_REWARD_ACCURACY, LOSS
from alignment_api.spec.job import AlignmentJob
from alignment_dashboard.facts.comparison.finals import Finals, table
from alignment_dashboard.facts.comparison.verdict import doubts, verdict
from compared_jobs import dpo, job

JOBS = [job("a", dpo(5e-7, seed=1)), job("b", dpo(5e-7, seed=2)), job("c", dpo(1e-6, seed=1))]


@pytest.mark.parametrize(
    ("metric", "values", "over_seeds", "sentence"),
    [
        (EVALUATION_REWARD_ACCURACY, (0.7, 0.8, 0.6), False, "★ b has the best accuracy 0.8000: dpo.learningRate 5e-7, seed 2."),
        (
            EVALUATION_REWARD_ACCURACY,
            (0.7, 0.8, 0.6),
            True,
            "★ a and b have the best accuracy 0.7500 ± 0.05: dpo.learningRate 5e-7.",
        ),
        (EVALUATION_LOSS, (3, 2, 1), False, "★ c has the best evaluation loss 1.000: dpo.learningRate 1e-6, seed 1."),
        (EVALUATION_LOSS, (1, 2, 1), False, "★ a and c have the best evaluation loss 1.000."),
        (LOSS, (3, 2, 1), False, None),
    ],
)
def test_the_best_run_and_what_makes_it_different(
    metric: str, values: tuple[float, ...], over_seeds: bool, sentence: str | None
) -> None:
    reached = {f"uid-{name}": Finals({metric: value}, {}) for name, value in zip("abc", values, strict=True)}
    assert verdict(table(JOBS, reached, 0, over_seeds), "dpo") == sentence


@pytest.mark.parametrize(
    ("best", "state", "goes_on"),
    [("a", "Running", False), ("b", "Running", True), ("b", "Queued", True), ("b", "Succeeded", False)],
)
def test_a_best_run_that_goes_on_is_not_called_the_best_for_good(best: str, state: str, goes_on: bool) -> None:
    status = {"phase": "Running", "stages": [{"name": "dpo", "state": state}]}
    jobs = [job("a", dpo(5e-7)), job("b", dpo(1e-6), status=status)]
    values = {f"uid-{name}": Finals({EVALUATION_REWARD_ACCURACY: 0.8 if name == best else 0.7}, {}) for name in "ab"}
    found = verdict(table(jobs, values, 0, False), "dpo") or ""
    assert found.startswith(f"★ {best} has the best accuracy 0.8000: ")
    assert found.endswith(". b has not ended yet.") == goes_on


@pytest.mark.parametrize(
    ("jobs", "starts"),
    [
        (JOBS, []),
        ([job("a", dpo(beta=0.1)), job("b", dpo(beta=0.2))], ["Rewards are multiplied by beta"]),
        ([job("a", dpo(loss="IPO")), job("b", dpo())], ["The runs minimize different losses"]),
        ([job("a", dpo(datasets=[{"uri": "hf://a/b"}])), job("b", dpo())], ["The runs hold out rows of different data"]),
        ([job("a", dpo(holdout={"fraction": 0.1})), job("b", dpo())], ["The runs hold out rows of different data"]),
    ],
)
def test_what_makes_numbers_not_comparable(jobs: list[AlignmentJob], starts: list[str]) -> None:
    found = doubts(jobs, "dpo")
    assert len(found) == len(starts) and all(map(str.startswith, found, starts))
