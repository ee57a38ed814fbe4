"""Which outlines are read, and when again."""

import pytest
from alignment_dashboard.store.outlines import EMPTY_SECONDS, GROWING_SECONDS, Outline, Target, due

ENDED, GROWING = Target("uid-a", "dpo", "run-1", has_ended=True), Target("uid-a", "dpo", "run-1", has_ended=False)


@pytest.mark.parametrize(("seconds", "is_due"), [(EMPTY_SECONDS - 1, False), (EMPTY_SECONDS, True)])
def test_an_empty_outline_of_an_ended_stage_is_read_again(seconds: float, is_due: bool) -> None:
    assert bool(due([ENDED], {"uid-a": Outline(ENDED, [], 100.0)}, 100.0 + seconds)) == is_due


@pytest.mark.parametrize(
    ("situation", "target", "known", "seconds", "is_due"),
    [
        ("never read", ENDED, None, 0, True),
        ("of an ended stage", ENDED, ENDED, 10**6, False),
        ("of a growing stage, lately", GROWING, GROWING, GROWING_SECONDS - 1, False),
        ("of a growing stage, some time ago", GROWING, GROWING, GROWING_SECONDS, True),
        ("the stage has ended since", ENDED, GROWING, 0, True),
        ("the stage began anew", GROWING._replace(run_id="run-2"), ENDED, 0, True),
        ("of another stage", ENDED._replace(stage="sft"), ENDED, 0, True),
    ],
)
def test_an_outline_is_read(situation: str, target: Target, known: Target | None, seconds: float, is_due: bool) -> None:
    outlines = {"uid-a": Outline(known, [1.0], 100.0)} if known else {}
    assert due([target], outlines, 100.0 + seconds) == ([target] if is_due else []), situation
