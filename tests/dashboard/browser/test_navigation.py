"""The pages open in a real browser, from their addresses and from each other."""

from collections.abc import Callable

from alignment_api.home import Home
from playwright.sync_api import Page, expect
from seeded_home import RUNNING
from served_dashboard import served
from table_of_page import click_name, names, open_list


def test_a_deep_link_opens_its_page_without_errors(page: Page) -> None:
    page.goto(f"/run?job={RUNNING.identity}")
    expect(page.get_by_text(RUNNING.name, exact=True).first).to_be_visible()
    expect(page.locator("[data-testid=stEChartsChart] canvas").first).to_be_visible()


def test_the_list_shows_the_jobs(page: Page) -> None:
    page.goto("/")
    expect(page.locator("[data-testid=stDataFrame] canvas").first).to_be_visible()


def test_below_a_base_path_pages_open_from_their_addresses_and_from_each_other(
    browser: object, seeded: Home, open_page: Callable[..., Page]
) -> None:
    with served("--server.baseUrlPath", "team/alignment", ALIGNMENT_HOME=str(seeded.root)) as address:
        page = open_page(f"{address}/team/alignment/")
        open_list(page, "./?search=sweep")
        name = names(page)[0]
        click_name(page, name)
        page.wait_for_url(f"{address}/team/alignment/run?**")
        expect(page.get_by_role("heading", name=name)).to_be_visible()
        page.get_by_role("link", name="Compare", exact=True).first.click()
        page.wait_for_url(f"{address}/team/alignment/compare**")
        page.goto(f"run?job={RUNNING.identity}")
        expect(page.get_by_role("heading", name=RUNNING.name)).to_be_visible()
        # Before its server ends, which the page would report.
        page.close()
