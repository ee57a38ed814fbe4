"""What the verdicts of a task show of its judges, against values that were counted by hand."""

from alignment_api.results.evaluation import EvaluatedRow, JudgePanel
from alignment_trainer.evaluation.judged.panel import panel_of, winner
from alignment_trainer.evaluation.judged.verdicts import Said, details_of


def rows_of(*rows: list[Said]) -> list[EvaluatedRow]:
    return [
        EvaluatedRow(key=str(at), row=str(at), prompt="", scores={}, details=details_of(said)) for at, said in enumerate(rows)
    ]


def test_grades_of_two_judges() -> None:
    rows = {
        "base": rows_of([Said("a", 3, ""), Said("b", 3, "")], [Said("a", 4, ""), Said("b", 6, "")]),
        "dpo": rows_of(
            [Said("a", 8, ""), Said("b", None, "NoVerdict")], [Said("a", None, "Timeout"), Said("b", None, "NoVerdict")]
        ),
    }
    assert panel_of("bench", ["a", "b"], rows, float, []) == JudgePanel(
        task="bench",
        judges=["a", "b"],
        agreement=0.5,
        agreement_count=2,
        grades={"a/base": 3.5, "a/dpo": 8.0, "b/base": 4.5, "b/dpo": None},
        failures={"NoVerdict": 2, "Timeout": 1},
    )


def test_comparisons_in_both_orders() -> None:
    rows = {
        "dpo": rows_of(
            [Said("a", 1.0, "", "First", "First"), Said("b", 0.75, "", "First", "Tie")],
            [Said("a", 0.5, "", "First", "Second"), Said("b", 0.0, "", "Second", "Second")],
            [Said("a", None, "NoVerdict+Timeout", None, "First")],
            # equal answers, about which no judge is asked
            [],
        )
    }
    found = panel_of("against", ["a", "b"], rows, winner, [1.0, 0.0, 1.0])
    # a and b agree on the first row, not on the second
    assert (found.agreement, found.agreement_count) == (0.5, 2)
    # a: yes, no; b: no, yes
    assert found.same_in_both_orders == 0.5
    # a: 1, 0 and 1, 1 and 0; b: 1, 0.5 and 0, 1
    assert found.first_position == 5.5 / 9
    assert found.longer_wins == 2 / 3
    assert found.grades == {"a/dpo": 0.75, "b/dpo": 0.375}
    assert found.failures == {"NoVerdict": 1, "Timeout": 1}


def test_without_verdicts_nothing_is_shown() -> None:
    found = panel_of("against", ["a"], {"dpo": rows_of([])}, winner, [])
    assert found == JudgePanel(task="against", judges=["a"], grades={"a/dpo": None})
