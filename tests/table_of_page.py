"""Reads and uses the table of a page: Streamlit draws it on a canvas, and keeps a table for screen readers inside it."""

import time
from collections.abc import Callable, Sequence
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Locator, Page
from settled_pages import open_settled, tables

PATIENCE_SECONDS = 60
CHECKBOX_PIXELS, NAME_PIXELS, HEADER_PIXELS, ROW_PIXELS, STEP_PIXELS = 16, 56, 32, 28, 12
_ROWS = "[...document.querySelectorAll('[data-testid=stDataFrame] table tr')]"
_CELLS_OF_ROW = "[...row.children].map(cell => cell.textContent)"
_FOCUS = "() => document.activeElement.id"
_places: "dict[tuple[str, ...], Places]" = {}


def until(page: Page, holds: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"the condition never held on {page.url}; the titles are {_cells(page)[:1]}"
        page.wait_for_timeout(100)


def open_list(page: Page, address: str = "/") -> None:
    """Open the list of runs, and wait for its table."""
    open_settled(page, address)
    canvas(page).wait_for()
    until(page, lambda: len(_cells(page)) > 1)


def canvas(page: Page) -> Locator:
    """Return the canvas of the table."""
    return tables(page).first


def header(page: Page) -> list[str]:
    """Return the titles of the columns; that of a sorted one begins with an arrow."""
    return next(iter(_cells(page)), [])


def column(page: Page, title: str) -> list[str]:
    """Return the values of a column from top to bottom; none while there is no table."""
    titles, *rows = _cells(page) or [[]]
    plain = [_plain(known) for known in titles]
    return [row[plain.index(title)] for row in rows] if title in plain else []


def names(page: Page) -> list[str]:
    """Return the names of the runs from top to bottom."""
    return [_name(link) for link in column(page, "Run")]


def selected(page: Page) -> list[str]:
    """Return the names of the chosen runs from top to bottom."""
    # In one call, since the table may be drawn anew between two.
    rows = page.evaluate(f"() => {_ROWS}.map(row => [row.getAttribute('aria-selected'), {_CELLS_OF_ROW}])")
    titles = [_plain(title) for title in rows[0][1]] if rows else []
    return [_name(cells[titles.index("Run")]) for chosen, cells in rows[1:] if chosen == "true"]


def select(page: Page, name: str) -> None:
    """Click the checkbox of a run until it has changed: a table that is just drawn anew does not see a click."""
    until(page, lambda: name in names(page))
    before = name in selected(page)

    def changed() -> bool:
        return name in names(page) and (name in selected(page)) != before

    def clicked() -> bool:
        known, box = names(page), _box(page)
        if changed() or name not in known:
            return changed()
        page.mouse.click(box["x"] + CHECKBOX_PIXELS, box["y"] + HEADER_PIXELS + (known.index(name) + 0.5) * ROW_PIXELS)
        return _comes(page, changed)

    until(page, clicked)


def click_name(page: Page, name: str, button: Literal["left", "middle"] = "left", modifiers: Sequence[str] = ()) -> None:
    """Click the name of a run, which is a link; the table must have seen the pointer before."""
    place = NAME_PIXELS, HEADER_PIXELS + round((names(page).index(name) + 0.5) * ROW_PIXELS)
    hover(page, *place)
    box = _box(page)
    for key in modifiers:
        page.keyboard.down(key)
    page.mouse.click(box["x"] + place[0], box["y"] + place[1], button=button)
    for key in modifiers:
        page.keyboard.up(key)


def hover(page: Page, x: int, y: int) -> None:
    """Move the pointer to a place of the table that can be clicked, and wait until it shows a hand."""
    box = _box(page)
    page.mouse.move(box["x"] + x, box["y"] + y)
    until(page, lambda: canvas(page).evaluate("canvas => canvas.style.cursor") == "pointer")


def press(page: Page, *keys: str) -> None:
    """Press keys while the table has the focus."""
    if not page.evaluate("() => Boolean(document.activeElement.closest('[data-testid=stDataFrame]'))"):
        canvas(page).focus()
    for key in keys:
        before = page.evaluate(_FOCUS)
        page.keyboard.press(key)
        if key.startswith("Arrow"):
            until(page, lambda before=before: page.evaluate(_FOCUS) != before)


def click_header(page: Page, title: str) -> None:
    """Click the title of a column; a click sorts up, the next one down."""
    until(page, lambda: _shown_title(page, title))
    before = _shown_title(page, title)

    def clicked() -> bool:
        """Click where the title should be; a click that the table has not seen, or another column's, shows where it is not."""
        then = header(page)
        titles = tuple(map(_plain, then))
        if title not in titles:
            return False
        places, box = _places.setdefault(titles, Places()), _box(page)
        place = places.of(titles.index(title), len(titles), box["width"])
        page.mouse.click(box["x"] + place, box["y"] + HEADER_PIXELS / 2)
        if not _comes(page, lambda: header(page) not in ([], then)):
            places.note_nothing(place)
            return False
        for number, (now, earlier) in enumerate(zip(header(page), then, strict=False)):
            if now != earlier and now != _plain(now):
                places.note(number, place)
        return _shown_title(page, title) not in (None, before)

    until(page, clicked, 2 * PATIENCE_SECONDS)


class Places:
    """Where the columns of a table are, in pixels from its left; only the arrow that a click sets tells whose title it hit."""

    def __init__(self) -> None:
        self._known: dict[int, float] = {}
        self._nothing: list[float] = []

    def note(self, number: int, place: float) -> None:
        """Note that a column is at a place."""
        self._known[number] = place

    def note_nothing(self, place: float) -> None:
        """Note that a click there had no effect: it is between two columns, or the table was just drawn anew."""
        self._known = {number: known for number, known in self._known.items() if known != place}
        self._nothing.append(place)

    def of(self, number: int, columns: int, width: float) -> float:
        """Return where a column is, or where it most likely is between those that are known."""
        if number in self._known:
            return self._known[number]
        ends = {-1: 2.0 * CHECKBOX_PIXELS, columns: width} | self._known
        before, after = max(n for n in ends if n < number), min(n for n in ends if n > number)
        likely = ends[before] + (ends[after] - ends[before]) * (number - before) / (after - before)
        between = [likely + step * STEP_PIXELS for near in range(40) for step in (near, -near)]
        possible = [place for place in between if ends[before] < place < ends[after]]
        fresh = [place for place in possible if all(abs(place - known) > STEP_PIXELS / 2 for known in self._nothing)]
        if not fresh:
            self._nothing.clear()
        return (fresh or possible or [likely])[0]


def visible_rows(page: Page) -> int:
    """Return how many whole rows are on the screen without scrolling."""
    box, size = _box(page), page.viewport_size
    assert size
    bottom = min(box["y"] + box["height"], size["height"])
    return min(int((bottom - box["y"] - HEADER_PIXELS) // ROW_PIXELS), len(_cells(page)) - 1)


def _comes(page: Page, holds: Callable[[], object]) -> bool:
    """Return whether a condition holds within two seconds."""
    for _ in range(40):
        page.wait_for_timeout(50)
        if holds():
            return True
    return False


def _shown_title(page: Page, title: str) -> str | None:
    """Return a title with its arrow; None while the table is drawn anew."""
    return next((shown for shown in header(page) if _plain(shown) == title), None)


def _plain(title: str) -> str:
    return title.removeprefix("↑ ").removeprefix("↓ ")


def _cells(page: Page) -> list[list[str]]:
    found: list[list[str]] = page.evaluate(f"() => {_ROWS}.map(row => {_CELLS_OF_ROW})")
    return found


def _name(link: str) -> str:
    """Return the name in the link of a run."""
    return parse_qs(urlsplit(link).query)["name"][0]


def _box(page: Page) -> dict[str, float]:
    box = canvas(page).bounding_box()
    assert box
    return dict(box)
