"""How a tokenizer writes dialogues: with which chat template, and where the answers are in the text."""

from typing import Any
from weakref import WeakKeyDictionary

from alignment_trainer.forms.examples import Dialogue, Pair
from alignment_trainer.forms.messages import Message
from alignment_trainer.models.tokenizer import control_tokens
from alignment_trainer.reading.bad_row import BadRow
from alignment_trainer.templates.answers import Answer, Answers, Unfound
from alignment_trainer.templates.rendering import ChatTemplate, Written
from alignment_trainer.templates.source import NO_TEMPLATE
from alignment_trainer.templates.unwritten import unwritten

_known: "WeakKeyDictionary[Any, Chat]" = WeakKeyDictionary()
"""Compiling a template takes much longer than writing a dialogue with it."""


class Chat:
    """Writes the dialogues of rows; raises BadRow where the template cannot write one whole."""

    def __init__(self, tokenizer: Any) -> None:
        self.made_of = _identity(tokenizer)
        source, special_tokens = self.made_of
        self._template = ChatTemplate(source, special_tokens)
        self._answers = Answers(self._template, control_tokens(tokenizer), special_tokens.get("eos_token", ""))

    def write(self, row: Dialogue | Pair, messages: list[Message], opens_answer: bool = False) -> Written:
        """Write messages of a row, with the row's tools; with `opens_answer`, messages that an answer has to follow."""
        tools = row.tools or None
        written = self._template.write(messages, tools, opens_answer)
        # A template may write a message within the next one.
        lost = None if opens_answer else unwritten(self._template, messages, tools, written.text)
        if lost:
            raise BadRow(
                f"the chat template does not write {lost}, so the model would not see what the row says there; "
                "choose a template that does, or remove it from the row"
            )
        return written

    def answers(self, row: Dialogue, messages: list[Message], written: Written, otherwise: str) -> list[Answer]:
        """Return where the answers are; `otherwise` completes the advice for a row in which they cannot be found."""
        try:
            return self._answers.found(messages, row.tools or None, written)
        except Unfound as error:
            raise BadRow(f"{error}; set spec.model.chatTemplate to Zephyr or ChatML, or {otherwise}") from error

    def end(self, text: str) -> int:
        """Return where the last answer of a dialogue ends, in characters."""
        return self._answers.end(text, 0, len(text))

    def ends(self) -> str:
        """Return what the template writes to end an answer; an empty text if it writes no end token."""
        try:
            return self._answers.end_token(has_tools=False)
        except Unfound:
            return ""


def end_ids(tokenizer: Any) -> list[int]:
    """Return the tokens at which an answer ends: the tokenizer's end of a text, and those that its template ends answers with."""
    ends = chat_of(tokenizer).ends() if tokenizer.chat_template is not None else ""
    written = [token for token in tokenizer.tokenize(ends) if token in control_tokens(tokenizer)]
    return sorted({tokenizer.eos_token_id, *tokenizer.convert_tokens_to_ids(written)})


def chat_of(tokenizer: Any) -> Chat:
    """Return how a tokenizer writes dialogues; raise BadRow if it has no template."""
    if tokenizer.chat_template is None:
        raise BadRow(NO_TEMPLATE)
    chat = _known.get(tokenizer)
    if chat is None or chat.made_of != _identity(tokenizer):
        chat = _known[tokenizer] = Chat(tokenizer)
    return chat


def _identity(tokenizer: Any) -> tuple[Any, dict[str, str]]:
    return tokenizer.chat_template, tokenizer.special_tokens_map
