"""The page of one run, in a real browser: what is on the screen at once, live curves, zoom and addresses."""

import re
import time

import pytest
from alignment_api.home import Home
from alignment_api.metrics import LOSS
from mlflow import MlflowClient
from playwright.sync_api import Locator, Page, expect
from seeded_home import FAILED, LONG_MESSAGE, RUNNING, SPIKE
from settled_pages import charts, keep_picture, open_settled

# A run that is training now: as the minutes pass, it would become a silent one.
OWN_HOME = True
SCREEN = 900
FIRST_PANELS = 250
"""Pixels of the chart down to the end of its first row of panels."""
LENS = (92, 8)
"""Where the button for zooming is: pixels from the right and from the top of the chart."""
LOWEST_OPACITY = """() => Math.min(1, ...[...document.querySelectorAll("[data-stale=true]")]
    .map(element => Number(getComputedStyle(element).opacity)))"""
WATCHED_SECONDS = 6
IS_AT_ITS_END = """element => {
    let box = element;
    while (box.scrollHeight <= box.clientHeight || getComputedStyle(box).overflowY === "visible") box = box.parentElement;
    return box.scrollTop > 0 && box.scrollHeight - box.clientHeight - box.scrollTop < 2;
}"""
"""Whether the part of a page that scrolls and holds the element is at its end."""


def drawn(page: Page) -> str:
    """Return what the chart shows, in the words for readers who cannot see it."""
    return picture(page).get_attribute("aria-label") or ""


def picture(page: Page) -> Locator:
    """Return the chart as readers who cannot see it find it."""
    return page.get_by_role("img", name=re.compile("^Loss: "))


def box(page: Page) -> dict[str, float]:
    """Return place and size of the chart."""
    expect(charts(page).first).to_be_visible()
    found = charts(page).first.bounding_box()
    assert found
    return dict(found)


def test_a_job_with_a_message_of_4096_characters_shows_its_first_panels(page: Page) -> None:
    open_settled(page, f"/run?job={FAILED.identity}")
    assert box(page)["y"] + FIRST_PANELS <= SCREEN
    folded = page.get_by_text(LONG_MESSAGE[:200])
    expect(folded).to_be_hidden()
    page.get_by_text("The whole message").click()
    expect(folded).to_have_count(1)
    expect(folded).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_spike_in_both_themes(page: Page, theme: str) -> None:
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    open_settled(page, f"/run?job={SPIKE.identity}")
    expect(page.get_by_text("Spike of the loss.")).to_be_visible()
    assert "Loss: training" in drawn(page)
    keep_picture(page, f"run-spike-{theme}")


def test_new_points_arrive_without_reload_and_keep_the_zoom(page: Page, seeded: Home) -> None:
    open_settled(page, f"/run?job={RUNNING.identity}&zoom=20~60")
    newest = int(re.findall(r"step (\d+)", drawn(page))[0])
    MlflowClient(seeded.tracking_uri).log_metric("running-dpo", LOSS, 0.123, step=newest + 1)
    expect(picture(page)).to_have_attribute(
        "aria-label", re.compile(f"Loss: training 0.123 at step {newest + 1}"), timeout=30_000
    )
    expect(page.get_by_role("button", name="Zoom out")).to_be_visible()
    expect(page).to_have_url(re.compile("zoom=20"))


def test_a_log_opens_at_its_newest_line(page: Page) -> None:
    open_settled(page, f"/run?job={RUNNING.identity}&tab=Logs")
    log = page.locator("[data-testid=stCode]").filter(has_text=f"step {RUNNING.steps[1]} of")
    expect(log).to_be_visible()
    # It glides there.
    page.wait_for_function(IS_AT_ITS_END, arg=log.element_handle())


def test_nothing_fades_on_a_running_page(page: Page) -> None:
    open_settled(page, f"/run?job={RUNNING.identity}")
    expect(charts(page).first).to_be_visible()
    until, opacities = time.monotonic() + WATCHED_SECONDS, []
    while time.monotonic() < until:
        opacities.append(page.evaluate(LOWEST_OPACITY))
        page.wait_for_timeout(100)
    assert min(opacities) > 0.9, opacities


def test_whoever_drags_over_a_panel_zooms_all_of_them(page: Page) -> None:
    open_settled(page, f"/run?job={SPIKE.identity}")
    place = box(page)
    page.mouse.click(place["x"] + place["width"] - LENS[0], place["y"] + LENS[1])
    page.mouse.move(place["x"] + 100, place["y"] + 150)
    page.mouse.down()
    page.mouse.move(place["x"] + 200, place["y"] + 150, steps=5)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"zoom=\d"))
    page.get_by_role("button", name="Zoom out").click()
    expect(page).not_to_have_url(re.compile("zoom"))


def test_stage_tab_and_choices_are_in_the_address_and_come_back_with_it(page: Page) -> None:
    open_settled(page, f"/run?job={RUNNING.identity}")
    page.get_by_role("radio", name="sft").click()
    expect(page).to_have_url(re.compile("stage=sft"))
    page.get_by_role("radio", name="time").click()
    expect(page).to_have_url(re.compile("axis=time"))
    page.get_by_role("tab", name="All metrics").click()
    expect(page).to_have_url(re.compile("tab=All"))
    address = page.url
    open_settled(page, "/")
    open_settled(page, address)
    expect(page.get_by_role("radio", name="sft")).to_be_checked()
    expect(page.get_by_role("radio", name="time")).to_be_checked()
    expect(page.get_by_role("tab", name="All metrics")).to_have_attribute("aria-selected", "true")


@pytest.mark.parametrize("tab", ["All metrics", "Samples", "Config", "Logs", "Events and attempts"])
def test_every_tab(page: Page, tab: str) -> None:
    open_settled(page, f"/run?job={RUNNING.identity}&tab={tab.replace(' ', '+')}")
    expect(page.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
    keep_picture(page, f"run-{tab.lower().replace(' ', '-')}")
