"""The configuration of each run beside that of the baseline, as a table of parameters by runs."""

from collections.abc import Mapping, Sequence

import pandas
import streamlit as st
from pandas.io.formats.style import Styler

from alignment_dashboard.data.listing import identify
from alignment_dashboard.facts.colours import Look
from alignment_dashboard.facts.comparison.choice import FLAG, Comparison
from alignment_dashboard.facts.comparison.differences import Difference, differences
from alignment_dashboard.facts.comparison.labels import without_shared_start
from alignment_dashboard.pieces.table_style import line_colour, line_text, muted, tint
from alignment_dashboard.pieces.theme import is_dark
from alignment_dashboard.text import plain

MOST_LINES, _MOST_PIXELS = 16, 560
"""More lines than these scroll within the table."""


def show_configuration(comparison: Comparison, names: Mapping[str, str], looks: Mapping[str, Look]) -> None:
    """Show what differs, or every parameter, with what is not as in the baseline marked."""
    rows = differences(comparison.jobs, comparison.baseline)
    differing = [row for row in rows if row.differs]
    run_names = [names[identify(job)] for job in comparison.jobs]
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.header("Configuration", anchor=False, width="content")
        only = st.toggle(
            f"Differences only ({len(differing)} of {len(rows)})", value=True, key="differences", bind="query-params"
        )
        shown = differing if only else rows
        text = _frame([[setting.text for setting in row.settings] for row in shown], shown, run_names).to_csv()
        st.download_button("CSV", text, "configuration.csv", "text/csv", type="tertiary", icon=":material/download:")
    if not shown:
        st.text("The runs have the same configuration.")
        return
    # Not a dataframe, as the results are: two of them on one page have cells with the same id, which screen readers mix up.
    st.table(
        _styled(_marked(shown, comparison, without_shared_start(run_names)), shown, comparison, looks),
        height=_MOST_PIXELS if len(shown) > MOST_LINES else "content",
        alt=_describe(differing, comparison, run_names),
    )


def _frame(texts: Sequence[Sequence[str]], rows: Sequence[Difference], names: Sequence[str]) -> pandas.DataFrame:
    return pandas.DataFrame(texts, pandas.Index([row.name for row in rows], name="parameter"), names, dtype=str)


def _marked(rows: Sequence[Difference], comparison: Comparison, names: Sequence[str]) -> pandas.DataFrame:
    """Return the table with signs for readers who do not see the tints; in a CSV they would be part of the data."""
    columns = list(names)
    columns[comparison.baseline] = f"{FLAG} {columns[comparison.baseline]}"
    return _frame([[f"{setting.sign} {setting.text}".strip() for setting in row.settings] for row in rows], rows, columns)


def _styled(frame: pandas.DataFrame, rows: Sequence[Difference], comparison: Comparison, looks: Mapping[str, Look]) -> Styler:
    """Return the table with a first line that shows how the curves of each run are drawn, and with changed cells tinted."""
    dark = is_dark()
    known = [looks[identify(job)] for job in comparison.jobs]
    lines = pandas.DataFrame([[line_text(look) for look in known]], pandas.Index(["line"], name=frame.index.name), frame.columns)
    styles = [[line_colour(look, dark) for look in known]]
    for row in rows:
        cells = [tint("changed", dark) if setting.sign else muted(dark) for setting in row.settings]
        cells[comparison.baseline] = ""
        styles.append(cells)
    whole = pandas.concat([lines, frame]).rename(index=plain, columns=plain).map(plain)
    return whole.style.apply(lambda _: pandas.DataFrame(styles, whole.index, whole.columns), axis=None)


def _describe(differing: Sequence[Difference], comparison: Comparison, names: Sequence[str]) -> str:
    parts = [
        f"{row.name}: {', '.join(f'{name} {setting.text}' for name, setting in zip(names, row.settings, strict=True))}"
        for row in differing
    ]
    return f"Parameters that differ. {'; '.join(parts) or 'None'}. The baseline is {names[comparison.baseline]}."
