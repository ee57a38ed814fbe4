"""Which lines of a log are shown."""

import pytest
from alignment_dashboard.facts.one_run.log_lines import LINES, matching

LONG = "\n".join(f"step {number}" for number in range(1, 1_001))


@pytest.mark.parametrize(
    ("situation", "log", "search", "text", "note"),
    [
        ("no log", "", "", "", ""),
        ("all lines, with their numbers", "one\ntwo\n", "", "1  one\n2  two", ""),
        ("a search in any case", "Error: a\nfine\nerror: b", "ERROR", "1  Error: a\n3  error: b", "2 of 3 lines hold it"),
        ("nothing found", "one", "two", "", "0 of 1 lines hold it"),
    ],
)
def test_lines(situation: str, log: str, search: str, text: str, note: str) -> None:
    assert matching(log, search) == (text, note), situation


def test_of_many_lines_the_newest() -> None:
    shown = matching(LONG, "")
    assert shown.note == f"the newest {LINES} of 1,000 lines"
    assert shown.text.splitlines()[-1] == "1000  step 1000"
    assert matching(LONG, "step").note == f"1,000 of 1,000 lines hold it; the newest {LINES} are shown"
