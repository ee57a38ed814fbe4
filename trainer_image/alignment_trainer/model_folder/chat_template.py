"""Reads the chat template and the control tokens that a model's folder names, as transformers reads them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from alignment_trainer.model_folder.documents import Unfit, check_file, read_object

Source = str | dict[str, str]
"""A template as a tokenizer holds it: one Jinja text, or several by name."""

COPY_TOKENIZER = "copy the tokenizer's files again"
SETTINGS = "tokenizer_config.json"
_MAP, _TOKENIZER = "special_tokens_map.json", "tokenizer.json"
_TEMPLATE_FILE = "chat_template.jinja"
_MORE_TEMPLATES = "additional_chat_templates"
_USUAL = ("bos_token", "eos_token")


class Named(NamedTuple):
    """What a folder says; a token that only transformers' class of the tokenizer knows is written as its own name."""

    source: Source | None
    special_tokens: dict[str, str]
    """By the names under which templates know them."""
    control_tokens: frozenset[str]


def read_chat_template(folder: Path) -> Named:
    """Read a model's folder; Unfit: a file is damaged."""
    settings = _settings(folder)
    known = dict(_special_tokens(settings))
    special = {name: f"<{name}>" for name in _USUAL if name not in settings} | known
    control = {token["content"] for token in _added_tokens(folder, settings) if token.get("special")}
    return Named(_source(folder, settings), special, frozenset(control | set(special.values()) | set(_more(settings))))


def read_source(folder: Path) -> Source | None:
    """Read only the template, without the tokens of its tokenizer, whose file is large; Unfit: a file is damaged."""
    return _source(folder, _settings(folder))


def _settings(folder: Path) -> dict[str, Any]:
    settings = _document(folder / SETTINGS)
    return settings if "added_tokens_decoder" in settings else settings | _document(folder / _MAP)


def _added_tokens(folder: Path, settings: dict[str, Any]) -> list[dict[str, Any]]:
    decoder = settings.get("added_tokens_decoder") or {}
    if not isinstance(decoder, dict) or not _are_tokens(list(decoder.values())):
        raise Unfit(f"has a {SETTINGS} whose added_tokens_decoder is no object of tokens with their content; {COPY_TOKENIZER}")
    added = _document(folder / _TOKENIZER).get("added_tokens") or []
    if not isinstance(added, list) or not _are_tokens(added):
        raise Unfit(f"has a {_TOKENIZER} whose added_tokens is no list of tokens with their content; {COPY_TOKENIZER}")
    return [*decoder.values(), *added]


def _are_tokens(values: list[Any]) -> bool:
    return all(isinstance(value, dict) and isinstance(value.get("content"), str) for value in values)


def _source(folder: Path, settings: dict[str, Any]) -> Source | None:
    files = {path.name.removesuffix(".jinja"): path for path in sorted((folder / _MORE_TEMPLATES).glob("*.jinja"))}
    check_file(folder / _TEMPLATE_FILE)
    if (folder / _TEMPLATE_FILE).exists():
        files["default"] = folder / _TEMPLATE_FILE
    if files:
        texts = {name: _text(path) for name, path in files.items()}
        return texts["default"] if list(texts) == ["default"] else texts
    return _source_in(settings.get("chat_template"))


def _source_in(written: Any) -> Source | None:
    if written is None or isinstance(written, str):
        return written
    templates = written if isinstance(written, list) else [None]
    named: dict[Any, Any] = {each.get("name"): each.get("template") for each in templates if isinstance(each, dict)}
    if len(named) < len(templates) or not all(isinstance(text, str) for each in named.items() for text in each):
        raise Unfit(
            f"has a {SETTINGS} whose chat_template is neither a text nor a list of templates, each with another name and "
            f"its template; {COPY_TOKENIZER}"
        )
    return named


def _text(path: Path) -> str:
    check_file(path)
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise Unfit(f"has a {path.name} that is no text in UTF-8; {COPY_TOKENIZER}") from None


def _special_tokens(settings: dict[str, Any]) -> Iterator[tuple[str, str]]:
    more = settings.get("extra_special_tokens")
    for name, token in {**settings, **(more if isinstance(more, dict) else {})}.items():
        text = _content(token)
        if text and (name.endswith("_token") or (isinstance(more, dict) and name in more)):
            yield name, text


def _more(settings: dict[str, Any]) -> Iterator[str]:
    for name in ("extra_special_tokens", "additional_special_tokens"):
        tokens = settings.get(name) or []
        if not isinstance(tokens, list | dict):
            raise Unfit(f"has a {SETTINGS} whose {name} is no list of tokens; {COPY_TOKENIZER}")
        yield from filter(None, map(_content, tokens if isinstance(tokens, list) else tokens.values()))


def _content(token: Any) -> str | None:
    """Return the text of a token, which is written as itself or with its properties."""
    text = token.get("content") if isinstance(token, dict) else token
    return text if isinstance(text, str) else None


def _document(path: Path) -> dict[str, Any]:
    check_file(path)
    return read_object(path, COPY_TOKENIZER) if path.exists() else {}
