"""What surrounds the lines of the panels: their places, titles and axes."""

from collections.abc import Sequence
from typing import Any

from alignment_dashboard.pictures.scale import STEPS, Scale
from alignment_dashboard.pictures.span import Span, round_numbers

COLUMNS, NARROW_COLUMNS, NARROW = 3, 2, 700
"""Panels in a row, and on a screen that is at most so many pixels wide."""
HEADER, ROW, TITLE, FOOT = 26, 224, 22, 8
"""Pixels: above all panels, of a row of panels, of a panel's title, and below its axis."""
_HIDDEN = {"show": False}
_LENS = "path://M10,2a8,8 0 1,0 5,14l6,6l2,-2l-6,-6a8,8 0 0,0 -7,-12zm0,3a5,5 0 1,1 0,10a5,5 0 0,1 0,-10z"


def height_of(panels: int) -> int:
    """Return the height of so many panels, in pixels."""
    return HEADER + ROW * -(-panels // COLUMNS)


def places(titles: Sequence[str], notes: Sequence[str]) -> dict[str, Any]:
    """Return where the panels and their titles are: three in a row, and two on a narrow screen."""
    wide, narrow = (_rows(titles, notes, columns) for columns in (COLUMNS, NARROW_COLUMNS))
    # A rule without a query holds again when a narrow window becomes wide.
    return {**wide, "media": [{"query": {"maxWidth": NARROW}, "option": narrow}, {"option": wide}]}


def _rows(titles: Sequence[str], notes: Sequence[str], columns: int) -> dict[str, Any]:
    height = (height_of(len(titles)) - HEADER) / -(-len(titles) // columns)
    grids, texts = [], []
    for index, (text, note) in enumerate(zip(titles, notes, strict=True)):
        row, column = divmod(index, columns)
        left, top = f"{column * 100.8 / columns + 0.2:.1f}%", round(HEADER + row * height)
        width = f"{100 / columns - 1.2:.1f}%"
        grids.append(
            {"left": left, "width": width, "top": top + TITLE, "height": round(height) - TITLE - FOOT, "containLabel": True}
        )
        texts.append(_title(text, note, left, top, small=columns < COLUMNS))
    return {"grid": grids, "title": texts}


def _title(text: str, note: str, left: str, top: int, small: bool) -> dict[str, Any]:
    return {
        "text": f"{text}  {{note|{note}}}" if note else text,
        "left": left,
        "top": top,
        "padding": 0,
        "textStyle": {
            "fontSize": 11 if small else 13,
            "rich": {"note": {"fontSize": 10 if small else 11, "fontWeight": "normal", "color": "#7A7F87"}},
        },
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
    axis = {"gridIndex": index, "type": "log" if logarithmic else "value", "min": span.low, "max": span.high}
    if logarithmic:
        # ECharts itself writes powers of ten only, and many a range holds none.
        numbers = {"customValues": round_numbers(span)}
        return {**axis, "axisTick": numbers, "axisLabel": {**numbers, "hideOverlap": True}}
    return {
        **axis,
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
