"""The tables as texts."""

import pytest
from alignment_api.results.grids import Grid, grids, parts
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


WIDE = Grid(
    "scores",
    ("model", "arc accuracy ↑ (100 prompts)", "gsm8k exact_match ↑", "wiki perplexity ↓"),
    (("base", "0.300 ± 0.020", "0.100 ± 0.010", "9.00 ± 0.50"), ("dpo", "★ 0.400 ± 0.020", "–", "8.90 ± 0.50")),
)


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (200, [("model", "arc", "gsm8k", "wiki")]),
        # 1 + (3 + 5) + (3 + 15) + (3 + 13) + (3 + 11)
        (57, [("model", "arc", "gsm8k", "wiki")]),
        (56, [("model", "arc", "gsm8k"), ("model", "wiki")]),
        (30, [("model", "arc"), ("model", "gsm8k"), ("model", "wiki")]),
        (3, [("model", "arc"), ("model", "gsm8k"), ("model", "wiki")]),
    ],
)
def test_a_table_that_is_too_wide_is_shown_in_parts(width: int, shown: list[tuple[str, ...]]) -> None:
    found = parts(WIDE, width)
    assert [tuple(head.split()[0] for head in part.heads) for part in found] == shown
    assert found[-1].lines[1][-1] == "8.90 ± 0.50"
    count = len(shown)
    assert [part.title for part in found] == (
        ["scores"] if count == 1 else [f"scores ({number} of {count})" for number in range(1, count + 1)]
    )


def test_a_long_text_is_broken_and_cuts_no_table_into_parts() -> None:
    rows = Grid("rows", ("row", "prompt"), (("a", "word " * 90),))
    assert parts(rows, 60) == [rows]


def test_only_tables_with_something_to_say() -> None:
    assert grids(table([]), []) == []
    assert [found.title for found in grids(table([]), [Exported("job", "int8", exported())])] == ["exports"]
    assert [found.title for found in grids(table([Measured("job", "eval", report({BASE: (0.3, 0.02)}))]), [])] == ["scores"]
