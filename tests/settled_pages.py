"""What browser tests ask of every page: opened and drawn, without a traceback, and kept as a picture."""

from pathlib import Path

from playwright.sync_api import Locator, Page, expect

PICTURES = Path(__file__).parents[1] / "build" / "screenshots"
"""Pictures of all pages in all states, which git ignores and CI keeps."""

_SETTLED = "[data-testid=stApp][data-test-connection-state=CONNECTED][data-test-script-state=notRunning]"


def settle(page: Page) -> None:
    """Wait until the page's script has run, and check that it ran without a defect."""
    page.locator(_SETTLED).wait_for()
    expect(page.locator("[data-testid=stSkeleton]")).to_have_count(0)
    expect(page.locator("#first-view")).to_have_count(0)
    expect(page.locator("[data-testid=stException]")).to_have_count(0)
    expect(page.get_by_text("Traceback")).to_have_count(0)
    expect(page.get_by_text("an error that nobody expected")).to_have_count(0)


def open_settled(page: Page, address: str) -> None:
    """Open an address, and wait until its page is drawn."""
    page.goto(address)
    settle(page)


def keep_picture(page: Page, name: str) -> None:
    """Write a picture of the page as it is on the screen."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")


def charts(page: Page) -> Locator:
    """Return the canvases of the page's charts; they exist only when a chart has its data."""
    return page.locator("[data-testid=stEChartsChart] canvas")


def tables(page: Page) -> Locator:
    """Return the canvases of the page's tables."""
    return page.locator("[data-testid=stDataFrame] canvas")
