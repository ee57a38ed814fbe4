"""Makes a program of what a model wrote for a problem: the end of its prompt, or a dialogue's answer with code in it; pure."""

import re
from collections.abc import Iterator

from alignment_trainer.data.tasks.problems import Problem

NEXT = re.compile(r"\n(?=class|def|#|if|print)")
"""Where a function has ended, and something else begins, as the authors cut the completions."""
_BLOCK = re.compile(r"```[^\n]*\n(.*?)(?:```|\Z)", re.DOTALL)


def request(problem: Problem) -> str:
    """Return what a model is asked in a dialogue."""
    code = f"```python\n{problem.prompt.strip()}\n```"
    return f"Complete this Python function. Answer with the whole function in one code block.\n\n{code}"


def completed(problem: Problem, text: str) -> str:
    """Return the function, from what a model wrote directly after the prompt."""
    return problem.prompt + NEXT.split(text, maxsplit=1)[0]


def is_whole(text: str) -> bool:
    """Return whether what a model wrote directly after the prompt goes on after the function's end, which is then not cut."""
    return NEXT.search(text) is not None


def answered(problem: Problem, reply: str) -> str:
    """Return the function, from a reply of a dialogue: the code block that defines it, or else the first, or all of it."""
    blocks = list(_blocks(reply)) or [reply]
    code = next((block for block in blocks if _defines(problem, block)), blocks[0])
    # What the prompt has before the function, such as imports and other functions, may be missing in the reply.
    return f"{_before(problem)}\n{code}" if _defines(problem, code) else problem.prompt + code


def with_test(problem: Problem, function: str) -> str:
    """Return a function with its test, which ends with the call that has to succeed."""
    return f"{function}\n\n{problem.test}\n\ncheck({problem.function})"


def _blocks(reply: str) -> Iterator[str]:
    return (match[1] for match in _BLOCK.finditer(reply))


def _defines(problem: Problem, code: str) -> bool:
    return re.search(_definition(problem), code, re.MULTILINE) is not None


def _before(problem: Problem) -> str:
    match = re.search(_definition(problem), problem.prompt, re.MULTILINE)
    return problem.prompt[: match.start()] if match else ""


def _definition(problem: Problem) -> str:
    return rf"^(?:async )?def {problem.function}\b"
