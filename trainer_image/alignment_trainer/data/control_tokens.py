"""Finds text that a tokenizer would read as its control tokens, as if the chat template had written it."""

import re
from collections.abc import Collection
from typing import Any

from alignment_trainer.forms.examples import Dialogue, Pair
from alignment_trainer.forms.messages import Text
from alignment_trainer.forms.texts import strings_in
from alignment_trainer.models.tokenizer import control_tokens


class ControlTokens:
    """The control tokens of one tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self._any = _one_of(control_tokens(tokenizer))
        self._opening = tokenizer.bos_token or ""
        # A token that both starts and ends texts may occur within a text.
        self._another_opening = _one_of({self._opening} - {"", tokenizer.eos_token})

    def are_written_in(self, row: Dialogue | Pair) -> bool:
        """Return whether a message contains a control token; a text without roles may contain them, but only one opening."""
        begun = row.prompt.removeprefix(self._opening) if isinstance(row.prompt, str) else row.prompt
        return any(self._found_in(part) for part in (begun, row.tools, *row.answers) if part is not None)

    def _found_in(self, part: Text | list[dict[str, Any]]) -> bool:
        if isinstance(part, str):
            return self._another_opening.search(part) is not None
        return any(self._any.search(text) for message in part for text in strings_in(message))


def _one_of(tokens: Collection[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, sorted(tokens))) or r"(?!)")
