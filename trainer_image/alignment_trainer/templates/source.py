"""Which text of a chat template is used, whether it has marks, and its hash."""

import hashlib
import json
import re

from alignment_trainer.model_folder.chat_template import Source

NO_TEMPLATE = "is a dialogue, but the model's tokenizer has no chat template; set spec.model.chatTemplate to Zephyr or ChatML"
"""Completes a sentence that begins with the place of a row."""

# Of several names, transformers takes one for dialogues with tools, and the other for all dialogues without.
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
