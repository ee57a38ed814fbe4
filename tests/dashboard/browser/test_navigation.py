"""The pages open in a real browser, from their addresses and from each other."""

from playwright.sync_api import Page, expect
from seeded_home import RUNNING


def test_a_deep_link_opens_its_page_without_errors(page: Page) -> None:
    page.goto(f"/run?job={RUNNING.identity}")
    expect(page.get_by_text(RUNNING.name, exact=True).first).to_be_visible()
    expect(page.locator("[data-testid=stEChartsChart] canvas").first).to_be_visible()


def test_the_list_shows_the_jobs(page: Page) -> None:
    page.goto("/")
    expect(page.locator("[data-testid=stDataFrame] canvas").first).to_be_visible()
