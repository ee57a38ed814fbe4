"""The newest run is the stage's run: by its beginning, then by its id, never by its status."""

import pytest
from alignment_api.runs import Beginning, newest_run

NOW = 1_800_000_000_000


@pytest.mark.parametrize(
    ("situation", "runs", "chosen"),
    [
        ("none", [], None),
        ("one", [(NOW - 5, "a")], "a"),
        ("the later one, whatever the order", [(NOW - 5, "b"), (NOW - 9, "c"), (NOW - 7, "a")], "b"),
        ("begun at once: the greater id", [(NOW, "a"), (NOW, "b")], "b"),
        ("a clock that is a little ahead counts", [(NOW - 5, "a"), (NOW + 60_000, "b")], "b"),
        ("a beginning in the far future does not", [(NOW - 5, "a"), (NOW + 10**12, "b")], "a"),
        ("but one run alone is the stage's", [(NOW + 10**12, "b")], "b"),
        ("no beginning at all", [(None, "b"), (NOW - 5, "a")], "a"),
    ],
)
def test_the_newest_run(situation: str, runs: list[tuple[int | None, str]], chosen: str | None) -> None:
    found = newest_run(runs, lambda run: Beginning(*run), NOW)
    assert (found and found[1]) == chosen, situation
