"""The page of samples: what the base model and each stage, or one stage of several jobs, answer to the same prompt."""

from collections.abc import Sequence
from functools import partial

import streamlit as st
from alignment_api.spec.job import AlignmentJob
from streamlit.delta_generator import DeltaGenerator

from alignment_dashboard import cache
from alignment_dashboard.data.listing import Listing, identify
from alignment_dashboard.facts import sample_table, samples
from alignment_dashboard.facts.links import jobs_asked
from alignment_dashboard.facts.opened_prompt import Opened
from alignment_dashboard.facts.outputs import (
    StageRows,
    stage_of_several,
    stages_of_one,
    steps_to_choose,
    why_no_base,
    why_none,
)
from alignment_dashboard.facts.samples import Output, Rows, Sample, Wanted
from alignment_dashboard.facts.stages import trained_in, trained_stages
from alignment_dashboard.pictures.answers import markup
from alignment_dashboard.pictures.answers.cards import AGAINST, columns
from alignment_dashboard.pieces.clock import write_clock
from alignment_dashboard.pieces.notice import show_failures, show_notice
from alignment_dashboard.pieces.prompt_choice import choose_prompt, name_in_address, show_arrows, show_list
from alignment_dashboard.pieces.theme import is_dark
from alignment_dashboard.text import plain

LIVE_SECONDS = 5
LIST_WIDTH = 340


def show() -> None:
    """Draw the samples of the jobs that the address names."""
    listing, identities = cache.listing(), jobs_asked(st.query_params)
    jobs = [job for identity in identities if (job := listing.find(identity))]
    with st.container(horizontal=True, horizontal_alignment="distribute", gap="large"):
        with st.container(width="content"):
            st.title("Samples", anchor=False)
            _show_jobs(jobs)
        numbers = st.container(horizontal=True, gap="medium", width="content")
    show_failures(listing.failures)
    _show_missing([identity for identity in identities if not listing.find(identity)], listing)
    if jobs:
        _show_samples(jobs, numbers)
    elif not identities:
        st.text("No run is chosen. Select one or several in the list of runs, and open their samples.")


def _show_samples(jobs: Sequence[AlignmentJob], numbers: DeltaGenerator) -> None:
    st.fragment(_wait_for_more, run_every=LIVE_SECONDS)(jobs, _known(jobs))
    rows = [_read(job) for job in jobs]
    outputs = _choose_outputs(jobs, rows)
    found = samples.align(outputs)
    if not found:
        return
    with numbers:
        _show_numbers(outputs, found)
    st.set_page_config(initial_sidebar_state=LIST_WIDTH)
    shown = samples.choose(found, _choose_wanted(found))
    if not shown:
        st.text("No sample matches these filters.")
        return
    opened = choose_prompt(shown, [identify(job) for job in jobs])
    show_list(shown, opened)
    _show_sample(outputs, shown, opened)
    name_in_address(opened)


def _show_missing(identities: Sequence[str], listing: Listing) -> None:
    for identity in identities:
        missing = listing.guidance.missing if listing.complete else "the jobs cannot be read completely now."
        show_notice("Run not found", "orange", f"No run has the id {identity}: {missing}")


def _show_jobs(jobs: Sequence[AlignmentJob]) -> None:
    with st.container(horizontal=True, gap="small"):
        for job in jobs:
            st.page_link("app_pages/run.py", label=plain(job.metadata.name), query_params={"job": identify(job)})


def _read(job: AlignmentJob) -> StageRows:
    """Read all samples of a job, and say so where they may be old."""
    known = {stage: cache.samples(identify(job), stage) for stage in trained_stages(job)}
    for problem in dict.fromkeys(one.problem for one in known.values() if one.problem):
        shown = [one.as_of for one in known.values() if one.problem == problem and one.value]
        since = f" Samples are shown as of {write_clock(min(shown))}." if shown else ""
        show_notice("Cannot be read", "orange", problem + since)
    return {stage: one.value for stage, one in known.items()}


def _known(jobs: Sequence[AlignmentJob]) -> list[tuple[Rows, str | None]]:
    """Return what the page would show otherwise if it changed: the rows, and why there are no newer ones."""
    known = (cache.samples(identify(job), stage) for job in jobs for stage in trained_stages(job))
    return [(one.value, one.problem) for one in known]


def _wait_for_more(jobs: Sequence[AlignmentJob], drawn: list[tuple[Rows, str | None]]) -> None:
    if _known(jobs) != drawn:
        st.rerun()


def _choose_outputs(jobs: Sequence[AlignmentJob], rows: Sequence[StageRows]) -> list[Output]:
    """Show what is compared, and which stages have nothing to show."""
    stages = trained_in(jobs)
    steps = {stage: _steps(jobs, rows, stage) for stage in stages}
    sampled = [stage for stage in stages if steps[stage]]
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        main = _choose_stage(sampled, len(jobs))
        asked = sampled if len(jobs) == 1 else [main] if main else []
        # The address says step=100 for the stage that it names, and step.sft=50 for another one.
        chosen = {stage: _choose_step(stage, steps[stage], "step" if stage == main else f"step.{stage}") for stage in asked}
        if sampled:
            _show_switches()
    if not stages:
        st.text("No stage of these runs trains a model. Rows that a stage has written are in the tab Samples of its run.")
    _show_reasons(jobs, rows, stages if len(jobs) == 1 else [main] if main else stages[-1:])
    if len(jobs) == 1:
        return stages_of_one(jobs[0], rows[0], chosen)
    return stage_of_several(jobs, rows, main, chosen[main]) if main else []


def _steps(jobs: Sequence[AlignmentJob], rows: Sequence[StageRows], stage: str) -> list[int]:
    return sorted(
        {step for job, known in zip(jobs, rows, strict=True) for step in steps_to_choose(job, stage, known.get(stage, []))}
    )


def _choose_stage(sampled: Sequence[str], jobs: int) -> str | None:
    """Return the stage of the address; of several jobs one stage is shown, which can be changed."""
    if jobs > 1 and sampled:
        return st.segmented_control("Stage", sampled, default=sampled[-1], required=True, key="stage", bind="query-params")
    named = st.query_params.get("stage")
    return named if named in sampled else next(reversed(sampled), None)


def _show_reasons(jobs: Sequence[AlignmentJob], rows: Sequence[StageRows], stages: Sequence[str]) -> None:
    for job, known in zip(jobs, rows, strict=True):
        # While the store cannot be read, the page cannot know whether there are samples.
        if not any(problem for _, problem in _known([job])):
            reasons = [why_none(job, stage) for stage in stages if not steps_to_choose(job, stage, known.get(stage, []))]
            for reason in filter(None, [*reasons, why_no_base(job, known)]):
                st.text(reason)


def _choose_step(stage: str, steps: Sequence[int], key: str) -> int:
    if len(steps) == 1:
        return steps[0]
    return int(st.select_slider(f"Step of {stage}", steps, value=steps[-1], key=key, bind="query-params", width=220))


def _show_switches() -> None:
    st.segmented_control(
        "Mark words that differ from", AGAINST, default="previous", required=True, key="marks", bind="query-params"
    )
    st.toggle("Whole texts", key="whole", bind="query-params", help="Also show what follows the beginning of very long texts.")


def _show_numbers(outputs: Sequence[Output], found: Sequence[Sample]) -> None:
    st.metric("Prompts", len(found), width="content")
    for length in samples.lengths(outputs, found):
        st.metric(
            plain(length.name),
            f"{length.words:.0f} words",
            delta="mean length" if length.changed is None else f"{length.changed} of {length.compared} changed",
            delta_color="off",
            delta_arrow="off",
            width="content",
        )


def _choose_wanted(found: Sequence[Sample]) -> Wanted:
    longest = max(sample.words or 0 for sample in found)
    with st.sidebar:
        text = st.text_input("Search", key="text", bind="query-params", placeholder="in prompts and answers")
        low, high = 0, longest
        if longest:
            low, high = st.slider("Words of the last answer", 0, longest, (0, longest), key="words", bind="query-params")
        only_changed = st.toggle("Changed only", key="changed", bind="query-params")
    return Wanted(only_changed, low, high, text or "")


def _show_sample(outputs: Sequence[Output], shown: Sequence[Sample], opened: Opened) -> None:
    sample, tones = shown[opened.number], markup.DARK if is_dark() else markup.LIGHT
    whole = bool(st.session_state.get("whole"))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(f"Prompt {opened.number + 1} of {len(shown)}", anchor=False, width="content")
        show_arrows(opened)
        st.space("stretch")
        _show_downloads(outputs, shown)
    st.html(markup.draw_prompt(sample.prompt, tones, whole))
    drawn = columns(outputs, sample, st.session_state.get("marks", AGAINST[0]), _colours(outputs))
    st.html(markup.draw_answers(drawn, tones, whole))


def _colours(outputs: Sequence[Output]) -> dict[str, str]:
    """Return the colours of the jobs, if there are several."""
    if len({output.job for output in outputs}) < 2:
        return {}
    dark = is_dark()
    return {identity: look.colour(dark) for identity, look in cache.looks().items()}


def _show_downloads(outputs: Sequence[Output], shown: Sequence[Sample]) -> None:
    for label, suffix, write in (("CSV", "csv", sample_table.write_csv), ("JSONL", "jsonl", sample_table.write_json_lines)):
        st.download_button(
            label,
            partial(write, outputs, shown),
            f"samples.{suffix}",
            on_click="ignore",
            icon=":material/download:",
            help=f"Download the {len(shown)} prompts that are shown, with all answers",
        )


show()
