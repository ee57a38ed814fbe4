"""The tables as texts."""

from alignment_api.results.grids import Grid, grids
from alignment_api.results.proofs import Exported
from alignment_api.results.table import Measured, table
from reported import exported, report

BASE, DPO = ("arc", "accuracy", "base"), ("arc", "accuracy", "dpo")
REPORT = report({BASE: (0.3, 0.02), DPO: (0.4, 0.02), ("text", "perplexity", "dpo"): (9.0, 0.5)}, {DPO: (0.1, 0.01)})


def test_scores_and_differences_as_texts() -> None:
    REPORT.scores[2].estimate.failed = 4
    assert grids(table([Measured("job", "eval", REPORT)]), []) == [
        Grid(
            "scores",
            ("model", "arc accuracy ↑ (100 prompts)", "text perplexity ↓"),
            (("base", "0.300 ± 0.020", "–"), ("dpo", "★ 0.400 ± 0.020", "9.00 ± 0.50 (100 prompts, 4 failed)")),
        ),
        Grid(
            "difference to base",
            ("model", "arc accuracy ↑", "text perplexity ↓"),
            (("dpo", "+0.100 [+0.080, +0.120]", "–"),),
        ),
    ]


def test_only_tables_with_something_to_say() -> None:
    assert grids(table([]), []) == []
    assert [found.title for found in grids(table([]), [Exported("job", "int8", exported())])] == ["exports"]
    assert [found.title for found in grids(table([Measured("job", "eval", report({BASE: (0.3, 0.02)}))]), [])] == ["scores"]
