"""The report of a stage: each model is compared with all before it."""

from types import SimpleNamespace
from typing import Any

from alignment_api.results.table import Measured as MeasuredStage
from alignment_api.results.table import table
from alignment_trainer.evaluation.measure import Metric
from alignment_trainer.evaluation.report import Measured, report_of
from reported import row

METRIC = Metric("accuracy", "Higher", is_main=True)
MEASURE: Any = SimpleNamespace(
    metrics=lambda _: [METRIC],
    settings=lambda _: {},
    seen=lambda _, __: {"window": 512},
    panel=lambda _, __: None,
    notes=lambda _, __: [],
)
TASK: Any = SimpleNamespace(
    name="quiz",
    rows=[SimpleNamespace(value=number) for number in range(40)],
    task=SimpleNamespace(measure="MultipleChoice", benchmark=None),
    settings=SimpleNamespace(exact=True),
    config=SimpleNamespace(compute=SimpleNamespace(gpus_per_node=0)),
)


def test_the_best_of_three_is_known_by_the_rows_that_it_shares_with_the_next_best() -> None:
    # sft answers every third prompt; dpo answers the same ones and five more: apart that is chance, together it is not.
    right = {"base": range(0), "sft": range(0, 40, 3), "dpo": [*range(0, 40, 3), 1, 2, 4, 5, 7]}
    rows = {name: [row(str(number), float(number in known)) for number in range(40)] for name, known in right.items()}
    models: Any = [SimpleNamespace(name=name, weights=name, quantization=None) for name in right]
    found = report_of(models, [Measured(TASK, MEASURE, rows, {})])
    assert [(one.model, one.against) for one in found.differences] == [("sft", "base"), ("dpo", "base"), ("dpo", "sft")]
    cells = table([MeasuredStage("job", "eval", found)]).cells
    assert [cells[line, 0].is_best for line in range(3)] == [False, False, True]


def test_scores_against_unlike_models_have_no_difference() -> None:
    models: Any = [SimpleNamespace(name=name, weights=f"hash of {name}", quantization=None) for name in ("base", "sft", "dpo")]
    rows = {one.name: [row(str(number), 1.0) for number in range(4)] for one in models}
    base, sft, _ = models
    found = report_of(models, [Measured(TASK, MEASURE, rows, {"base": base, "sft": base, "dpo": sft})])
    assert [(one.model, one.against.name, one.against.weights) for one in found.scores if one.against] == [
        ("base", "base", "hash of base"),
        ("sft", "base", "hash of base"),
        ("dpo", "sft", "hash of sft"),
    ]
    assert [(one.model, one.against) for one in found.differences] == [("sft", "base")]
    assert found.tasks[0].settings["window"] == 512, "also what only the rows tell"


def test_the_report_of_a_stage_that_failed_has_what_is_finished() -> None:
    models: Any = [SimpleNamespace(name=name, weights=name, quantization=None) for name in ("base", "sft", "dpo")]
    rows = {name: [row(str(number), 1.0) for number in range(4)] for name in ("base", "dpo")}
    found = report_of(models, [Measured(TASK, MEASURE, rows, {})], ["quiz is not measured of sft yet: it failed"])
    assert [one.model for one in found.scores] == ["base", "dpo"]
    assert [(one.model, one.against) for one in found.differences] == [("dpo", "base")]
    shown = table([MeasuredStage("job", "eval", found)])
    assert [line.name for line in shown.lines] == ["base", "sft", "dpo"] and sorted(shown.cells) == [(0, 0), (2, 0)]
    assert "eval: quiz is not measured of sft yet: it failed" in shown.sentences


def settings_of(**task: Any) -> dict[str, Any]:
    rows = {"base": [row(str(number), 1.0) for number in range(40)]}
    model: Any = SimpleNamespace(name="base", weights="base", quantization=None)
    one: Any = SimpleNamespace(**{**vars(TASK), **task})
    return report_of([model], [Measured(one, MEASURE, rows, {})]).tasks[0].settings


def test_other_right_answers_to_the_same_prompts_and_other_numbers_are_other_settings() -> None:
    known = settings_of()
    other = settings_of(rows=[SimpleNamespace(value=-number) for number in range(40)])
    assert {name for name in known if known[name] != other[name]} == {"rows"}
    gpus = settings_of(config=SimpleNamespace(compute=SimpleNamespace(gpus_per_node=1)), settings=SimpleNamespace(exact=False))
    assert (known["numbers"], gpus["numbers"]) == ("float32", "bfloat16")
