"""Writes dialogues as text with a chat template, exactly as transformers does."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jinja2 import Template, TemplateError, TemplateSyntaxError

from alignment_trainer.forms.messages import Message
from alignment_trainer.model_folder.chat_template import Source
from alignment_trainer.templates.jinja import Marks, environment
from alignment_trainer.templates.source import marks_answers, text_for

Tools = list[dict[str, Any]]


class Unparsed(ValueError):
    """A template is no valid Jinja; the text says where and why."""


class Written(NamedTuple):
    """A dialogue as text."""

    text: str
    blocks: tuple[tuple[int, int], ...]
    """What the template's generation blocks wrote, in characters; empty blocks are left out."""


class ChatTemplate:
    """A chat template with the control tokens of its tokenizer."""

    def __init__(self, source: Source, special_tokens: Mapping[str, str]) -> None:
        self.source = source
        self._special_tokens = dict(special_tokens)
        made = environment()
        self._marks: Marks = made.extensions[Marks.identifier]  # type: ignore[assignment]
        texts = set(source.values()) if isinstance(source, dict) else {source}
        self._compiled = {text: _compiled(made, text) for text in texts}
        self._has_marks = {text: marks_answers(text) for text in texts}

    def with_source(self, source: Source) -> "ChatTemplate":
        """Return another template with the same control tokens."""
        return ChatTemplate(source, self._special_tokens)

    def marks_answers(self, has_tools: bool) -> bool:
        """Return whether the template has generation blocks."""
        return self._has_marks[self._text_for(has_tools)]

    def write(self, messages: Sequence[Message], tools: Tools | None = None, opens_answer: bool = False) -> Written:
        """Write a dialogue; with `opens_answer`, up to where the next answer begins. TemplateError: it cannot be written."""
        template = self._compiled[self._text_for(tools is not None)]
        variables = {
            "messages": [_plain(message) for message in messages],
            "tools": tools,
            "documents": None,
            "add_generation_prompt": opens_answer,
            **self._special_tokens,
        }
        with self._marks.remembering() as (pieces, spans):
            try:
                for piece in template.generate(variables):
                    pieces.append(piece)
            except TemplateError:
                raise
            except Exception as error:
                # Whatever Python raises in a template is the template's own fault.
                raise TemplateError(f"{type(error).__name__}: {error}") from error
            return Written("".join(pieces), tuple((start, end) for start, end in spans if start < end))

    def _text_for(self, has_tools: bool) -> str:
        text = text_for(self.source, has_tools)
        if text is None:
            raise TemplateError(f"it has only the names {', '.join(sorted(self.source))}, and none is default")
        return text


def _compiled(made: Any, text: str) -> Template:
    try:
        template: Template = made.from_string(text)
    except TemplateSyntaxError as error:
        raise Unparsed(f"line {error.lineno}: {error.message}") from error
    return template


def _plain(message: Message) -> Message:
    """Leave out keys without a value, as transformers does."""
    return {key: value for key, value in message.items() if value is not None}
