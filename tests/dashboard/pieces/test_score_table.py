"""How the table of scores is written."""

from typing import Any

import pytest
from alignment_api.results.table import Measured, table
from reported import report


def test_a_table_is_formatted_line_by_line_and_not_cell_by_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    from alignment_dashboard.pieces.evaluated.score_table import styled_scores
    from pandas import DataFrame
    from pandas.io.formats.style import Styler

    calls: list[Any] = []
    format_cells = Styler.format

    def counted(styler: Styler, *options: Any, **named: Any) -> Styler:
        calls.append(named)
        return format_cells(styler, *options, **named)

    monkeypatch.setattr(Styler, "format", counted)
    # Scores of one value, so that only the place of a cell tells its text.
    metrics = [f"metric-{number}" for number in range(9)]
    errors = {"base": 0.1, "dpo": 0.2}
    found = table(
        [Measured("one", "eval", report({("arc", m, model): (0.5, errors[model]) for m in metrics for model in errors}))]
    )
    frame = DataFrame([{column.title: 0.5 for column in found.columns}] * 2)
    html = styled_scores(frame, found, shows_differences=False).to_html()
    assert (html.count("0.50 ± 0.10"), html.count("0.50 ± 0.20")) == (9, 9)
    assert sum("subset" in named for named in calls) == len(errors)
