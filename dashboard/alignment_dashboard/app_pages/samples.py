"""The page of answers to the same prompts."""

import streamlit as st

from alignment_dashboard import cache
from alignment_dashboard.facts.links import jobs_in
from alignment_dashboard.pieces.notice import show_failures


def show() -> None:
    """Show the names of the runs that the query parameter `jobs` identifies."""
    st.title("Samples", anchor=False)
    listing = cache.listing()
    show_failures(listing.failures)
    found = [listing.find(identity) for identity in jobs_in(st.query_params.get("jobs"))]
    for job in found:
        if job:
            st.text(job.metadata.name)
    if not any(found):
        st.text("Choose runs from the list of all runs.")


show()
