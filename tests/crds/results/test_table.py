"""The table of reports: what stands in each cell, which is the best, and what is never ranked together."""

from typing import Any

import pytest
from alignment_api.results.table import LATER, UNPAIRED, Measured, Table, heads, table
from reported import report

BASE, SFT, DPO = (("arc", "accuracy", model) for model in ("base", "sft", "dpo"))
SCORES = {BASE: (0.30, 0.02), SFT: (0.40, 0.02), DPO: (0.42, 0.02)}


def best_of(found: Table) -> list[str]:
    return [found.lines[line].name for (line, _), cell in found.cells.items() if cell.is_best]


def test_models_are_lines_and_tasks_are_columns_in_the_order_of_the_report() -> None:
    scores = SCORES | {("pairs", "perplexity", "sft"): (9.0, None), ("pairs", "length", "sft"): (70.0, 2.0)}
    found = table([Measured("job", "eval", report(scores))])
    assert [line.name for line in found.lines] == ["base", "sft", "dpo"]
    assert heads(found) == [*("arc accuracy ↑ (100 prompts)", "pairs perplexity ↓ (100 prompts)", "pairs length (100 prompts)")]
    assert {place: cell.estimate.value for place, cell in found.cells.items()} == {
        **{(0, 0): 0.30, (1, 0): 0.40, (2, 0): 0.42},
        **{(1, 1): 9.0, (1, 2): 70.0},
    }


@pytest.mark.parametrize(
    ("situation", "scores", "differences", "best"),
    [
        (
            "both are better than the first, but who knows which of them is the best",
            SCORES,
            {DPO: (0.12, 0.01), SFT: (0.10, 0.01)},
            [],
        ),
        (
            "two models, and a paired difference beyond chance",
            {BASE: (0.30, 0.04), DPO: (0.36, 0.04)},
            {DPO: (0.06, 0.02)},
            ["dpo"],
        ),
        ("two models, and a paired difference within chance", {BASE: (0.30, 0.04), DPO: (0.36, 0.04)}, {DPO: (0.06, 0.04)}, []),
        (
            "the first is the best: its difference is turned",
            {BASE: (0.36, 0.04), DPO: (0.30, 0.04)},
            {DPO: (-0.06, 0.02)},
            ["base"],
        ),
        ("no pairs, but far apart", {BASE: (0.30, 0.02), DPO: (0.40, 0.02)}, {}, ["dpo"]),
        ("no pairs, and the errors overlap", {BASE: (0.30, 0.04), DPO: (0.36, 0.04)}, {}, []),
        ("no errors at all", {BASE: (0.30, None), DPO: (0.40, None)}, {}, []),
        ("equal", {BASE: (0.30, 0.0), DPO: (0.30, 0.0)}, {DPO: (0.0, 0.0)}, []),
        ("one model alone", {BASE: (0.30, 0.01)}, {}, []),
        ("one of two has no value", {BASE: (0.30, 0.01), DPO: (None, None)}, {}, []),
    ],
)
def test_the_best_is_marked_only_beyond_chance(situation: str, scores: Any, differences: Any, best: list[str]) -> None:
    assert best_of(table([Measured("job", "eval", report(scores, differences))])) == best, situation


@pytest.mark.parametrize(("metric", "best"), [("accuracy", ["dpo"]), ("perplexity", ["base"]), ("length", [])])
def test_what_is_better_depends_on_the_metric(metric: str, best: list[str]) -> None:
    scores = {("text", metric, "base"): (3.0, 0.1), ("text", metric, "dpo"): (5.0, 0.1)}
    assert best_of(table([Measured("job", "eval", report(scores))])) == best


def test_a_pair_that_the_report_has_is_used_also_between_later_models() -> None:
    # Beside each other sft and dpo are within chance (0.02 ± 0.028); row by row they are not.
    known = report(SCORES, {DPO: (0.02, 0.005)}, against="sft")
    assert best_of(table([Measured("job", "eval", report(SCORES))])) == []
    assert best_of(table([Measured("job", "eval", known)])) == ["dpo"]


def test_differences_are_those_to_the_first_model() -> None:
    found = table([Measured("job", "eval", report(SCORES, {SFT: (0.10, 0.01)}))])
    differences = [found.cells[line, 0].difference for line in range(3)]
    assert differences[0] is None
    assert differences[1] and differences[1].is_paired and differences[1].estimate.error == 0.01
    assert differences[2] and not differences[2].is_paired
    assert differences[2].estimate.value == pytest.approx(0.12)
    assert differences[2].estimate.error == pytest.approx((0.02**2 + 0.02**2) ** 0.5)


def test_counts_stand_in_the_head_where_they_are_the_same() -> None:
    other = report(SCORES)
    other.scores[1].estimate.failed = 3
    assert heads(table([Measured("job", "eval", other)])) == ["arc accuracy ↑"]


def test_side_metrics_are_columns_only_if_asked_for() -> None:
    scores = SCORES | {("arc", "margin", "base"): (1.0, 0.1)}
    measured = [Measured("job", "eval", report(scores, side=["margin"]))]
    assert len(table(measured).columns) == 1
    assert [column.title for column in table(measured, only_main=False).columns] == ["arc accuracy", "arc margin"]


def test_unlike_settings_are_columns_of_their_own_and_said_in_words() -> None:
    few, many = ({"arc": {"few_shot": shots, "seed": 0}} for shots in (5, 25))
    one = Measured("job", "eval", report({BASE: (0.3, 0.001)}, settings=few))
    two = Measured("job", "late", report({DPO: (0.9, 0.001)}, settings=many))
    found = table([one, two])
    assert [column.title for column in found.columns] == ["arc accuracy in eval", "arc accuracy in late"]
    assert best_of(found) == []
    sentence = (
        "arc was measured with unlike settings, so its columns are not ranked together: few_shot is 5 in eval and 25 in late."
    )
    assert sentence in found.sentences


def test_columns_of_one_metric_stand_side_by_side() -> None:
    few, many = ({"arc": {"few_shot": shots}} for shots in (5, 25))
    one = Measured("job", "eval", report({BASE: (0.3, 0.1), ("quiz", "accuracy", "base"): (0.3, 0.1)}, settings=few))
    two = Measured("job", "late", report({DPO: (0.9, 0.1), ("quiz", "accuracy", "dpo"): (0.3, 0.1)}, settings=many))
    assert [column.title for column in table([one, two]).columns] == [
        *("arc accuracy in eval", "arc accuracy in late", "quiz accuracy")
    ]


TITLES = {
    "the same": ("one", "one", ["arc accuracy against one"]),
    "of unlike names": ("one", "two", ["arc accuracy against one", "arc accuracy against two"]),
}


@pytest.mark.parametrize(("first", "second", "titles"), TITLES.values(), ids=TITLES)
def test_scores_against_unlike_models_are_not_ranked_together(first: str, second: str, titles: list[str]) -> None:
    names = zip(("a", "b"), (first, second), strict=True)
    found = table(
        [Measured(job, "eval", report({DPO: (0.3, 0.001)}, relative_to=(name, f"hash-of-{name}"))) for job, name in names]
    )
    assert [column.title for column in found.columns] == titles


def test_scores_against_unlike_weights_of_one_name_are_not_ranked_together() -> None:
    weights = {"a": "11111111-long", "b": "22222222-long"}
    reports = [Measured(job, "eval", report({DPO: (0.3, 0.001)}, relative_to=("sft", of))) for job, of in weights.items()]
    found = table(reports)
    assert [column.title for column in found.columns] == [
        "arc accuracy against sft 11111111",
        "arc accuracy against sft 22222222",
    ]
    assert best_of(found) == []


def test_the_order_of_settings_makes_no_difference() -> None:
    one = Measured("job", "eval", report({BASE: (0.3, 0.01)}, settings={"arc": {"a": 1, "b": 2}}))
    two = Measured("job", "late", report({DPO: (0.4, 0.01)}, settings={"arc": {"b": 2, "a": 1}}))
    assert len(table([one, two]).columns) == 1


def test_stages_that_measured_alike_share_a_column_and_a_model_its_line() -> None:
    one = Measured("job", "eval", report({BASE: (0.3, 0.01), SFT: (0.4, 0.01)}))
    two = Measured("job", "late", report({SFT: (0.41, 0.01), DPO: (0.5, 0.01)}))
    found = table([one, two])
    assert [line.name for line in found.lines] == ["base", "sft", "dpo"]
    assert [found.cells[line, 0].stage for line in range(3)] == ["eval", "late", "late"]
    assert best_of(found) == ["dpo"]
    assert UNPAIRED in found.sentences
    assert LATER in found.sentences


@pytest.mark.parametrize(
    ("situation", "reports", "is_paired"),
    [
        ("a later stage measured one of both again", [{BASE: 0.1, SFT: 0.1}, {SFT: 0.1, DPO: 0.1}], True),
        ("a later stage measured the first again", [{BASE: 0.1, SFT: 0.1}, {BASE: 0.1, DPO: 0.1}], True),
        ("an earlier stage measured one of both", [{BASE: 0.1}, {BASE: 0.1, SFT: 0.1}], True),
        ("no stage measured both", [{BASE: 0.1}, {SFT: 0.1}], False),
    ],
)
def test_a_paired_difference_of_any_report_is_used(situation: str, reports: list[dict[Any, float]], is_paired: bool) -> None:
    measured = [
        Measured("job", f"eval-{number}", report({place: (value, 0.1) for place, value in scores.items()}, {SFT: (0.5, 0.01)}))
        for number, scores in enumerate(reports)
    ]
    found = table(measured)
    difference = found.cells[[line.name for line in found.lines].index("sft"), 0].difference
    assert difference and difference.is_paired == is_paired, situation
    assert difference.estimate.value == pytest.approx(0.5 if is_paired else 0.0)


@pytest.mark.parametrize(
    ("situation", "others"),
    [
        ("other weights", {"weights": {"sft": "other"}}),
        ("measured otherwise", {"settings": {"arc": {"seed": 1}}}),
    ],
)
def test_a_paired_difference_of_something_else_is_not_used(situation: str, others: dict[str, Any]) -> None:
    one = Measured("job", "eval", report({BASE: (0.1, 0.1), SFT: (0.1, 0.1)}))
    two = Measured("job", "late", report({BASE: (0.1, 0.1), SFT: (0.1, 0.1)}, {SFT: (0.5, 0.01)}, **others))
    difference = table([one, two]).cells[1, 0].difference
    assert difference and not difference.is_paired, situation


def test_a_paired_difference_is_that_of_the_own_report_first() -> None:
    reports = [
        Measured(job, "eval", report({BASE: (0.1, 0.1), SFT: (value, 0.1)}, {SFT: (value - 0.1, 0.01)}))
        for job, value in (("a", 0.5), ("b", 0.6))
    ]
    difference = table(reports).cells[1, 0].difference
    assert difference and difference.estimate.value == pytest.approx(0.4)


def test_a_score_that_a_later_stage_measured_again_is_kept_beside_the_table() -> None:
    one = Measured("job", "eval", report({BASE: (0.3, 0.01), SFT: (0.4, 0.01)}))
    two = Measured("job", "late", report({SFT: (0.41, 0.01)}))
    found = table([one, two])
    assert {place: [(cell.stage, cell.estimate.value) for cell in cells] for place, cells in found.earlier.items()} == {
        (1, 0): [("eval", 0.4)]
    }
    assert LATER not in table([one]).sentences


def test_models_of_several_jobs_have_their_jobs_in_their_names() -> None:
    found = table([Measured("a", "eval", report({DPO: (0.3, 0.01)})), Measured("b", "eval", report({DPO: (0.5, 0.01)}))])
    assert [line.name for line in found.lines] == ["a/dpo", "b/dpo"]
    assert best_of(found) == ["b/dpo"]


def test_a_model_with_other_weights_is_another_model() -> None:
    weights = [{"sft": "11111111-long"}, {"sft": "22222222-long"}]
    reports = [Measured("job", stage, report({SFT: (0.3, 0.01)}, weights=of)) for stage, of in zip("ab", weights, strict=True)]
    assert [line.name for line in table(reports).lines] == ["sft 11111111", "sft 22222222"]


def test_notes_name_their_stage() -> None:
    assert "eval: 3 rows are cut." in table([Measured("job", "eval", report(SCORES, notes=["3 rows are cut."]))]).sentences


def test_no_reports_are_an_empty_table() -> None:
    found = table([])
    assert (found.lines, found.columns) == ((), ())
