"""The page of the rows of one task: where do two models of a run differ?"""

from collections.abc import Sequence
from functools import partial

import pandas
import streamlit as st
from alignment_api.results.evaluation import Better, EvaluatedRow
from alignment_api.results.rows import RowPair, direction_of, paired_rows, row_metrics, task_metrics
from alignment_api.results.table import Measured
from alignment_api.spec.job import AlignmentJob

from alignment_dashboard import cache
from alignment_dashboard.data.listing import identify
from alignment_dashboard.facts.evaluated.row_choice import WANTED, choose_rows, count_rows, difference_in_words, name_of
from alignment_dashboard.pictures.answers import markup
from alignment_dashboard.pictures.answers.row_cards import row_columns
from alignment_dashboard.pieces import address
from alignment_dashboard.pieces.notice import show_failures, show_notice
from alignment_dashboard.pieces.one_run.evaluation import show_problems
from alignment_dashboard.pieces.theme import is_dark
from alignment_dashboard.text import plain, visible

PER_PAGE = 10
REFRESH_SECONDS = 15
STAGE, TASK, METRIC, FIRST, SECOND, SHOW, TEXT, PAGE = "stage", "task", "metric", "first", "second", "rows", "text", "page"


def show() -> None:
    """Show where two models of the run in the address differ."""
    listing, identity = cache.listing(), st.query_params.get("job", "")
    show_failures(listing.failures)
    job = listing.find(identity)
    st.title("Rows", anchor=False)
    if job is None:
        st.text(
            f"No run has the id {identity}: {listing.guidance.missing}"
            if identity
            else "No run is chosen. Open its tab Evaluation."
        )
        return
    st.page_link(
        "app_pages/run.py",
        label=plain(job.metadata.name),
        query_params={"job": identity, "tab": "Evaluation"},
        icon=":material/arrow_back:",
    )
    known = cache.reports(identity)
    show_problems(known)
    st.fragment(_watch, run_every=REFRESH_SECONDS)(identity, known[:2])
    measured = [one for one in known.value.evaluations if one.report.tasks and one.report.models]
    if measured:
        _show_task(job, measured)


def _watch(identity: str, drawn: object) -> None:
    if cache.reports(identity)[:2] != drawn:
        st.rerun()


def _show_task(job: AlignmentJob, measured: Sequence[Measured]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        stages = [one.stage for one in measured]
        stage = _choose("Stage", STAGE, stages, stages[-1])
        report = measured[stages.index(stage)].report
        names, models = [task.name for task in report.tasks], [model.name for model in report.models]
        task = _choose("Task", TASK, names, names[0])
        first = _choose("First model", FIRST, models, models[0])
        second = _choose("Second model", SECOND, models, models[-1])
        of_first, of_second = (_read(job, stage, task, model) for model in (first, second))
        in_rows = row_metrics((*of_first, *of_second))
        known = [name for name in task_metrics(report, task) if name in in_rows]
        metric = _choose("Metric", METRIC, known or sorted(in_rows), "")
    pairs = paired_rows(of_first, of_second, metric) if metric else []
    if pairs:
        _show_pairs(pairs, (first, second), metric, direction_of(report, task, metric))
    elif of_first and of_second:
        st.text("The two models have no row in common.")


def _choose(label: str, parameter: str, options: Sequence[str], default: str) -> str:
    usual = default or next(iter(options), "")
    key = address.bind_choice(parameter, options, usual)
    st.selectbox(label, options, key=key, on_change=_follow, args=(parameter, usual), format_func=visible, width=200)
    return address.choice(parameter, options, usual)


def _follow(parameter: str, default: str) -> None:
    """Write a choice into the address; the page number belonged to other rows."""
    address.follow(parameter, default)
    address.write(PAGE, "")


def _read(job: AlignmentJob, stage: str, task: str, model: str) -> tuple[EvaluatedRow, ...]:
    known = cache.rows(identify(job), stage, task, model)
    if problem := known.problem or known.value.fault:
        show_notice("Rows", "orange", problem)
    return known.value.rows


def _show_pairs(pairs: Sequence[RowPair], models: tuple[str, str], metric: str, better: Better) -> None:
    lower = better == "Lower"
    counts = count_rows(pairs, lower)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        usual = "different" if counts["different"] else "all"
        st.segmented_control(
            f"Rows that {plain(models[1])} answers",
            WANTED,
            required=True,
            key=address.bind_choice(SHOW, WANTED, usual),
            on_change=_follow,
            args=(SHOW, usual),
            format_func=lambda wanted: f"{name_of(wanted, better)} {counts[wanted]:,}",
        )
        st.text_input("Search", key=address.bind(TEXT), on_change=_follow, args=(TEXT, ""), placeholder="in prompts and answers")
        marks = st.toggle("Mark words that differ", key="marks", bind="query-params")
        whole = st.toggle("Whole texts", key="whole", bind="query-params")
        wanted = next(known for known in WANTED if known == address.choice(SHOW, WANTED, usual))
        shown = choose_rows(pairs, wanted, st.query_params.get(TEXT, ""), lower)
        _show_download(shown, metric)
    if not shown:
        st.text("No row fits.")
        return
    st.header(f"{len(shown):,} {'row' if len(shown) == 1 else 'rows'} of {plain(models[0])} and {plain(models[1])}", anchor=False)
    number = _choose_page(-(-len(shown) // PER_PAGE))
    tones = markup.DARK if is_dark() else markup.LIGHT
    for pair in shown[(number - 1) * PER_PAGE : number * PER_PAGE]:
        with st.container(border=True, gap="xsmall"):
            st.text(f"{visible(difference_in_words(pair, metric, models[1], better))}  ·  row {visible(pair.first.row)}")
            st.html(markup.draw_prompt(pair.first.prompt, tones, whole))
            st.html(markup.draw_answers(row_columns(pair, models, marks), tones, whole))


def _choose_page(pages: int) -> int:
    """Return the page of the address, and let the reader turn it."""
    asked = st.query_params.get(PAGE, "1")
    number = min(max(int(asked) if asked.isascii() and asked.isdecimal() else 1, 1), pages)
    if pages > 1:
        # A key for each place: Streamlit would keep the page that a reader turned to before the address changed.
        key = f"page-{pages}-{number}"
        st.pagination(pages, default=number, key=key, on_change=_turn, args=(key,))
    return number


def _turn(key: str) -> None:
    address.write(PAGE, str(st.session_state[key]), "1")


def _show_download(shown: Sequence[RowPair], metric: str) -> None:
    # Written when it is clicked: rows may have tens of megabytes of text.
    write = partial(_csv, shown, metric)
    st.download_button(
        "CSV", write, "rows.csv", "text/csv", key="rows-csv", type="tertiary", icon=":material/download:", on_click="ignore"
    )


def _csv(shown: Sequence[RowPair], metric: str) -> bytes:
    rows = [
        {
            **{"key": pair.first.key, "row": pair.first.row, "difference": pair.difference, "prompt": pair.first.prompt},
            **{"reference": pair.first.reference, "first": pair.first.answer, "second": pair.second.answer},
            **{"first score": pair.first.scores.get(metric), "second score": pair.second.scores.get(metric)},
        }
        for pair in shown
    ]
    return str(pandas.DataFrame(rows).to_csv(index=False)).encode("utf-8", errors="backslashreplace")


show()
