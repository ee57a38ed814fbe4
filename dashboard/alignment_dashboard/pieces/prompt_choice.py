"""The list of prompts and the arrows, with which a visitor opens one of them."""

from collections.abc import Sequence

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from alignment_dashboard.facts import sample_table
from alignment_dashboard.facts.opened_prompt import Asked, Opened, open_prompt
from alignment_dashboard.facts.samples import Sample
from alignment_dashboard.pieces import address

PROMPT, LIST, OPENED = "prompt", "prompts", "opened-prompt"
# Streamlit shows ten rows by default; a longer list gets a height in pixels, the rest of a screen.
ROWS_SHOWN, TALL_PIXELS = 10, 560


def choose_prompt(shown: Sequence[Sample], jobs: Sequence[str]) -> Opened:
    """Return which of the prompts is open for these jobs."""
    jobs_before, before = st.session_state.get(OPENED, (jobs, None))
    # Streamlit forgets the list's state when the visitor leaves the page.
    has_come = jobs != jobs_before or LIST not in st.session_state
    opened = open_prompt([sample.key for sample in shown], before, _asked(before, has_come))
    st.session_state[OPENED] = (jobs, opened)
    return opened


def _asked(before: Opened | None, has_come: bool) -> Asked:
    context = get_script_run_ctx()
    cells = st.session_state.get(LIST, {}).get("selection", {}).get("cells", [])
    return Asked(
        address=st.query_params.get(PROMPT, ""),
        navigated=has_come or (context is not None and context.is_history_navigation),
        arrows=st.session_state.get(_arrows(before)) if before else None,
        selected=cells[0][0] if cells else None,
    )


def show_list(shown: Sequence[Sample], opened: Opened) -> None:
    """Show the prompts in the sidebar, with a mark at the open one."""
    st.session_state[LIST] = {"selection": {"rows": [], "columns": [], "cells": [(opened.number, "Prompt")]}}
    column = st.column_config
    with st.sidebar:
        st.dataframe(
            sample_table.listed(shown),
            key=LIST,
            on_select="rerun",
            selection_mode="single-cell",
            hide_index=True,
            height="auto" if len(shown) <= ROWS_SHOWN else TALL_PIXELS,
            placeholder="–",
            column_config={
                "Prompt": column.TextColumn(width=132),
                "Changed": column.NumberColumn(
                    format="%d%%", width=78, help="Words that changed from the first to the last answer"
                ),
                "Words": column.NumberColumn(width=70, help="Length of the last answer"),
            },
            alt="Prompts, with how much their answers changed and how long they are",
        )


def show_arrows(opened: Opened) -> None:
    """Show arrows to the prompts before and after; the browser adds up the presses, so that no quick one is lost."""
    st.pagination(len(opened.drawn), default=opened.number + 1, max_visible_pages=0, key=_arrows(opened))
    st.caption("keys J and K", width="content")


def name_in_address(opened: Opened) -> None:
    """Name the open prompt in the address after the page is drawn: a request with this address comes from the drawn page."""
    if st.query_params.get(PROMPT, "") != opened.key:
        address.write(PROMPT, opened.key)


def _arrows(opened: Opened) -> str:
    return f"arrows-{opened.replacements}"
