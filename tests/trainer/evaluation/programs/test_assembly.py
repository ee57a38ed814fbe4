"""What a model wrote becomes a program, and the program of a right answer passes, however the answer is written."""

from typing import Any

import pytest
from alignment_trainer.data.tasks.problems import Problem, read_problem
from alignment_trainer.evaluation.programs.assembly import answered, completed, request, with_test
from alignment_trainer.evaluation.programs.trial import Limits, tried
from programming_problems import DOUBLE, PROBLEMS, UNSHIFT

pytestmark = pytest.mark.usefixtures("confined")


def whole(problem: Problem) -> str:
    return f"{problem.prompt}{problem.solution}"


def alone(problem: Problem) -> str:
    """Return the function without what the prompt has before it."""
    return whole(problem)[whole(problem).rindex("def ") :]


REPLIES = {
    "a block": lambda problem: f"Sure:\n\n```python\n{whole(problem)}```\nIt is fast.",
    "a block without what is before": lambda problem: f"```python\n{alone(problem)}```",
    "a block that is not closed": lambda problem: f"```python\n{alone(problem)}",
    "no block": alone,
    "the body": lambda problem: f"```\n{problem.solution}```",
    "an example first": lambda problem: f"Use it so:\n```\nprint('x')\n```\nThe code:\n```python\n{alone(problem)}\n```",
    "an example after": lambda problem: f"```python\n{alone(problem)}\n```\n```\nassert False\n```",
}
COMPLETIONS = {
    "the body": lambda problem: problem.solution,
    "the body and the next function": lambda problem: f"{problem.solution}\ndef other():\n    return (",
    "the body and a test": lambda problem: f"{problem.solution}\nif __name__ == '__main__':\n    assert False",
    "the body and a comment": lambda problem: f"{problem.solution}\n# That was it.\nassert False",
    "the body and a class": lambda problem: f"{problem.solution}\nclass Other:\n    assert False",
    "the body and an example": lambda problem: f"{problem.solution}\nprint(1 / 0)",
}


@pytest.mark.parametrize("row", PROBLEMS, ids=lambda row: row["entry_point"])
@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
def test_a_right_reply_passes(row: dict[str, Any], reply: Any) -> None:
    problem = read_problem(row)
    assert tried(with_test(problem, answered(problem, reply(problem)))).passed


@pytest.mark.parametrize("row", PROBLEMS, ids=lambda row: row["entry_point"])
@pytest.mark.parametrize("completion", COMPLETIONS.values(), ids=COMPLETIONS)
def test_a_right_completion_passes(row: dict[str, Any], completion: Any) -> None:
    problem = read_problem(row)
    assert tried(with_test(problem, completed(problem, completion(problem)))).passed


@pytest.mark.parametrize(
    "body",
    [
        "    pass",
        "    return None",
        "    import os\n    os._exit(0)",
        "    raise SystemExit",
        "    while True: pass",
        "    return (",
        "",
    ],
)
def test_a_wrong_one_does_not(body: str) -> None:
    problem, limits = read_problem(UNSHIFT), Limits(processor_seconds=1)
    assert not tried(with_test(problem, completed(problem, body)), limits).passed
    reply = f"```\n{alone(problem).splitlines()[0]}\n{body}\n```"
    assert not tried(with_test(problem, answered(problem, reply)), limits).passed


def test_a_test_that_the_answer_brings_along_is_not_the_one_that_counts() -> None:
    problem = read_problem(DOUBLE)
    answer = "```python\ndef double(value):\n    return 0\n\ndef check(candidate):\n    pass\n```"
    assert tried(with_test(problem, answered(problem, answer))).reason == "AssertionError"


def test_a_dialogue_asks_for_the_whole_function() -> None:
    asked = request(read_problem(UNSHIFT))
    assert asked.endswith('def unshift(values: List[int]) -> List[int]:\n    """Undo `shift`."""\n```')
