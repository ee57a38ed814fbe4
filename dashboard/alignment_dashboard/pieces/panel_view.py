"""Shows the panels of one run or of many, with the choices above them; every choice is in the address."""

import math
from collections.abc import Sequence

import streamlit as st

from alignment_dashboard.pictures import option
from alignment_dashboard.pictures.display import Display
from alignment_dashboard.pictures.frame import height_of
from alignment_dashboard.pictures.panels import Panel
from alignment_dashboard.pictures.trace import Trace
from alignment_dashboard.pieces.theme import is_dark

SMOOTHING = (0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.99)
ZOOM, BETWEEN = "zoom", "~"


def choose_display() -> Display:
    """Show the choices in one line, and return them."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        smoothing = st.select_slider("Smoothing", SMOOTHING, Display().smoothing, key="smoothing", bind="query-params", width=200)
        axis = st.segmented_control(
            "X axis", ["step", "time"], default="step", required=True, key="axis", bind="query-params", on_change=_zoom_out
        )
        log = st.toggle("Log axis", key="log", bind="query-params", help="For panels whose values are all above 0.")
        clip = st.toggle(
            "Clip outliers", key="clip", bind="query-params", help="Each title then says how many points are hidden."
        )
        window = _window(st.query_params.get(ZOOM, ""))
        if window:
            st.button("Zoom out", key="zoom-out", icon=":material/zoom_out:", on_click=_zoom_out)
    return Display(smoothing, log, clip, "time" if axis == "time" else "step", window)


def show_panels(panels: Sequence[Panel], traces: Sequence[Trace], display: Display, alt: str, key: str = "panels") -> None:
    """Show the panels as one chart; a reader who drags over a panel sees that part of the x axis, in more detail."""
    # Another part is another chart: of the old one, the browser would keep the marked area.
    key = f"{key}-{display.window}"
    drawn = option.draw(panels, traces, display, dark=is_dark())
    st.echarts_chart(drawn, height=height_of(len(panels)), key=key, alt=alt, on_select=lambda: _zoom_in(key))


def _zoom_in(key: str) -> None:
    # The address keeps the part, so that a chart that grows, or a colleague who gets the link, shows the same.
    areas = st.session_state[key]["selection"]["areas"]
    if areas:
        low, high = areas[0]["coord_range"]
        st.query_params[ZOOM] = f"{low:.6g}{BETWEEN}{high:.6g}"


def _zoom_out() -> None:
    st.query_params.pop(ZOOM, None)


def _window(text: str) -> tuple[float, float] | None:
    """Return the part of the x axis that the address names."""
    try:
        low, high = map(float, text.split(BETWEEN))
    except ValueError:
        return None
    return (low, high) if math.isfinite(high - low) and low < high else None
