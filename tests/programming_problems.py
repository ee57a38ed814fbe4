"""Programming problems in the form of HumanEval, with the authors' solutions, for tests that run them."""

from typing import Any

DOUBLE: dict[str, Any] = {
    "task_id": "Tiny/0",
    "prompt": 'def double(value: int) -> int:\n    """Return twice the value.\n    >>> double(2)\n    4\n    """\n',
    "entry_point": "double",
    "canonical_solution": "    return 2 * value\n",
    "test": "def check(candidate):\n    assert candidate(0) == 0\n    assert candidate(-3) == -6\n",
}
UNSHIFT: dict[str, Any] = {
    "task_id": "Tiny/1",
    "prompt": (
        "from typing import List\n\n\ndef shift(values: List[int]) -> List[int]:\n    return values[1:] + values[:1]\n\n\n"
        'def unshift(values: List[int]) -> List[int]:\n    """Undo `shift`."""\n'
    ),
    "entry_point": "unshift",
    "canonical_solution": "    return values[-1:] + values[:-1]\n",
    "test": (
        "METADATA = {}\n\n\ndef check(candidate):\n    assert candidate(shift([1, 2, 3])) == [1, 2, 3]\n"
        "    assert candidate([]) == []\n"
    ),
}
PROBLEMS = (DOUBLE, UNSHIFT)
