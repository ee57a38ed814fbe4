"""Which observed children the operator can have created."""

from typing import Any

import pytest
from alignment_operator.deciding.own_children import own_children
from builders import a_child, a_job
from plans import planned

EXPECTED: list[tuple[str, list[dict[str, Any]], list[int]]] = [
    # the children found for a status whose newest attempt is 2 with the uid "mine"; the attempts that count
    ("the newest", [{"attempt": 2, "uid": "mine"}], [2]),
    ("another object under its name", [{"attempt": 2, "uid": "forged"}], []),
    ("the next one, after the newest is gone", [{"attempt": 3, "uid": "new"}], [3]),
    ("the next one, while the newest exists", [{"attempt": 2, "uid": "mine"}, {"attempt": 3, "uid": "forged"}], [2]),
    ("one far ahead", [{"attempt": 2, "uid": "mine"}, {"attempt": 999, "uid": "forged"}], [2]),
    ("leftover pods of an earlier one", [{"attempt": 1, "uid": ""}, {"attempt": 2, "uid": "mine"}], [1, 2]),
    ("pods of an attempt that never existed", [{"attempt": 3, "uid": ""}], []),
]


@pytest.mark.parametrize(("found", "counted"), [row[1:] for row in EXPECTED], ids=[row[0] for row in EXPECTED])
def test_which_children_count(found: list[dict[str, Any]], counted: list[int]) -> None:
    job = a_job()
    begun = planned(job, []).status
    known = {"state": "Running", "attempts": 2, "child_uid": "mine"}
    stages = [stage.model_copy(update=known) if stage.name == "sft" else stage for stage in begun.stages or []]
    running = job.model_copy(update={"status": begun.model_copy(update={"stages": stages})})
    children = [a_child(job, "sft", "Running", **others) for others in found]
    assert [child.attempt for child in own_children(running, children)] == counted


def test_children_show_the_newest_attempt_of_a_job_whose_status_was_lost() -> None:
    job = a_job()
    children = [a_child(job, "sft", "Running", attempt=attempt) for attempt in (5, 100_000)]
    assert own_children(job, children) == children[:1]
