"""What a row has that its chat template does not write, so that the model would not see it."""

import re
from collections.abc import Sequence
from typing import Any

from jinja2 import TemplateError

from alignment_trainer.forms.messages import Message
from alignment_trainer.templates.answers import ELSEWHERE, shown, with_content
from alignment_trainer.templates.rendering import ChatTemplate, Tools


def unwritten(template: ChatTemplate, messages: Sequence[Message], tools: Tools | None, text: str) -> str | None:
    """Return the first part of a dialogue that changes nothing in its text, in words; None if all parts are written."""
    if tools and not (all(_name(tool) in text for tool in tools) and _differs(template, messages, None, text)):
        return "tools"
    written = _written_positions(template, messages, tools)
    for position, message in enumerate(messages):
        is_written = not message.get("content") or position in written
        # A template may write a message for some contents only; then another content changes the text.
        if not is_written and not _differs(template, with_content(messages, position, ELSEWHERE), tools, text):
            return shown(messages, position)
        if message.get("tool_calls") and not _writes_calls(template, messages, position, tools, text):
            return f"the tool calls of {shown(messages, position)}"
    return None


def _written_positions(template: ChatTemplate, messages: Sequence[Message], tools: Tools | None) -> set[int]:
    """Return which messages a template writes, tried with other contents: a row's own words may also stand elsewhere."""
    others = [
        {**message, "content": f"zqx{position}wordzqx"} if message.get("content") else message
        for position, message in enumerate(messages)
    ]
    try:
        text = template.write(others, tools).text
    except TemplateError:
        return set()
    return set(map(int, re.findall(r"zqx(\d+)wordzqx", text)))


def _writes_calls(template: ChatTemplate, messages: Sequence[Message], position: int, tools: Tools | None, text: str) -> bool:
    message = messages[position]
    without = [*messages[:position], {**message, "tool_calls": None}, *messages[position + 1 :]]
    return all(_name(call) in text for call in message["tool_calls"]) and _differs(template, without, tools, text)


def _differs(template: ChatTemplate, messages: Sequence[Message], tools: Tools | None, text: str) -> bool:
    try:
        return template.write(messages, tools).text != text
    except TemplateError:
        return True


def _name(tool: dict[str, Any]) -> str:
    return str(tool.get("function", tool).get("name", ""))
