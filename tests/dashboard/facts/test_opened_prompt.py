"""Which prompt is open after requests of which some left the browser before the answer to the one before arrived."""

import pytest
from alignment_dashboard.facts.opened_prompt import Asked, Opened, open_prompt

KEYS = ("a", "b", "c", "d", "e")


def visit(*requests: Asked, shown: tuple[str, ...] = KEYS) -> Opened:
    opened = None
    for request in requests:
        opened = open_prompt(shown, opened, request)
    assert opened
    return opened


@pytest.mark.parametrize(("address", "number"), [("", 0), ("a", 0), ("d", 3), ("gone", 0)])
def test_the_first_request_opens_what_its_address_names(address: str, number: int) -> None:
    opened = visit(Asked(address))
    assert (opened.key, opened.number, opened.earlier) == (address, number, frozenset())


START = Asked("")
PRESSED = Asked("", False, 2, 0)


@pytest.mark.parametrize(
    ("situation", "requests", "key"),
    [
        ("a press", [Asked("", arrows=2, selected=0)], "b"),
        ("a press with the address and the mark of before", [PRESSED, Asked("", False, 3, 0)], "c"),
        ("two presses at once, with an old mark", [PRESSED, Asked("b", False, 3, 1), Asked("b", False, 5, 1)], "e"),
        ("another request than a press, still with the address of before", [PRESSED, PRESSED], "b"),
        ("the same with the new address and an old mark", [PRESSED, Asked("", False, 3, 1), Asked("b", False, 3, 1)], "c"),
        ("a click in the list", [Asked("", False, None, 3)], "d"),
        ("a click on the row before, when the browser has all", [PRESSED, Asked("b", False, 2, 0)], "a"),
        ("a click on a row that was never open, too early for the address", [PRESSED, Asked("", False, 2, 4)], "e"),
        ("a click on the open row", [PRESSED, Asked("b", False, 2, 1)], "b"),
        ("no row is marked", [PRESSED, Asked("b", False, 2, None)], "b"),
        ("back, before the next request", [PRESSED, Asked("", True, 2, 1)], ""),
        ("back and forward", [PRESSED, Asked("", True, 2, 1), Asked("b", True, None, 0)], "b"),
        ("another address", [PRESSED, Asked("e", False, 2, 1)], "e"),
        ("a row or an arrow beyond the list", [Asked("", False, 9, 0), Asked("", False, None, 9)], ""),
    ],
)  # fmt: skip
def test_a_request_that_is_late_does_not_open_an_earlier_prompt(situation: str, requests: list[Asked], key: str) -> None:
    assert visit(START, *requests).key == key, situation


def test_arrows_that_count_stay_and_others_are_replaced() -> None:
    pressed = visit(START, PRESSED)
    clicked = open_prompt(KEYS, pressed, Asked("b", False, 2, 3))
    assert (pressed.replacements, clicked.replacements, clicked.number) == (0, 1, 3)
    back = open_prompt(KEYS, pressed, Asked("c", True, 2, 1))
    assert (back.replacements, back.number) == (1, 2)
    # The new arrows have no number until they are drawn.
    assert open_prompt(KEYS, clicked, Asked("d", False, None, 3)).replacements == 1


def test_a_filter_keeps_the_prompt_in_mind_while_it_hides_it() -> None:
    opened = visit(START, Asked("", False, 4, 0))
    hidden = open_prompt(("b", "c"), opened, Asked("d", False, 4, 3))
    assert (hidden.key, hidden.number) == ("d", 0)
    assert open_prompt(KEYS, hidden, Asked("d", False, None, 0)).number == 3


def test_after_an_address_with_the_open_prompt_no_request_is_late() -> None:
    pressed = visit(START, PRESSED, Asked("", False, 3, 0))
    assert pressed.earlier == {"", "a", "b"}
    assert open_prompt(KEYS, pressed, Asked("c", False, 3, 2)).earlier == frozenset()
