"""The tab with the newest answers of a stage, or with some of the rows that it has written."""

import streamlit as st

from alignment_dashboard import cache
from alignment_dashboard.facts.stages import kind_of, writes_rows
from alignment_dashboard.pieces.notice import show_notice
from alignment_dashboard.pieces.one_run.stage_choice import charted, choose_stage
from alignment_dashboard.text import shorten, visible

SHOWN, PROMPT_LENGTH, ANSWER_LENGTH = 4, 600, 1_200


def moment(identity: str) -> object:
    """Return what the samples are drawn from."""
    job = cache.listing().find(identity)
    return [cache.samples(identity, stage)[:2] for stage in (charted(job) if job else [])]


def show(identity: str) -> None:
    """Show the answers of the newest step of a stage; until it has some, those of the stage before it."""
    chosen = choose_stage(identity)
    stage = _sampled(identity, chosen) if chosen else None
    known = cache.samples(identity, stage) if stage else None
    if known is None or not known.value:
        if known and known.problem:
            show_notice("No samples", "gray", known.problem)
        else:
            st.text(_why_none(identity, chosen))
        return
    if stage != chosen:
        st.text(f"Stage {chosen} has no samples yet. These are those of stage {stage}.")
    newest = max(int(row["step"]) for row in known.value)
    rows = [row for row in known.value if int(row["step"]) == newest]
    are_rows = _writes_rows(identity, stage or "")
    with st.container(horizontal=True, vertical_alignment="center"):
        if are_rows:
            st.text(f"Some of the rows that stage {stage} has written, as of row {newest:,}")
        else:
            st.text(f"Answers of step {newest:,} to {min(SHOWN, len(rows))} of {len(rows)} prompts")
            beside = "Compare them with the base model and other stages"
            st.page_link("app_pages/samples.py", label=beside, query_params={"jobs": identity}, icon=":material/notes:")
    for row in rows[:SHOWN]:
        with st.container(border=True, gap="xsmall"):
            _show_text("Prompt", row.get("prompt"), PROMPT_LENGTH)
            if are_rows and row.get("rejected") is not None:
                for place, name in zip(st.columns(2), ("Chosen", "Rejected"), strict=True):
                    with place:
                        _show_text(name, row.get(name.lower()), ANSWER_LENGTH)
            else:
                _show_text("Answer", row.get("policy"), ANSWER_LENGTH)


def _show_text(name: str, text: object, length: int) -> None:
    st.caption(name)
    st.text(shorten(visible(str(text or "")), length))


def _writes_rows(identity: str, stage: str) -> bool:
    job = cache.listing().find(identity)
    return writes_rows(kind_of([job], stage)) if job else False


def _why_none(identity: str, stage: str | None) -> str:
    if stage and _writes_rows(identity, stage):
        return f"There are no samples yet. Stage {stage} shows some of its rows when a quarter of them is done."
    return "There are no samples yet. A stage answers its prompts at each evaluation and at its end."


def _sampled(identity: str, chosen: str) -> str:
    """Return the chosen stage, or the last one before it that has samples if it has none."""
    job = cache.listing().find(identity)
    names = charted(job) if job else []
    until = names[: names.index(chosen) + 1] if chosen in names else []
    return next((name for name in reversed(until) if cache.samples(identity, name).value), chosen)
