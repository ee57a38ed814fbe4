"""The page that compares runs, in a real browser."""

import csv
import re
from io import StringIO
from pathlib import Path

import pytest
from alignment_dashboard.facts.colours import LIGHT
from playwright.sync_api import Page, expect
from seeded_home import BEST_OF_SWEEP, SWEEP
from settled_pages import open_settled

ALL = ",".join(made.identity for made in SWEEP)
COUNT_PIXELS = """([canvas, colours]) => {
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data
    const found = new Map(colours.map(colour => [parseInt(colour.slice(1), 16), 0]))
    for (let at = 0; at < pixels.length; at += 4) {
        const colour = (pixels[at] << 16) + (pixels[at + 1] << 8) + pixels[at + 2]
        if (found.has(colour)) found.set(colour, found.get(colour) + 1)
    }
    return [...found.values()]
}"""


def downloaded(page: Page, number: int) -> list[dict[str, str]]:
    """Press one of the CSV buttons, and return the rows of the file."""
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV", exact=True).nth(number).click()
    return list(csv.DictReader(StringIO(Path(download.value.path()).read_text())))


def test_a_changed_baseline_and_view_are_in_the_address_and_come_back_with_it(page: Page) -> None:
    open_settled(page, f"/compare?jobs={ALL}")
    page.get_by_role("button", name="flag icon", exact=True).first.click()
    expect(page).to_have_url(re.compile("baseline=uid-sweep-02"))
    page.get_by_role("radio", name="matrix").click()
    expect(page).to_have_url(re.compile("view=matrix"))
    expect(page.get_by_role("img", name="Accuracy by dpo.learningRate and dpo.beta")).to_be_visible()
    address = page.url
    page.reload()
    expect(page.get_by_role("img", name="Accuracy by dpo.learningRate and dpo.beta")).to_be_visible()
    assert page.url == address
    expect(page.get_by_role("button", name="⚑", exact=True)).to_be_disabled()


def test_a_chosen_stage_waits_while_the_view_shows_evaluations(page: Page) -> None:
    open_settled(page, f"/compare?jobs={ALL}&stage=sft")
    page.get_by_role("radio", name="evaluation").click()
    expect(page).to_have_url(re.compile("view=evaluation"))
    # An evaluation measures the models of all stages.
    expect(page.get_by_role("radio", name="dpo")).to_be_disabled()
    page.get_by_role("radio", name="curves").click()
    expect(page.get_by_role("radio", name="dpo")).to_be_enabled()
    expect(page.get_by_role("radio", name="sft")).to_be_checked()
    expect(page).to_have_url(re.compile("stage=sft"))


def test_the_best_of_the_sweep_and_its_settings_are_at_the_top_of_the_page(page: Page) -> None:
    open_settled(page, f"/compare?jobs={ALL}")
    rate, beta, seed, _ = BEST_OF_SWEEP.parameters
    sentence = page.get_by_text(f"★ {BEST_OF_SWEEP.name} has the best accuracy")
    expect(sentence).to_be_in_viewport()
    expect(sentence).to_contain_text(f"dpo.learningRate {rate:.0e}".replace("e-0", "e-"))
    expect(sentence).to_contain_text(f"dpo.beta {beta}, seed {seed}.")


def test_the_curves_of_ten_runs_are_drawn_in_their_colours(page: Page) -> None:
    open_settled(page, f"/compare?jobs={','.join(made.identity for made in SWEEP[:10])}")
    canvas = page.locator("[data-testid=stEChartsChart] canvas").first.element_handle()
    assert min(page.evaluate(COUNT_PIXELS, [canvas, list(LIGHT)])) > 50


def test_each_view_has_a_csv_file_and_so_have_configuration_and_results(page: Page) -> None:
    compared = [*SWEEP[:3], BEST_OF_SWEEP]
    open_settled(page, f"/compare?jobs={','.join(made.identity for made in compared)}")
    configuration, curves, results = (downloaded(page, number) for number in range(3))
    assert [row["parameter"] for row in configuration] == ["dpo.learningRate", "dpo.beta", "seed"]
    # No sign of the table is part of the data.
    assert [float(configuration[0][made.name]) for made in compared] == [made.parameters[0] for made in compared]
    assert {row["run"] for row in curves} == {made.name for made in compared}
    assert [row["run"] for row in results] == [made.name for made in compared]
    assert max(results, key=lambda row: float(row["Accuracy"]))["run"] == BEST_OF_SWEEP.name


@pytest.mark.parametrize(("view", "first"), [("matrix", "dpo.learningRate"), ("scatter", "run")])
def test_the_other_views_have_a_csv_file(page: Page, view: str, first: str) -> None:
    open_settled(page, f"/compare?jobs={ALL}&view={view}")
    assert first in downloaded(page, 1)[0]
