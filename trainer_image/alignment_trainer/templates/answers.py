"""Where the answers of a dialogue are in its text: as its template marks them, or derived from texts of shorter dialogues."""

import re
from bisect import bisect_right
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import NamedTuple

from jinja2 import TemplateError

from alignment_trainer.forms.messages import Message
from alignment_trainer.templates.known import with_marks
from alignment_trainer.templates.rendering import ChatTemplate, Tools, Written

ELSEWHERE = "zqxwordzqx"
"""A word that no template writes by itself: where it appears, the text of a message appears."""
_PROBES: tuple[list[Message], ...] = (
    [{"role": "user", "content": "zqxaskzqx"}, {"role": "assistant", "content": ELSEWHERE}],
    [
        {"role": "system", "content": "zqxbezqx"},
        {"role": "user", "content": "zqxaskzqx"},
        {"role": "assistant", "content": ELSEWHERE},
    ],
)


class Answer(NamedTuple):
    """An answer, or a part of one, in characters of the text."""

    message: int
    """The answer's position among the messages."""
    start: int
    """Where the model begins to write: after the text that opens an answer."""
    end: int
    """Where the token that ends the answer ends; white space that the template writes after it is not learned."""


class Unfound(ValueError):
    """The answers of a dialogue cannot be found in its text; the message says which one, and why."""


class Answers:
    """Finds the answers in what a template writes."""

    def __init__(self, template: ChatTemplate, control_tokens: Collection[str], eos_token: str) -> None:
        self._template = template
        self._with_marks = template.with_source(with_marks(template.source))
        self._control_tokens = tuple(control_tokens)
        self._eos_token = eos_token
        self._ends: dict[bool, str] = {}

    def found(self, messages: Sequence[Message], tools: Tools | None, written: Written) -> list[Answer]:
        """Return where the answers are; one answer can have several parts. Unfound: one of them cannot be found."""
        with_blocks = self._with_blocks(messages, tools, written)
        if with_blocks is None:
            return self._derived(messages, tools, written.text)
        owners = self._owners(messages, tools, with_blocks)
        spans = zip(owners, self.marked(with_blocks), strict=True)
        marked = [Answer(owner, start, end) for owner, (start, end) in spans]
        # A model that does not learn the end of an answer never stops.
        return self._derived(messages, tools, written.text) if self._lack_an_end(marked, messages, written.text) else marked

    def marked(self, written: Written) -> list[tuple[int, int]]:
        """Return what a template with marks wrote as answers, without white space after their end tokens."""
        begins = {start for start, _ in written.blocks}
        # What lies between two adjacent blocks is written by the model, since it goes on after it.
        return [(start, end if end in begins else self.end(written.text, start, end)) for start, end in written.blocks]

    def end(self, text: str, start: int, end: int) -> int:
        """Return where the answer ends that is the last in this part of a text."""
        stripped = start + len(text[start:end].rstrip())
        return stripped if text.endswith(self._control_tokens, start, stripped) else end

    def end_token(self, has_tools: bool) -> str:
        """Return what the template writes after an answer, up to its end token; Unfound: it writes no end token."""
        if has_tools not in self._ends:
            after = _after_an_answer(self._template, has_tools)
            anything = "|".join(re.escape(token) for token in sorted(self._control_tokens, key=len, reverse=True))
            # A template may write its own token and then the one that ends all texts.
            end = re.match(rf"\s*(?:{anything or '(?!)'})(?:{re.escape(self._eos_token)})?", after)
            if end is None:
                raise Unfound("the chat template writes no end token after an answer")
            self._ends[has_tools] = end.group()
        return self._ends[has_tools]

    def _with_blocks(self, messages: Sequence[Message], tools: Tools | None, written: Written) -> Written | None:
        """Return the text with the blocks of a template with marks; None if no such template writes this text."""
        if self._template.marks_answers(tools is not None):
            return written
        if not self._with_marks.marks_answers(tools is not None):
            return None
        try:
            other = self._with_marks.write(messages, tools)
        except TemplateError:
            return None
        # Inference uses the model's own template, so what only the other one writes must not be learned.
        return other if other.text == written.text else None

    def _owners(self, messages: Sequence[Message], tools: Tools | None, written: Written) -> list[int]:
        """Return the position of the answer that each block belongs to: the last one that begins before it."""
        answers = [position for position, message in enumerate(messages) if message["role"] == "assistant"]
        if len(written.blocks) == len(answers):
            return answers
        begins = [self._end_of_shorter(messages[:answer], tools, written.text) for answer in answers]
        if any(start < begins[0] for start, _ in written.blocks):
            raise Unfound("the chat template also marks messages of others as answers")
        owners = [bisect_right(begins, start) - 1 for start, _ in written.blocks]
        for index, answer in enumerate(answers):
            blocks = zip(owners, written.blocks, strict=True)
            marked = "".join(written.text[start:end] for owner, (start, end) in blocks if owner == index)
            if _squeezed(messages[answer].get("content") or "") not in _squeezed(marked):
                raise Unfound(f"the chat template does not mark {shown(messages, answer)} as an answer")
        return [answers[owner] for owner in owners]

    def _lack_an_end(self, answers: list[Answer], messages: Sequence[Message], text: str) -> bool:
        """Return whether the marks of answers stop before the token that ends them."""
        last = {answer.message: answer for answer in answers}.values()
        return any(
            not text.endswith(self._control_tokens, each.start, each.end)
            and text[each.end :].lstrip().startswith(self._control_tokens)
            and _squeezed(messages[each.message].get("content") or "").endswith(_squeezed(text[each.start : each.end]))
            for each in last
        )

    def _end_of_shorter(self, messages: Sequence[Message], tools: Tools | None, text: str) -> int:
        """Return how much of a text is the same for its first messages alone."""
        shorter = self._template.write(messages, tools).text if messages else ""
        return next((at for at, (one, other) in enumerate(zip(shorter, text, strict=False)) if one != other), len(shorter))

    def _derived(self, messages: Sequence[Message], tools: Tools | None, text: str) -> list[Answer]:
        end_token = self.end_token(tools is not None)
        found: list[Answer] = []
        for position, message in enumerate(messages):
            if message["role"] == "assistant":
                start = self._start(messages, tools, position, text)
                body, ends, _ = text[start:].partition(end_token)
                if not ends:
                    raise Unfound(f"the chat template does not end {shown(messages, position)} with {end_token.strip()}")
                answer = Answer(position, start, start + len(body) + len(ends))
                self._check(messages, tools, text, answer, body)
                found.append(answer)
        if any(later.start < earlier.end for earlier, later in pairwise(found)):
            raise Unfound("the chat template does not write the answers one after another")
        return [*found[:-1], self._with_the_end_of_all(found[-1], messages, text)] if found else []

    def _start(self, messages: Sequence[Message], tools: Tools | None, position: int, text: str) -> int:
        """Return where an answer begins: after all that the template writes to open it, or else where its content begins."""
        try:
            opening = self._template.write(messages[:position], tools, opens_answer=True).text if position else None
        except TemplateError:
            opening = None
        if opening is not None and text.startswith(opening):
            return len(opening)
        # Some templates open an answer with more than they write for a finished one, or write earlier turns in two ways.
        start = self._place_of(messages, tools, position, text)
        if start is None:
            what = shown(messages, position)
            raise Unfound(f"the chat template writes what precedes {what} differently once other messages follow")
        return start

    def _place_of(self, messages: Sequence[Message], tools: Tools | None, position: int, text: str) -> int | None:
        """Return where a message's content begins; None if the text before it depends on the content."""
        other = self._template.write(with_content(messages, position, ELSEWHERE), tools).text
        start = other.find(ELSEWHERE)
        return start if start >= 0 and other.count(ELSEWHERE) == 1 and text[:start] == other[:start] else None

    def _check(self, messages: Sequence[Message], tools: Tools | None, text: str, answer: Answer, body: str) -> None:
        """Refuse a part of a text that is not this answer alone."""
        message, what = messages[answer.message], shown(messages, answer.message)
        if message.get("tool_calls"):
            # What a template makes of calls cannot be compared, so the next message must not be in it.
            is_last = answer.message + 1 == len(messages)
            after = None if is_last else self._place_of(messages, tools, answer.message + 1, text)
            is_whole = is_last or (after is not None and after >= answer.end)
            is_whole = is_whole and _squeezed(message.get("content") or "") in _squeezed(body)
        else:
            is_whole = _is_end_of(message["content"], text[: answer.start], body)
        if not is_whole:
            raise Unfound(f"the chat template does not write {what} as it is, with its end token after it")

    def _with_the_end_of_all(self, answer: Answer, messages: Sequence[Message], text: str) -> Answer:
        """Include the token that some templates write once, at the end of a dialogue that ends with an answer."""
        is_last = answer.message + 1 == len(messages)
        ends = is_last and text[answer.end :].strip() == self._eos_token
        return answer._replace(end=len(text.rstrip())) if ends else answer


def shown(messages: Sequence[Message], position: int) -> str:
    """Name a message of a dialogue for people, who count from 1."""
    return f"message {position + 1} ({messages[position]['role']})"


def with_content(messages: Sequence[Message], position: int, content: str) -> list[Message]:
    """Return the messages with another content in one of them."""
    return [*messages[:position], {**messages[position], "content": content}, *messages[position + 1 :]]


def _after_an_answer(template: ChatTemplate, has_tools: bool) -> str:
    reason = ""
    for probe in _PROBES:
        try:
            _, is_written, after = template.write(probe, [] if has_tools else None).text.partition(ELSEWHERE)
        except TemplateError as error:
            reason = reason or f" ({error.message})"
            continue
        if is_written:
            return after
    raise Unfound(f"the chat template does not write a question and its answer{reason}")


def _is_end_of(content: str, before: str, body: str) -> bool:
    """Return whether a content is the last that is written, whatever the white space in it; `before` may hold its beginning."""
    if body.rstrip().endswith(content.strip()):
        return True
    whole, written = _squeezed(content), _squeezed(body)
    return written.endswith(whole) or bool(written and whole.endswith(written) and _squeezed(before + body).endswith(whole))


def _squeezed(text: str) -> str:
    return "".join(text.split())
