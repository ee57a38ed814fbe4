"""What differs between runs and their baseline."""

import pytest
from alignment_dashboard.facts.comparison.differences import differences
from compared_jobs import dpo, job, sft

JOBS = [
    job("a", dpo(5e-7, seed=1)),
    job("b", dpo(1e-6, seed=1, loss="IPO")),
    job("c", dpo(2e-7, seed=2, adapter={"lora": {"rank": 8}})),
    job("d", sft()),
]
ROWS = {row.name: row for row in differences(JOBS, 0)}


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("dpo.learningRate", ["5e-7", "▲ 1e-6", "▼ 2e-7", "–"]),
        ("dpo.loss", ["Sigmoid", "≠ IPO", "Sigmoid", "–"]),
        ("seed", ["1", "1", "▲ 2", "▲ 42"]),
        ("dpo.lora.rank", ["not set", "not set", "≠ 8", "–"]),
        ("stages", ["dpo", "dpo", "dpo", "≠ sft"]),
        ("dpo.beta", ["0.1", "0.1", "0.1", "–"]),
        ("sft.packing", ["–", "–", "–", "true"]),
    ],
)
def test_each_value_beside_that_of_the_baseline(name: str, texts: list[str]) -> None:
    assert [f"{setting.sign} {setting.text}".strip() for setting in ROWS[name].settings] == texts


def test_parameters_that_differ_come_first_and_the_most_telling_of_them_at_the_top() -> None:
    rows = differences(JOBS[:2], 0)
    assert [row.name for row in rows if row.differs] == ["dpo.learningRate", "dpo.loss"]
    assert [row.differs for row in rows] == sorted((row.differs for row in rows), reverse=True)


def test_a_parameter_that_only_the_baseline_lacks_differs_without_a_sign() -> None:
    # The baseline has no stage dpo, so nothing can be higher or lower than in it.
    row = next(row for row in differences(JOBS, 3) if row.name == "dpo.learningRate")
    assert row.differs and [setting.sign for setting in row.settings] == ["", "", "", ""]


def test_equal_runs_differ_in_nothing() -> None:
    assert not any(row.differs for row in differences([job("a"), job("b")], 0))
