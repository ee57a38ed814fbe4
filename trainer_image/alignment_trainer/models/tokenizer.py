"""Loads the tokenizer with the chat template that the job names."""

import json
from pathlib import Path
from typing import Any

from alignment_api.names import MANIFEST_FILE
from transformers import AutoTokenizer

from alignment_trainer.failures import BadConfiguration, BadData
from alignment_trainer.model_folder.chat_template import Named
from alignment_trainer.templates.fitness import template_fault
from alignment_trainer.templates.named import NAMED
from alignment_trainer.templates.source import template_hash


def load_tokenizer(folder: Path, chat_template: str, needs_answers: bool) -> Any:
    """Load the tokenizer and give it the chat template that the job names."""
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    if tokenizer.eos_token_id is None:
        raise BadData(f"{folder}: the tokenizer has no eos_token, so answers would never end; add one to it")
    if chat_template in NAMED:
        tokenizer.chat_template = NAMED[chat_template]
    else:
        _check_own_template(tokenizer, needs_answers)
    # Padding is recognized by length alone, so it may be the token that ends texts.
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    tokenizer.padding_side = "right"
    _check_parent_template(folder, tokenizer)
    return tokenizer


def check_vocabulary(model: Any, tokenizer: Any) -> None:
    """Refuse a tokenizer that has more tokens than the model."""
    rows = model.config.get_text_config().vocab_size
    if len(tokenizer) > rows:
        raise BadData(
            f"the tokenizer has {len(tokenizer)} tokens and the model only {rows}; copy the tokenizer that belongs to the model"
        )


def control_tokens(tokenizer: Any) -> frozenset[str]:
    """Return the tokens that only a chat template may write; added tokens that are not special, such as <think>, are words."""
    special = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    return frozenset(token for token in special | set(tokenizer.all_special_tokens) if token.strip())


def _check_own_template(tokenizer: Any, needs_answers: bool) -> None:
    """Check what preflight checked, now with the tokenizer itself; a model of the Hub was not there yet."""
    own = Named(tokenizer.chat_template, tokenizer.special_tokens_map, control_tokens(tokenizer))
    fault = template_fault(own, needs_answers)
    if fault:
        raise BadConfiguration(f"spec.model.chatTemplate: {fault}")


def _check_parent_template(folder: Path, tokenizer: Any) -> None:
    manifest = folder.parent / MANIFEST_FILE
    if not manifest.exists() or "templateHash" not in (document := json.loads(manifest.read_text())):
        return
    if document["templateHash"] != template_hash(tokenizer.chat_template):
        raise BadConfiguration(
            "spec.model.chatTemplate: the previous stage was trained with another template, so its model does "
            "not know this one; use the same template in all stages"
        )
