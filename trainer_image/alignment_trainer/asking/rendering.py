"""Writes the prompts of a job as the tokens of one stage: with its tokenizer, its chat template and its maxLength."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from jinja2 import TemplateError

from alignment_trainer.asking.prompts import Prompt
from alignment_trainer.data.control_tokens import ControlTokens
from alignment_trainer.data.tokens import asked_ids
from alignment_trainer.reading.bad_row import BadRow


class Rendered(NamedTuple):
    """A prompt as tokens."""

    prompt: Prompt
    ids: list[int]


class Unrendered(NamedTuple):
    """A prompt that the stage cannot ask, and why."""

    prompt: Prompt
    reason: str


def rendered(prompts: Iterable[Prompt], tokenizer: Any, max_length: int) -> list[Rendered | Unrendered]:
    """Render each prompt as the stage renders its rows."""
    control_tokens = ControlTokens(tokenizer)
    return [_rendered(prompt, tokenizer, control_tokens, max_length) for prompt in prompts]


def _rendered(prompt: Prompt, tokenizer: Any, control_tokens: ControlTokens, max_length: int) -> Rendered | Unrendered:
    if control_tokens.are_written_in(prompt.example):
        return Unrendered(prompt, "its text would be read as control tokens")
    try:
        ids = asked_ids(prompt.example, tokenizer)
    except (BadRow, TemplateError) as error:
        return Unrendered(prompt, str(error))
    if len(ids) > max_length:
        return Unrendered(prompt, f"it has {len(ids)} tokens, more than maxLength {max_length}")
    return Rendered(prompt, ids)
