"""Shows the panels of one run or of many, with the choices above them; every choice is in the address."""

from collections.abc import Sequence

import streamlit as st

from alignment_dashboard.pictures import option
from alignment_dashboard.pictures.display import Display
from alignment_dashboard.pictures.frame import height_of
from alignment_dashboard.pictures.panels import Panel
from alignment_dashboard.pictures.trace import Trace

SMOOTHING = (0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.99)


def choose_display() -> Display:
    """Show the choices in one line, and return them."""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        smoothing = st.select_slider("Smoothing", SMOOTHING, Display().smoothing, key="smoothing", bind="query-params", width=220)
        axis = st.segmented_control("X axis", ["step", "time"], default="step", required=True, key="axis", bind="query-params")
        log = st.toggle("Log axis", key="log", bind="query-params", help="For panels whose values are all above 0.")
        clip = st.toggle(
            "Clip outliers", key="clip", bind="query-params", help="Each title then says how many points are hidden."
        )
    return Display(smoothing, log, clip, "time" if axis == "time" else "step")


def show_panels(panels: Sequence[Panel], traces: Sequence[Trace], display: Display, alt: str, key: str = "panels") -> None:
    """Show the panels as one chart."""
    drawn = option.draw(panels, traces, display, dark=is_dark())
    st.echarts_chart(drawn, height=height_of(len(panels)), key=key, alt=alt)


def is_dark() -> bool:
    """Return whether the reader's theme is dark."""
    return st.context.theme.type == "dark"
