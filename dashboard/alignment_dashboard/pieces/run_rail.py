"""The runs of a comparison, one line each: the look of its curves, its state, and buttons that change the address."""

from collections.abc import Collection, Mapping

import streamlit as st
from alignment_api.spec.job import AlignmentJob

from alignment_dashboard.data.listing import identify
from alignment_dashboard.facts.colours import Look
from alignment_dashboard.facts.comparison.choice import FLAG, Comparison
from alignment_dashboard.facts.links import jobs_in
from alignment_dashboard.facts.status import BADGES, phase_of
from alignment_dashboard.pieces.address import write
from alignment_dashboard.pieces.theme import is_dark
from alignment_dashboard.text import plain

JOBS, BASELINE, HIDDEN = "jobs", "baseline", "hidden"
"""The parts of the address that the rail changes."""


def show_rail(
    comparison: Comparison, names: Mapping[str, str], looks: Mapping[str, Look], hidden: Collection[str], hides: str | None
) -> None:
    """Show one line for each run, with buttons that hide what the view has of it, remove it, or make it the baseline."""
    with st.container(gap=None):
        for number, job in enumerate(comparison.jobs):
            identity = identify(job)
            with st.container(horizontal=True, vertical_alignment="center", gap="xxsmall", wrap=False):
                st.html(_swatch(looks.get(identity)), width=26)
                _show_link(job, names[identity])
                _show_buttons(identity, names[identity], number == comparison.baseline, identity in hidden, hides)


def _show_link(job: AlignmentJob, name: str) -> None:
    badge = BADGES[phase_of(job)]
    label = f":{badge.colour}[{badge.sign}] {plain(name)}"
    st.page_link("app_pages/run.py", label=label, query_params={"job": identify(job)}, icon="", help=badge.word, width="stretch")


def _show_buttons(identity: str, name: str, is_baseline: bool, is_hidden: bool, hides: str | None) -> None:
    # An icon has a name that is read aloud.
    flag, does = (FLAG, "is the baseline") if is_baseline else (":material/flag:", "becomes the baseline")
    eye, shown = (":material/visibility_off:", "Show") if is_hidden else (":material/visibility:", "Hide")
    run = plain(name)
    with st.container(horizontal=True, gap=None, wrap=False, width="content"):
        st.button(
            flag, f"baseline-{identity}", f"{run} {does}", write, (BASELINE, identity), type="tertiary", disabled=is_baseline
        )
        if hides:
            st.button(eye, f"hidden-{identity}", f"{shown} {hides} of {run}", _toggle_hidden, (identity,), type="tertiary")
        st.button(
            ":material/close:", f"remove-{identity}", f"Remove {run} from the comparison", _remove, (identity,), type="tertiary"
        )


def _swatch(look: Look | None) -> str:
    """Return a short line as the curves of the run are drawn; it holds no text of the job."""
    if look is None:
        return ""
    colour = look.colour(is_dark())
    line = f"border-top: 3px {look.dash} {colour}"
    if look.dash == "dash-dotted":
        # A border has no such style.
        parts = f"{colour} 0 9px, transparent 9px 12px, {colour} 12px 15px, transparent 15px 18px"
        line = f"height: 3px; background: repeating-linear-gradient(90deg, {parts})"
    return f'<span style="display: block; width: 22px; {line}" aria-hidden="true"></span>'


def _toggle_hidden(identity: str) -> None:
    hidden = jobs_in(st.query_params.get(HIDDEN))
    rest = [one for one in hidden if one != identity]
    write(HIDDEN, ",".join(rest if len(rest) < len(hidden) else [*hidden, identity]))


def _remove(identity: str) -> None:
    for name in (JOBS, HIDDEN):
        write(name, ",".join(one for one in jobs_in(st.query_params.get(name)) if one != identity))
    if st.query_params.get(BASELINE) == identity:
        write(BASELINE, "")
