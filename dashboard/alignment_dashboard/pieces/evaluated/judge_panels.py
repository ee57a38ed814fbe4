"""What the verdicts show of the judges themselves, as a table of tasks."""

from collections.abc import Sequence

import pandas
import streamlit as st
from alignment_api.results.evaluation import JudgePanel
from alignment_api.results.judges import failures_in_words, panel_sentence
from alignment_api.results.written import MISSING, write_number, write_share

from alignment_dashboard.text import plain


def show_panels(panels: Sequence[tuple[str, JudgePanel]]) -> None:
    """Show the panels of stages, if there are any."""
    if not panels:
        return
    st.header("Judges", anchor=False)
    frame = pandas.DataFrame([_line(stage, panel) for stage, panel in panels]).set_index("task")
    st.table(
        frame.rename(index=plain).map(plain), alt=" ".join(panel_sentence(panel) for _, panel in panels), border="horizontal"
    )
    st.caption(
        "Without bias the answer that stands first wins 50 %. Judges that agree seldom, or prefer a place or the longer answer, "
        "say little about the models."
    )


def _line(stage: str, panel: JudgePanel) -> dict[str, str]:
    agreement = f"{write_share(panel.agreement)} of {panel.agreement_count:,} verdicts" if panel.agreement_count else MISSING
    grades = (panel.grades or {}).items()
    return {
        "task": f"{panel.task} in {stage}",
        "judges": ", ".join(panel.judges),
        "two judges agree": agreement,
        "same verdict in both orders": write_share(panel.same_in_both_orders),
        "the first wins": write_share(panel.first_position),
        "the longer wins": write_share(panel.longer_wins),
        "missing verdicts": failures_in_words(panel) or "none",
        "grades": ", ".join(f"{name} {write_number(grade) if isinstance(grade, float) else grade}" for name, grade in grades)
        or MISSING,
    }
