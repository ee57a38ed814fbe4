"""A verdict that cannot be read is asked for again by the next attempt, and nothing else is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alignment_trainer.endpoints.servers import servers_of
from alignment_trainer.judging.grade import Grade, grade
from asked_stages import a_stage, with_asking
from faulty_server import a_faulty_server, answers
from judges import QUESTION, SAMPLING, Judge

Act = Callable[[Any], None]
SAYS_7 = Judge(lambda shown: [7])
UNREADABLE = answers("It is a 7.")

ATTEMPTS: dict[str, tuple[list[Act], list[int | None], list[int]]] = {
    # what the judge replies at first; then for three attempts the grade, and how many requests have arrived
    "a verdict": ([], [7, 7, 7], [1, 1, 1]),
    "a repaired verdict": ([UNREADABLE], [7, 7, 7], [2, 2, 2]),
    "no verdict at first": ([UNREADABLE] * 2, [None, 7, 7], [2, 3, 3]),
    "no verdict twice": ([UNREADABLE] * 3, [None, None, 7], [2, 3, 4]),
}


@pytest.mark.parametrize("situation", ATTEMPTS)
def test_only_what_is_missing_is_asked_again(situation: str, tmp_path: Path) -> None:
    acts, grades, arrivals = ATTEMPTS[situation]
    seen = []
    with a_faulty_server(*acts) as server:
        server.otherwise = SAYS_7.serve
        config = a_stage(tmp_path, server.url)
        (judge,) = servers_of(config)

        def graded(asking: Any) -> Any:
            return grade(asking, judge, SAMPLING, QUESTION, "Eight.", seed=1)

        for _ in grades:
            found: Grade = with_asking(config, graded)
            seen.append((found.grade, server.arrivals))
    assert seen == [*zip(grades, arrivals, strict=True)]
