"""What the pages read, kept for a moment, so that many open pages cost little more than one."""

from typing import NamedTuple

import streamlit as st

from alignment_dashboard.data.history import Histories
from alignment_dashboard.data.jobs import read_jobs
from alignment_dashboard.data.listing import Listing
from alignment_dashboard.figures import PANELS


class Curves(NamedTuple):
    """What MLflow has of one stage, or why nothing."""

    histories: Histories
    problem: str | None = None


@st.cache_resource(ttl=1, show_spinner=False)
def listing() -> Listing:
    """Read all jobs."""
    return read_jobs()


@st.cache_resource(ttl=1.5, max_entries=100, show_spinner=False)
def curves(job_uid: str, stage: str, kind: str) -> Curves:
    """Read the metrics that the charts of a stage are drawn from."""
    # MLflow takes seconds to import, and the list of jobs does without it.
    from alignment_dashboard.data.runs import RunsUnavailable, read_histories, read_stage_runs, tracking_uri

    wanted = dict.fromkeys(metric for panel in PANELS.get(kind, ()) for metric in panel.metrics)
    try:
        uri = tracking_uri()
        run = read_stage_runs(uri, job_uid).get(stage)
        return Curves(read_histories(uri, run, wanted) if run else {})
    except RunsUnavailable as error:
        return Curves({}, str(error))
