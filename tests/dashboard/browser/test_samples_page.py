"""The page of samples in a real browser."""

import json
import re
from collections.abc import Callable

import pytest
from alignment_api.home import Home
from playwright.sync_api import Page, WebSocketRoute, expect
from seeded_home import SWEEP
from table_of_page import until

READ, HOSTILE = SWEEP[0], SWEEP[1]
ADDRESS = f"/samples?jobs={READ.identity}"
ATTACK = """<script>window.attacked = 1</script><img src=x onerror="window.attacked = 1"><svg onload=window.attacked=1>
[link](javascript:window.attacked=1) <a href="javascript:window.attacked=1">a</a> http://example.com $x$ :smile: \u202egnp"""
SHOWN = ATTACK.replace("\u202e", r"\u202e")


def test_keys_move_between_prompts_but_not_while_one_types(page: Page) -> None:
    page.goto(ADDRESS)
    expect(page.get_by_role("button", name="Next")).to_be_visible()
    page.keyboard.press("j")
    expect(page.get_by_text("Prompt 2 of 6")).to_be_visible()
    expect(page.get_by_role("button", name="Previous")).to_be_enabled()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.get_by_text("Prompt 5 of 6")).to_be_visible()
    for _ in range(9):
        page.keyboard.press("k")
    expect(page.get_by_text("Prompt 1 of 6")).to_be_visible()
    page.get_by_role("textbox", name="Search").fill("commit")
    page.get_by_role("textbox", name="Search").press("j")
    page.get_by_role("textbox", name="Search").press("Backspace")
    page.get_by_role("textbox", name="Search").press("Enter")
    expect(page.get_by_text("Prompt 1 of 1")).to_be_visible()


class SlowAnswers:
    """The answers of the server to a page, which reach it only when they are released."""

    def __init__(self, page: Page) -> None:
        self._page, self._held, self._holding = page, [], False
        page.route_web_socket("**/_stcore/stream", self._connect)

    def _connect(self, socket: WebSocketRoute) -> None:
        self._send = socket.send
        socket.connect_to_server().on_message(lambda answer: self._held.append(answer) if self._holding else self._send(answer))

    def hold(self) -> None:
        self._holding = True

    def wait_for(self, text: str, times: int = 1) -> None:
        until(self._page, lambda: b"".join(self._held).count(text.encode()) >= times)

    def release(self) -> None:
        self._holding = False
        for answer in self._held:
            self._send(answer)


def test_what_a_visitor_does_before_the_answers_arrive_counts(page: Page) -> None:
    answers = SlowAnswers(page)
    page.goto(ADDRESS)
    expect(page.get_by_role("button", name="Next")).to_be_visible()
    answers.hold()
    page.keyboard.press("j")
    answers.wait_for("Prompt 2 of 6")
    page.keyboard.press("j")
    answers.wait_for("Prompt 3 of 6")
    page.get_by_text("Whole texts").click()
    answers.wait_for("Prompt 3 of 6", times=2)
    answers.release()
    expect(page.get_by_text("Prompt 3 of 6")).to_be_visible()
    expect(page.get_by_role("switch", name="Whole texts")).to_be_checked()
    page.keyboard.press("j")
    expect(page.get_by_text("Prompt 4 of 6")).to_be_visible()
    page.go_back()
    expect(page.get_by_text("Prompt 3 of 6")).to_be_visible()


def test_a_click_in_the_list_opens_a_prompt(page: Page) -> None:
    page.goto(ADDRESS)
    rows = page.locator("[data-testid=stDataFrame] canvas").first
    expect(rows).to_be_visible()
    rows.click(position={"x": 40, "y": 80}, force=True)
    expect(page.get_by_text("Prompt 2 of 6")).to_be_visible()


def test_a_link_to_the_samples_opens_the_first_prompt_again(page: Page) -> None:
    page.goto(ADDRESS)
    expect(page.get_by_role("button", name="Next")).to_be_visible()
    page.keyboard.press("j")
    expect(page).to_have_url(re.compile("prompt="))
    page.get_by_role("link", name=READ.name).click()
    page.get_by_role("main").get_by_role("link", name="Samples").click()
    expect(page.get_by_text("Prompt 1 of 6")).to_be_visible()
    expect(page).to_have_url(re.compile("samples.jobs=[^&]+$"))


def test_step_and_prompt_are_in_the_address(page: Page, open_page: Callable[..., Page], dashboard: str) -> None:
    page.goto(f"{ADDRESS}&step=100")
    expect(page.get_by_role("heading", name="dpo, step 100")).to_be_visible()
    page.get_by_role("slider", name="Step of sft").press("ArrowLeft")
    expect(page.get_by_role("heading", name="sft, step 100")).to_be_visible()
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("Prompt 2 of 6")).to_be_visible()
    other = open_page(dashboard)
    other.goto(page.url)
    expect(other.get_by_text("Prompt 2 of 6")).to_be_visible()
    for shown in (page, other):
        expect(shown.locator("h3")).to_have_text(["base", "chosen", "sft, step 100", "rejected", "dpo, step 100", "reference"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_hostile_texts_add_no_element_and_run_no_script(
    seeded: Home, open_page: Callable[..., Page], dashboard: str, scheme: str
) -> None:
    row = {"key": "k", "prompt": ATTACK, "chosen": ATTACK, "rejected": "", "policy": ATTACK}
    for stage, step, answer in (("sft", 0, "other"), ("sft", 200, ATTACK), ("dpo", 200, ATTACK * 2)):
        file = seeded.artifacts / f"{HOSTILE.name}-{stage}" / "artifacts" / "samples" / f"step-{step}.json"
        file.write_text(json.dumps([row | {"policy": answer}]))
    page = open_page(dashboard)
    page.emulate_media(color_scheme=scheme)
    page.goto(f"/samples?jobs={HOSTILE.identity}")
    texts = page.locator("[data-testid=stHtml]")
    expect(page.get_by_role("heading", name="rejected")).to_be_visible()
    assert texts.locator("script, img, svg, a, iframe").count() == 0
    assert page.evaluate("window.attacked") is None
    assert texts.locator("[dir=auto]").first.inner_text() == SHOWN
