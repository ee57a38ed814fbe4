"""What a sweep shows at a glance: a matrix over two parameters, and a scatter of any two numbers."""

from collections.abc import Mapping, Sequence

import pandas
import streamlit as st
from alignment_api.spec.job import AlignmentJob

from alignment_dashboard.data.listing import identify
from alignment_dashboard.facts.colours import Look
from alignment_dashboard.facts.comparison.finals import Finals
from alignment_dashboard.facts.comparison.matrix import axes, describe, matrix, rows_of
from alignment_dashboard.facts.comparison.quantities import Quantity, measured, varied
from alignment_dashboard.pictures import matrix as matrix_picture
from alignment_dashboard.pictures import scatter as scatter_picture
from alignment_dashboard.pictures.scatter import Point
from alignment_dashboard.pieces.theme import is_dark
from alignment_dashboard.text import plain

NO_SECOND = "none"


def show_matrix(jobs: Sequence[AlignmentJob], reached: Mapping[str, Finals]) -> None:
    """Show a metric over two parameters that vary."""
    numbers, names = measured(jobs, reached), axes(jobs)
    if not names or not numbers:
        st.text("A matrix needs a parameter that differs among the runs." if numbers else "The runs have no results yet.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        metric = _choose("Cells", list(numbers), "metric", _best_column(numbers))
        across = _choose("Across", names, "across", 0)
        others = [*(name for name in names if name != across), NO_SECOND]
        down = _choose("Down", others, "down", 0)
        found = matrix(jobs, numbers[metric].values, across, None if down == NO_SECOND else down)
        _download(rows_of(found, metric), "matrix.csv")
    st.echarts_chart(
        matrix_picture.draw(found, "loss" in metric.lower(), is_dark()),
        height=matrix_picture.height_of(found),
        key="matrix",
        alt=describe(found, metric),
    )
    over = " and ".join(found.mixed)
    st.caption(plain(f"Each cell is the mean of n runs{f', also over {over}' if over else ''}; ± is the standard error."))


def show_scatter(
    jobs: Sequence[AlignmentJob],
    reached: Mapping[str, Finals],
    baseline: int,
    names: Mapping[str, str],
    looks: Mapping[str, Look],
) -> None:
    """Show two numbers of each run against each other; a chosen point shows the links of its run."""
    quantities = varied(jobs) | measured(jobs, reached)
    if len(quantities) < 2:
        st.text("A scatter needs two numbers that the runs have: parameters that differ, or results.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        across = quantities[_choose("Across", list(quantities), "x", 0)]
        measures = [name for name in quantities if name != across.name]
        up = quantities[_choose("Up", measures, "y", _best_column(measures))]
        points = _points(jobs, baseline, names, looks)
        shown = scatter_picture.drawn(across, up, points)
        _download([{"run": one.name} | {of.name: of.values[one.identity] for of in (across, up)} for one in shown], "scatter.csv")
    event = st.echarts_chart(
        scatter_picture.draw(across, up, points, is_dark()),
        height=scatter_picture.HEIGHT,
        key="scatter",
        on_select="rerun",
        alt=scatter_picture.describe(across, up, points),
    )
    _show_chosen(shown, [index for group in event.selection.selected for index in group["data_indices"]])


def _show_chosen(shown: Sequence[Point], chosen: Sequence[int]) -> None:
    if not chosen:
        st.caption("Click a point to get the link of its run.")
        return
    with st.container(horizontal=True):
        for index in chosen:
            if index < len(shown):
                point = shown[index]
                st.page_link("app_pages/run.py", label=plain(point.name), query_params={"job": point.identity}, icon="")


def _points(jobs: Sequence[AlignmentJob], baseline: int, names: Mapping[str, str], looks: Mapping[str, Look]) -> list[Point]:
    dark = is_dark()
    known = [(identify(job), looks[identify(job)]) for job in jobs]
    return [
        Point(identity, names[identity], look.colour(dark), number == baseline) for number, (identity, look) in enumerate(known)
    ]


def _choose(label: str, options: Sequence[str], key: str, index: int) -> str:
    return str(st.selectbox(label, options, index=index, key=key, bind="query-params", width=240))


def _best_column(names: Mapping[str, Quantity] | Sequence[str]) -> int:
    """Return which of the names says most about a run: its accuracy, else its evaluation loss, else the last one."""
    known = list(names)
    return next((known.index(name) for name in ("Accuracy", "Evaluation loss") if name in known), len(known) - 1)


def _download(rows: Sequence[Mapping[str, object]], name: str) -> None:
    text = pandas.DataFrame(rows).to_csv(index=False)
    st.download_button("CSV", text, name, "text/csv", key=name, type="tertiary", icon=":material/download:")
