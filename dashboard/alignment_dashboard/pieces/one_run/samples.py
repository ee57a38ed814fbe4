"""The tab with the newest answers of a stage; the page of samples shows all of them side by side."""

import streamlit as st

from alignment_dashboard import cache
from alignment_dashboard.facts.links import samples_link
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
            st.text("There are no samples yet. A stage answers its prompts at each evaluation and at its end.")
        return
    if stage != chosen:
        st.text(f"Stage {chosen} has no samples yet. These are those of stage {stage}.")
    newest = max(int(row["step"]) for row in known.value)
    rows = [row for row in known.value if int(row["step"]) == newest]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(f"Answers of step {newest:,} to {min(SHOWN, len(rows))} of {len(rows)} prompts")
        st.link_button("Compare them with the base model and other stages", samples_link([identity]), type="tertiary")
    for row in rows[:SHOWN]:
        with st.container(border=True, gap="xsmall"):
            st.caption("Prompt")
            st.text(shorten(visible(str(row.get("prompt", ""))), PROMPT_LENGTH))
            st.caption("Answer")
            st.text(shorten(visible(str(row.get("policy", ""))), ANSWER_LENGTH))


def _sampled(identity: str, chosen: str) -> str:
    """Return the chosen stage, or the last one before it that has samples if it has none."""
    job = cache.listing().find(identity)
    names = charted(job) if job else []
    until = names[: names.index(chosen) + 1] if chosen in names else []
    return next((name for name in reversed(until) if cache.samples(identity, name).value), chosen)
