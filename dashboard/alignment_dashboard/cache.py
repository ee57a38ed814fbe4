"""Caches jobs and curves for one or two seconds, so that many open pages cost little more than one."""

from typing import NamedTuple

import streamlit as st

from alignment_dashboard.data.history import Histories
from alignment_dashboard.data.jobs import read_jobs
from alignment_dashboard.data.listing import Listing
from alignment_dashboard.pictures.panels import charts_of


class Curves(NamedTuple):
    """The metrics of one stage, or a sentence about why MLflow cannot be read."""

    histories: Histories
    problem: str | None = None


@st.cache_resource(ttl=1, show_spinner=False)
def listing() -> Listing:
    """Read all jobs."""
    return read_jobs()


@st.cache_resource(ttl=1.5, max_entries=100, show_spinner=False)
def curves(job_uid: str, stage: str, kind: str) -> Curves:
    """Read the metrics that the charts of a stage need."""
    # Importing MLflow takes seconds, and the list of jobs does not need it.
    from alignment_dashboard.data.runs import RunsUnavailable, read_histories, read_stage_runs, tracking_uri

    wanted = dict.fromkeys(metric for chart in charts_of(kind) for metric in chart.metrics)
    try:
        uri = tracking_uri()
        run = read_stage_runs(uri, job_uid).get(stage)
        return Curves(read_histories(uri, run, wanted) if run else {})
    except RunsUnavailable as error:
        return Curves({}, str(error))
