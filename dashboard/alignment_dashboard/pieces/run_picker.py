"""The choice of the runs that a comparison still needs; it adds them to the address."""

from collections.abc import Sequence

import streamlit as st
from alignment_api.spec.job import AlignmentJob

from alignment_dashboard import cache
from alignment_dashboard.data.listing import identify
from alignment_dashboard.facts.comparison.choice import others
from alignment_dashboard.facts.comparison.labels import labels
from alignment_dashboard.pieces.run_rail import JOBS
from alignment_dashboard.text import plain


def show_picker(jobs: Sequence[AlignmentJob]) -> None:
    """Show the runs that can be added to these, if there are any."""
    listing = cache.listing()
    names, chosen = labels(listing.jobs), [identify(job) for job in jobs]
    found = [identify(job) for job in others(listing, jobs)]
    if not found:
        return
    beside = f"Compare {', '.join(names[identity] for identity in chosen)} with" if chosen else "Runs to compare"
    # Each set of runs has a choice of its own, which begins empty.
    key = f"add-{','.join(chosen)}"
    st.multiselect(
        plain(beside),
        found,
        format_func=names.__getitem__,
        key=key,
        on_change=_add,
        args=(key, chosen),
        placeholder="Newest first",
    )


def _add(key: str, chosen: list[str]) -> None:
    st.query_params[JOBS] = ",".join([*chosen, *st.session_state[key]])
