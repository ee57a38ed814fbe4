"""The list of runs as a person uses it: sorting, choosing, comparing, going back, and new runs that disturb nobody."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import pytest
from alignment_api.home import Home
from playwright.sync_api import Browser, Page, expect
from seeded_home import BEST_OF_SWEEP, SWEEP
from settled_pages import keep_picture
from table_of_page import (
    HEADER_PIXELS,
    canvas,
    click_header,
    click_name,
    column,
    header,
    hover,
    names,
    open_list,
    press,
    select,
    selected,
    until,
    visible_rows,
)

# Its tests count the runs, and add some.
OWN_HOME = True
NUMBERS = (
    "Progress",
    "learningRate",
    "beta",
    "seed",
    "Eval acc.",
    "Eval margin",
    "Train loss",
    "Train acc.",
    "Train margin",
    "GPU-h",
)
TIMES = ("Ends", "Started")


def query_of(page: Page) -> dict[str, list[str]]:
    """Return the parameters of the page's address."""
    return parse_qs(urlsplit(page.url).query)


def copy_job(home: Home, name: str, new: str, **status: Any) -> None:
    """Write a job like another one, as `alignment run` would."""
    document = json.loads((home.job_folder("default", name) / "job.json").read_text())
    document["metadata"] |= {"name": new, "uid": f"uid-{new}"}
    document["status"] |= status
    folder = home.job_folder("default", new)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "job.json").write_text(json.dumps(document))


def test_the_rows_come_with_the_page_and_the_table_takes_their_place(open_page: Callable[..., Page], dashboard: str) -> None:
    address = "/?search=sweep&sort=-eval.margin"
    page = open_page(dashboard)
    open_list(page, address)
    plain = open_page(dashboard, java_script_enabled=False)
    plain.goto(address)
    keep_picture(plain, "runs-first-view")
    assert [link.text_content() for link in plain.locator("#first-view td a").all()] == names(page)
    assert plain.locator("#first-view th").all_text_contents() == [title for title in header(page) if title]
    first, final = plain.locator("#first-view table").bounding_box(), canvas(page).bounding_box()
    assert first and final
    assert (first["x"], first["y"]) == pytest.approx((final["x"], final["y"]), abs=5)


def test_rows_without_a_connection_say_of_when_they_are(browser: Browser, dashboard: str) -> None:
    page = browser.new_page(base_url=dashboard)
    page.clock.install()
    page.route("**/static/js/**", lambda route: route.abort())
    page.goto("/")
    expect(page.locator("#first-view p")).to_have_text(re.compile(r"^\d+ runs; search and choice are loading$"))
    page.clock.fast_forward(20_000)
    late = re.compile(r"^\d+ runs as of \d\d:\d\d UTC; the page does not reach the dashboard, reload it$")
    expect(page.locator("#first-view p")).to_have_text(late)
    page.close()


def test_headers_sort_numbers_as_numbers_and_times_as_times(page: Page) -> None:
    open_list(page)
    for name in (*NUMBERS, *TIMES):
        read: Callable[[str], Any] = float if name in NUMBERS else datetime.fromisoformat
        up = sort_by(page, name, "↑")
        assert len(set(up)) > 1, name
        assert [read(text) for text in up] == sorted(map(read, up)), name
        down = sort_by(page, name, "↓")
        assert [read(text) for text in down] == sorted(map(read, down), reverse=True), name


def sort_by(page: Page, name: str, arrow: str) -> list[str]:
    """Click a title until it has the arrow, and return the values that are known."""
    while f"{arrow} {name}" not in header(page):
        click_header(page, name)
    return [text for text in column(page, name) if text]


def test_two_runs_are_chosen_with_the_keyboard_and_back_is_the_same_list(page: Page) -> None:
    open_list(page, "/?search=sweep&show=succeeded&sort=-eval.margin")
    before = names(page)
    assert (len(before), before[0]) == (len(SWEEP), BEST_OF_SWEEP.name)
    press(page, "ArrowDown", "ArrowDown")
    assert urlsplit(page.url).path == "/"
    press(page, "Shift+Space")
    until(page, lambda: len(selected(page)) == 1)
    press(page, "ArrowDown", "Shift+Space")
    until(page, lambda: len(selected(page)) == 2)
    chosen = [f"uid-{name}" for name in selected(page)]
    page.get_by_role("link", name="Compare 2 runs").click()
    page.wait_for_url("**/compare?*")
    assert query_of(page)["jobs"][0].split(",") == chosen
    page.go_back()
    until(page, lambda: names(page) == before)
    until(page, lambda: [f"uid-{name}" for name in selected(page)] == chosen)
    assert query_of(page) == {
        "search": ["sweep"],
        "show": ["succeeded"],
        "sort": ["-eval.margin"],
        "ticked": [",".join(chosen)],
    }


def test_the_chosen_runs_are_in_the_address_and_come_back_with_it(page: Page) -> None:
    open_list(page, "/?search=sweep&ticked=uid-sweep-05,uid-sweep-03")
    until(page, lambda: selected(page) == ["sweep-05", "sweep-03"])
    select(page, "sweep-05")
    until(page, lambda: query_of(page).get("ticked") == ["uid-sweep-03"])
    select(page, "sweep-07")
    until(page, lambda: query_of(page).get("ticked") == ["uid-sweep-03,uid-sweep-07"])
    page.reload()
    until(page, lambda: selected(page) == ["sweep-07", "sweep-03"])
    page.go_back()
    until(page, lambda: selected(page) == ["sweep-03"])
    page.get_by_role("button", name="Choose none").click()
    until(page, lambda: not selected(page) and "ticked" not in query_of(page))


def test_a_click_on_a_name_opens_its_run_and_back_is_the_list(page: Page) -> None:
    open_list(page, "/?search=sweep")
    before, name = names(page), names(page)[2]
    click_name(page, name)
    page.wait_for_url(f"**/run?name={name}&job=uid-{name}")
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    page.go_back()
    until(page, lambda: names(page) == before)


@pytest.mark.parametrize(("button", "modifiers"), [("middle", []), ("left", ["Control"])], ids=["middle", "control"])
def test_the_middle_button_or_control_opens_a_run_in_a_new_tab(
    page: Page, button: Literal["left", "middle"], modifiers: list[str]
) -> None:
    open_list(page)
    address, name = page.url, names(page)[2]
    with page.expect_popup() as opened:
        click_name(page, name, button, modifiers)
    expect(opened.value.get_by_role("heading", name=name)).to_be_visible()
    assert page.url == address


def test_the_middle_button_does_not_sort(page: Page) -> None:
    open_list(page)
    before = header(page)
    hover(page, 300, HEADER_PIXELS // 2)
    page.mouse.down(button="middle")
    page.mouse.up(button="middle")
    page.wait_for_timeout(500)
    assert header(page) == before


def test_the_table_stays_where_it_is_at_the_first_tick(page: Page) -> None:
    open_list(page, "/?search=sweep")
    # The line above the table that comes last, since it needs MLflow.
    page.get_by_text(re.compile("diverged: ")).wait_for()
    before = canvas(page).bounding_box()
    select(page, "sweep-05")
    expect(page.get_by_text("1 chosen")).to_be_visible()
    assert canvas(page).bounding_box() == before


def test_filters_are_in_the_address_and_back_undoes_them(page: Page) -> None:
    open_list(page)
    everything = names(page)
    page.get_by_role("button", name=re.compile("succeeded")).click()
    until(page, lambda: query_of(page) == {"show": ["succeeded"]} and len(names(page)) == 13)
    page.get_by_role("textbox", name="Search").fill("beta=0.01")
    page.get_by_role("textbox", name="Search").press("Enter")
    until(page, lambda: len(names(page)) == 6)
    page.go_back()
    until(page, lambda: len(names(page)) == 13)
    page.go_back()
    until(page, lambda: names(page) == everything)


def test_with_five_lines_of_attention_eighteen_rows_are_on_the_screen(page: Page, seeded: Home) -> None:
    for number in range(3):
        copy_job(seeded, "failed", f"failed-{number}", startTime=datetime.now(UTC).isoformat())
    open_list(page)
    lines = page.get_by_test_id("stText").filter(has_text="→")
    until(page, lambda: lines.count() == 5 and page.get_by_text(re.compile("out of memory: ")).count() >= 2)
    heights = [line.bounding_box() for line in lines.all()]
    assert [bool(box and box["height"] < 30) for box in heights] == [True] * 5
    assert visible_rows(page) >= 18


def test_a_choice_stays_on_its_runs_when_new_ones_arrive_and_values_change(page: Page, seeded: Home) -> None:
    open_list(page)
    sort_by(page, "Train loss", "↑")
    before = names(page)
    chosen = [before[1], before[4]]
    for name in chosen:
        select(page, name)
    until(page, lambda: selected(page) == chosen)
    copy_job(seeded, "running", "arrived", startTime=datetime.now(UTC).isoformat())
    page.get_by_role("button", name="1 new run").wait_for()
    assert "arrived" not in names(page)
    assert sorted(selected(page)) == sorted(chosen)
    page.get_by_role("button", name="1 new run").click()
    until(page, lambda: "arrived" in names(page))
    until(page, lambda: sorted(selected(page)) == sorted(chosen))
