"""Every page can be read by everybody: in light and dark, by a screen reader, and on a telephone."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import axe_core_python
import pytest
from playwright.sync_api import Page
from seeded_home import FAILED, RUNNING, SWEEP
from seeded_reports import OTHER, STUDY
from settled_pages import keep_picture, open_settled

AXE = (Path(axe_core_python.__file__).parent / "axe.min.js").read_text()
# The cells of two tables of Streamlit have the same ids; WCAG 2.2 no longer asks for different ones.
OPTIONS = {"rules": {"duplicate-id-active": {"enabled": False}}}
# A page has one heading of the first level, and no level is left out below it.
OF_HEADINGS = ("page-has-heading-one", "heading-order")
TOO_WIDE = """() => [...document.querySelectorAll("[data-testid=stMain], html")]
    .filter(part => part.scrollWidth > part.clientWidth)
    .map(part => `${part.tagName} is ${part.scrollWidth} px wide, of ${part.clientWidth}`)"""
PAGES = {
    "runs": "/",
    "run": f"/run?job={RUNNING.identity}",
    "run-failed": f"/run?job={FAILED.identity}",
    "compare": f"/compare?jobs={SWEEP[0].identity},{SWEEP[5].identity}",
    "samples": f"/samples?jobs={SWEEP[4].identity}",
    "evaluation": f"/run?job=uid-{STUDY}&tab=Evaluation",
    "compare-evaluation": f"/compare?jobs=uid-{STUDY},uid-{OTHER}&view=evaluation",
    "rows": f"/rows?job=uid-{STUDY}&task=alpaca",
}


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    open_page: Callable[..., Page], dashboard: str, theme: Literal["light", "dark"], name: str
) -> None:
    page = open_page(dashboard)
    page.emulate_media(color_scheme=theme)
    open_settled(page, PAGES[name])
    keep_picture(page, f"{name}-{theme}")
    page.evaluate(AXE)
    found = page.evaluate("options => axe.run(options)", OPTIONS)["violations"]
    serious = [
        f"{violation['id']}: {node['html'][:200]} {node['failureSummary']}"
        for violation in found
        if violation["impact"] in ("serious", "critical") or violation["id"] in OF_HEADINGS
        for node in violation["nodes"]
    ]
    assert not serious, "\n".join(serious)


@pytest.mark.parametrize("name", PAGES)
def test_a_telephone_needs_no_sideways_scrolling(open_page: Callable[..., Page], dashboard: str, name: str) -> None:
    page = open_page(dashboard)
    page.set_viewport_size({"width": 390, "height": 844})
    open_settled(page, PAGES[name])
    keep_picture(page, f"{name}-390")
    assert page.evaluate(TOO_WIDE) == []
