"""The numbers that can be drawn against each other."""

import pytest
from alignment_api.metrics import EVALUATION_LOSS, LOSS
from alignment_dashboard.facts.comparison.finals import Finals
from alignment_dashboard.facts.comparison.quantities import measured, varied
from compared_jobs import dpo, job

JOBS = [
    job("a", dpo(1e-6, beta=0.01, loss="IPO", maxLength=512)),
    job("b", dpo(2e-6, beta=0.1, maxLength=1024)),
]


@pytest.mark.parametrize(("name", "log"), [("dpo.learningRate", True), ("dpo.beta", True), ("dpo.maxLength", False)])
def test_a_parameter_of_very_different_values_and_every_learning_rate_has_a_log_axis(name: str, log: bool) -> None:
    assert varied(JOBS)[name].log == log


def test_only_parameters_that_differ_and_are_numbers_are_drawn() -> None:
    assert list(varied(JOBS)) == ["dpo.learningRate", "dpo.beta", "dpo.maxLength"]


def test_what_the_runs_reached_is_drawn_under_the_titles_of_the_final_table() -> None:
    reached = {"uid-a": Finals({LOSS: 1.0, EVALUATION_LOSS: 2.0}, {EVALUATION_LOSS: 1.5})}
    assert {name: dict(quantity.values) for name, quantity in measured(JOBS, reached).items()} == {
        "Loss": {"uid-a": 1.0},
        "Evaluation loss": {"uid-a": 2.0},
        "Best evaluation loss": {"uid-a": 1.5},
    }
