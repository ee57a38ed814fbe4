"""What surrounds the lines of the panels: their places, titles and axes."""

from collections.abc import Sequence
from typing import Any

from alignment_dashboard.pictures.scale import STEPS, Scale
from alignment_dashboard.pictures.span import Span

COLUMNS = 3
HEADER, ROW, TITLE, FOOT = 26, 224, 22, 8
"""Pixels: above all panels, of a row of panels, of a panel's title, and below its axis."""
_HIDDEN = {"show": False}
_LENS = "path://M10,2a8,8 0 1,0 5,14l6,6l2,-2l-6,-6a8,8 0 0,0 -7,-12zm0,3a5,5 0 1,1 0,10a5,5 0 0,1 0,-10z"


def height_of(panels: int) -> int:
    """Return the height of so many panels, in pixels."""
    return HEADER + ROW * -(-panels // COLUMNS)


def grid(index: int) -> dict[str, Any]:
    """Return the place of a panel: three in a row."""
    row, column = divmod(index, COLUMNS)
    return {
        "left": f"{column * 33.6 + 0.2:.1f}%",
        "width": "32.2%",
        "top": HEADER + row * ROW + TITLE,
        "height": ROW - TITLE - FOOT,
        "containLabel": True,
    }


def title(index: int, text: str, note: str) -> dict[str, Any]:
    """Return the title of a panel, with a short note behind it."""
    row, column = divmod(index, COLUMNS)
    return {
        "text": f"{text}  {{note|{note}}}" if note else text,
        "left": f"{column * 33.6 + 0.2:.1f}%",
        "top": HEADER + row * ROW,
        "padding": 0,
        "textStyle": {"fontSize": 13, "rich": {"note": {"fontSize": 11, "fontWeight": "normal", "color": "#7A7F87"}}},
    }


def x_axes(count: int, extent: Span, scale: Scale) -> list[dict[str, Any]]:
    """Return the x axis of each panel, and behind them one more of each for the cursor that all panels share."""
    range_ = {"type": "value", "min": extent.low, "max": extent.high, "position": "bottom"}
    shown = {
        "axisLabel": {"showMinLabel": False, "showMaxLabel": False, "hideOverlap": True},
        "splitLine": _HIDDEN,
        "axisPointer": {"type": "none", "label": {"precision": 0 if scale is STEPS else 2}},
    }
    # If the axes with the lines were linked, the tooltip would list the lines of all panels.
    linked = {
        **dict.fromkeys(("axisLabel", "axisLine", "axisTick", "splitLine"), _HIDDEN),
        "axisPointer": {"show": True, "type": "line", "snap": False, "label": {"precision": 0 if scale is STEPS else 2}},
    }
    return [{"gridIndex": index, **range_, **parts} for parts in (shown, linked) for index in range(count)]


def cursor(count: int) -> dict[str, Any]:
    """Return the link between the axes of the shared cursor."""
    return {"link": [{"xAxisIndex": list(range(count, 2 * count))}]}


def y_axis(index: int, span: Span, logarithmic: bool, fixed: bool) -> dict[str, Any]:
    """Return the y axis of a panel."""
    return {
        "gridIndex": index,
        "type": "log" if logarithmic else "value",
        "min": span.low,
        "max": span.high,
        # The ends of a range that follows the points are no round numbers.
        "axisLabel": {"showMinLabel": fixed, "showMaxLabel": fixed, "hideOverlap": True},
        **({"interval": (span.high - span.low) / 4} if fixed else {"splitNumber": 4}),
    }


def legend(names: Sequence[str]) -> dict[str, Any]:
    """Return the legend of a lone run; of many, the page's list of runs is the legend."""
    return {"show": bool(names), "data": list(names), "top": 3, "left": 0, "itemWidth": 18, "itemHeight": 8, "padding": 0}


def zoom_tool(count: int) -> dict[str, Any]:
    """Return the button with which a reader marks a part of the x axis by dragging over a panel."""
    return {
        "brush": {
            "xAxisIndex": list(range(count)),
            "brushType": "lineX",
            "transformable": False,
            "throttleType": "debounce",
            "outOfBrush": {"colorAlpha": 1},
        },
        "toolbox": {
            "right": 84,
            "top": 0,
            "padding": 0,
            "itemSize": 16,
            "feature": {
                "brush": {"type": ["lineX"], "title": {"lineX": "Zoom: press, then drag over a panel"}, "icon": {"lineX": _LENS}}
            },
        },
    }
