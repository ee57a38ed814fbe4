"""Reads the chat template and the control tokens that a model's folder names, as transformers reads them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from alignment_trainer.failures import BadData
from alignment_trainer.templates.source import Source

_TEMPLATE_FILE = "chat_template.jinja"
_MORE_TEMPLATES = "additional_chat_templates"
_USUAL = ("bos_token", "eos_token")


class Named(NamedTuple):
    """What a folder says; a token that only transformers' class of the tokenizer knows is written as its own name."""

    source: Source | None
    special_tokens: dict[str, str]
    """By the names under which templates know them."""
    control_tokens: frozenset[str]


def read_tokenizer_files(folder: Path) -> Named:
    """Read a model's folder."""
    settings = _document(folder / "tokenizer_config.json")
    if "added_tokens_decoder" not in settings:
        settings |= _document(folder / "special_tokens_map.json")
    known = dict(_special_tokens(settings))
    special = {name: f"<{name}>" for name in _USUAL if name not in settings} | known
    added = [*settings.get("added_tokens_decoder", {}).values(), *_document(folder / "tokenizer.json").get("added_tokens", [])]
    control = {token["content"] for token in added if token.get("special")}
    return Named(_source(folder, settings), special, frozenset(control | set(special.values()) | set(_more(settings))))


def _source(folder: Path, settings: dict[str, Any]) -> Source | None:
    files = {path.name.removesuffix(".jinja"): path for path in sorted((folder / _MORE_TEMPLATES).glob("*.jinja"))}
    if (folder / _TEMPLATE_FILE).exists():
        files["default"] = folder / _TEMPLATE_FILE
    if files:
        texts = {name: path.read_text("utf-8") for name, path in files.items()}
        return texts["default"] if list(texts) == ["default"] else texts
    written = settings.get("chat_template")
    return {each["name"]: each["template"] for each in written} if isinstance(written, list) else written


def _special_tokens(settings: dict[str, Any]) -> Iterator[tuple[str, str]]:
    more = settings.get("extra_special_tokens")
    for name, token in {**settings, **(more if isinstance(more, dict) else {})}.items():
        text = _content(token)
        if text and (name.endswith("_token") or (isinstance(more, dict) and name in more)):
            yield name, text


def _more(settings: dict[str, Any]) -> Iterator[str]:
    for name in ("extra_special_tokens", "additional_special_tokens"):
        tokens = settings.get(name) or []
        yield from filter(None, map(_content, tokens if isinstance(tokens, list) else tokens.values()))


def _content(token: Any) -> str | None:
    """Return the text of a token, which is written as itself or with its properties."""
    text = token.get("content") if isinstance(token, dict) else token
    return text if isinstance(text, str) else None


def _document(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        document = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise BadData(f"{path} is not valid JSON ({error}); copy the whole model folder") from error
    if not isinstance(document, dict):
        raise BadData(f"{path} is not a JSON object; copy the whole model folder")
    return document
