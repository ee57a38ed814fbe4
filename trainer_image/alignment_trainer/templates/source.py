"""A chat template as a tokenizer holds it: one Jinja text, or several by name."""

import hashlib
import json
import re

Source = str | dict[str, str]
"""With several names, transformers takes "tool_use" for dialogues with tools and "default" for all others."""

NO_TEMPLATE = "is a dialogue, but the model's tokenizer has no chat template; set spec.model.chatTemplate to Zephyr or ChatML"
"""Completes a sentence that begins with the place of a row."""

_DEFAULT, _WITH_TOOLS = "default", "tool_use"


def template_hash(source: Source | None) -> str:
    """Hash a template, so that stages can compare theirs."""
    text = json.dumps(source, sort_keys=True) if isinstance(source, dict) else source or ""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def marks_answers(text: str) -> bool:
    """Return whether a template marks which part of a dialogue is an answer."""
    return re.search(r"\{%-?\s*generation\s*-?%\}", text) is not None


def text_for(source: Source, has_tools: bool) -> str | None:
    """Return the text that a dialogue is written with; None if none of the names is for it."""
    if isinstance(source, str):
        return source
    return source[_WITH_TOOLS] if has_tools and _WITH_TOOLS in source else source.get(_DEFAULT)
