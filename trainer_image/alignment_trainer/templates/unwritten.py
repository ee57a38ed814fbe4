"""What a row has that its chat template does not write, so that the model would not see it."""

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
    for position, message in enumerate(messages):
        content = message.get("content")
        is_written = not content or content.strip() in text
        # Where it is written in another way, such as within JSON, another content changes the text.
        if not is_written and not _differs(template, with_content(messages, position, ELSEWHERE), tools, text):
            return shown(messages, position)
        if message.get("tool_calls") and not _writes_calls(template, messages, position, tools, text):
            return f"the tool calls of {shown(messages, position)}"
    return None


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
