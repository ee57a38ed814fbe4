"""What models reached, in a real browser: from the scores of a run to the rows in which two of its models differ."""

from playwright.sync_api import Page, expect
from seeded_reports import STUDY
from settled_pages import keep_picture, open_settled, settle, tables


def test_from_the_scores_to_the_rows_and_back(page: Page) -> None:
    open_settled(page, f"/run?job=uid-{STUDY}&tab=Evaluation")
    expect(tables(page).first).to_be_visible()
    expect(page.get_by_text("81 % of 1,610")).to_be_visible()
    page.get_by_text("Differences to base").click()
    page.wait_for_url("**cells=differences**")
    settle(page)
    keep_picture(page, "evaluation-differences")
    page.get_by_text("Rows: where do two models differ?").click()
    page.wait_for_url("**/rows?job=**")
    page.get_by_role("combobox", name="Task").click()
    page.get_by_role("option", name="alpaca").click()
    page.wait_for_url("**task=alpaca**")
    # Until the script has run, the arrows of the other task's pages are there too.
    expect(page.get_by_test_id("stPaginationNext")).to_have_count(1)
    settle(page)
    # What a model writes is text: neither bold nor a picture, a link or a formula.
    expect(
        page.get_by_text("<img src=x onerror=alert(1)> **not bold** [no link](http://example.com) $x^2$").first
    ).to_be_visible()
    page.get_by_test_id("stPaginationNext").click()
    page.wait_for_url("**page=2**")
    page.reload()
    settle(page)
    expect(page.get_by_test_id("stPaginationPrev")).to_be_enabled()
