"""How many clicks lie between the first page and the best of twelve runs with what differs: here, and in MLflow's own UI."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alignment_api import metrics
from alignment_api.home import Home
from mlflow_server import served_mlflow
from playwright.sync_api import Browser, Page, expect
from seeded_home import BEST_OF_SWEEP, SWEEP, write_home
from settled_pages import keep_picture
from table_of_page import click_header, header, names, open_list

MOST_CLICKS = 3
SORTED_IN_MLFLOW, UNSORTED_IN_MLFLOW = 7, 4
"""Findings of docs/benchmarks.md about MLflow 3.17.2, with the best run first and with runs in the order of their start."""
MARGIN = metrics.best_of_stage("dpo", metrics.EVALUATION_REWARD_MARGIN)
# A click on a label is two events, while a press of the button is one.
COUNT_CLICKS = """
sessionStorage.clicks ??= 0;
addEventListener("pointerdown", event => {
    if (event.isTrusted) sessionStorage.clicks = Number(sessionStorage.clicks) + 1;
}, true);
"""
# MLflow shows its menu for model training, and keeps its assistant closed, which otherwise opens at the first visit.
SETTINGS_OF_MLFLOW = """
localStorage["mlflow.workflowType_v1"] = '"machine_learning"';
localStorage["mlflow.assistant.fab.autoOpenedOnFirstLoad_v1"] = "true";
localStorage["mlflow.assistant.panelOpen_v1"] = "false";
"""
OWN_HOME = True


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Home:
    """Write a home with the twelve runs and nothing else."""
    return write_home(tmp_path_factory.mktemp("sweep") / "home", empty_database, datetime.now(UTC), SWEEP)


@pytest.fixture(scope="module")
def mlflow(seeded: Home) -> Iterator[str]:
    """Serve the same runs by MLflow, and return the address."""
    with served_mlflow(seeded.root) as address:
        yield address


@pytest.fixture
def mlflow_page(browser: Browser, mlflow: str) -> Iterator[Page]:
    """Open the first page of MLflow's UI; what it logs to the console is not ours to judge."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.add_init_script(COUNT_CLICKS + SETTINGS_OF_MLFLOW)
    page.goto(mlflow)
    yield page
    page.close()


def clicks(page: Page) -> int:
    """Return how often a mouse button was pressed since the first page."""
    return int(page.evaluate("sessionStorage.clicks"))


def test_ours(page: Page, open_page: Callable[..., Page], dashboard: str) -> None:
    # Titles are on a canvas, and only clicks tell where they are; a person sees it.
    sort_by_margin(page)
    counted = open_page(dashboard)
    counted.add_init_script(COUNT_CLICKS)
    sort_by_margin(counted)
    assert (names(counted)[0], len(names(counted))) == (BEST_OF_SWEEP.name, len(SWEEP))
    assert {"learningRate", "beta", "seed"} <= set(header(counted))
    assert {"loss", "globalBatchSize"}.isdisjoint(header(counted))
    keep_picture(counted, "best-of-sweep")
    assert 1 <= clicks(counted) <= MOST_CLICKS


def sort_by_margin(page: Page) -> None:
    """Open the first page, and click a title until the best run is first."""
    open_list(page)
    while "↓ Eval margin" not in header(page):
        click_header(page, "Eval margin")


def test_mlflow_with_the_best_run_first(mlflow_page: Page) -> None:
    page = mlflow_page
    page.get_by_role("link", name="alignment").click()
    page.get_by_text("Sort:").click()
    page.get_by_text(MARGIN).click()
    expect(page.locator(".ag-row[row-index='0']").get_by_role("link")).to_have_text(BEST_OF_SWEEP.name)
    first, last = (page.locator(f".ag-row[row-index='{row}']").get_by_label("row selection") for row in (0, len(SWEEP) - 1))
    first.click()
    last.click(modifiers=["Shift"])
    assert first_after_compare(page) == f"{BEST_OF_SWEEP.name}-job"
    keep_picture(page, "best-of-sweep-mlflow")
    assert clicks(page) == SORTED_IN_MLFLOW


def test_mlflow_with_runs_in_the_order_of_their_start(mlflow_page: Page) -> None:
    page = mlflow_page
    page.get_by_role("link", name="alignment").click()
    page.locator(".ag-header").get_by_role("checkbox").click()
    assert first_after_compare(page) == f"{SWEEP[-1].name}-job"
    assert clicks(page) == UNSORTED_IN_MLFLOW


def first_after_compare(page: Page) -> str:
    """Compare the chosen runs by what differs, and return the first one."""
    page.get_by_text("Compare", exact=True).click()
    page.get_by_role("switch", name="Parameters - Show diff only").click()
    expect(page.get_by_text(f"Comparing {len(SWEEP)} Runs")).to_be_visible()
    details, parameters = page.locator("table").nth(0), page.locator("table").nth(1)
    expect(parameters.get_by_role("rowheader")).to_have_text(["dpo.beta", "dpo.learningRate", "seed"])
    return details.get_by_role("link").first.inner_text()
