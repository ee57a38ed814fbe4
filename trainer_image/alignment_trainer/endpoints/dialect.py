"""Decides from the words of a refusal which parameters of a request a server does not take; pure."""

import re

from alignment_trainer.endpoints.question import Question

LIMIT, SEED = "max_tokens", "seed"
_NEWER_LIMIT = "max_completion_tokens"
"""Nearly all servers know the first limit; OpenAI's models that reason know only this one."""
_SEED = re.compile(rf"(?<![a-z_]){SEED}(?![a-z_])", re.IGNORECASE)
_REFUSED = (400, 422)
_INSTEAD = {LIMIT: f"does not know {LIMIT}; it is asked with {_NEWER_LIMIT}", SEED: f"takes no {SEED}; it is asked without one"}


def refused_parameters(status: int, param: str | None, body: str, question: Question) -> frozenset[str]:
    """Return which parameters a server refuses; `param` and `body` are what it says about the error."""
    if status not in _REFUSED:
        return frozenset()
    refuses_limit = param == LIMIT or _NEWER_LIMIT in body
    refuses_seed = param == SEED or (_SEED.search(body) and not _speaks_of_seeds(question))
    return frozenset(name for name, is_refused in ((LIMIT, refuses_limit), (SEED, refuses_seed)) if is_refused)


def spoken(refused: frozenset[str]) -> str:
    """Return what a server refused and how it is asked instead, to follow its address in a sentence."""
    return ", and ".join(_INSTEAD[name] for name in sorted(refused))


def _speaks_of_seeds(question: Question) -> bool:
    """Return whether the word may be quoted from the question: some servers repeat what they refuse."""
    return any(_SEED.search(message["content"]) for message in question.messages)
