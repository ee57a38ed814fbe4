"""Checks the files of a tokenizer, without loading it."""

from pathlib import Path
from typing import Any

from alignment_api.problems import first_line

from alignment_trainer.model_folder.chat_template import COPY_TOKENIZER as _COPY
from alignment_trainer.model_folder.chat_template import SETTINGS, read_chat_template
from alignment_trainer.model_folder.configuration import size_of
from alignment_trainer.model_folder.documents import Unfit, check_file, read_object

TOKENIZER = "tokenizer.json"
_TOKENIZERS = (TOKENIZER, "tokenizer.model", "vocab.json")
_SETTINGS = (SETTINGS, "special_tokens_map.json", "added_tokens.json")


def check_tokenizer(folder: Path, config: dict[str, Any]) -> None:
    """Refuse a tokenizer that is missing or damaged, or that has tokens which the model does not have."""
    for file in _TOKENIZERS:
        check_file(folder / file)
    if not any((folder / file).exists() for file in _TOKENIZERS):
        raise Unfit(f"has no tokenizer ({' or '.join(_TOKENIZERS)}); copy the whole model folder")
    for file in _SETTINGS:
        if (folder / file).exists():
            read_object(folder / file, _COPY)
    if (folder / TOKENIZER).exists():
        _check_tokens(read_object(folder / TOKENIZER, _COPY), config)
        _check_readable(folder / TOKENIZER)
    read_chat_template(folder)


def _check_readable(path: Path) -> None:
    # Here, since only this check needs the library.
    from tokenizers import Tokenizer

    try:
        Tokenizer.from_file(str(path))
    # The library raises nothing more exact.
    except Exception as error:
        raise Unfit(f"has a {path.name} that is no tokenizer ({first_line(error)}); {_COPY}") from None


def _check_tokens(document: dict[str, Any], config: dict[str, Any]) -> None:
    model = document.get("model")
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    if not isinstance(vocabulary, dict | list) or not vocabulary:
        raise Unfit(f"has a {TOKENIZER} without model.vocab, which lists its tokens; {_COPY}")
    added = document.get("added_tokens") or []
    try:
        numbers = [
            *(vocabulary.values() if isinstance(vocabulary, dict) else range(len(vocabulary))),
            *(each["id"] for each in added),
        ]
        tokens = max(numbers) + 1
    except (KeyError, TypeError):
        raise Unfit(f"has a {TOKENIZER} whose tokens have no numbers; {_COPY}") from None
    rows = size_of(config, "vocab_size")
    if type(rows) is int and tokens > rows:
        raise Unfit(f"has a tokenizer of {tokens} tokens for a model of {rows}; copy the tokenizer that belongs to the model")
