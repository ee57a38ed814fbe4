"""What the checks found in the curves of all stages, each with its step, its meaning and what to do."""

import streamlit as st

from alignment_dashboard import cache
from alignment_dashboard.facts.one_run import checks
from alignment_dashboard.facts.one_run.checks import Finding
from alignment_dashboard.pieces.one_run.curves import read
from alignment_dashboard.pieces.one_run.stage_choice import charted
from alignment_dashboard.text import plain

LINES = 3
"""Findings that are shown at once, so that the first panels stay on the screen; the rest are folded."""


def show(identity: str) -> None:
    """Show the findings, those of the newest stage first."""
    job = cache.listing().find(identity)
    stages = reversed(charted(job)) if job else []
    found = [(stage, finding) for stage in stages for finding in checks.findings(read(identity, stage).value)]
    if not found:
        return
    with st.container(gap="xsmall"):
        for stage, finding in found[:LINES]:
            _show_finding(stage, finding)
        if found[LINES:]:
            with st.expander(f"{len(found) - LINES} more checks", key="more-findings", type="compact"):
                for stage, finding in found[LINES:]:
                    _show_finding(stage, finding)


def _show_finding(stage: str, finding: Finding) -> None:
    place = plain(f"{stage} step {finding.step:,}")
    st.markdown(f":orange-badge[{place}]  **{plain(finding.title)}.** {plain(finding.meaning)}")
