"""Loads the tokenizer with the chat template that the job names."""

import json
from pathlib import Path
from typing import Any

from alignment_api.names import MANIFEST_FILE
from transformers import AutoTokenizer
from trl.chat_template_utils import get_training_chat_template

from alignment_trainer.failures import BadConfiguration, BadData
from alignment_trainer.models.templates import NAMED, marks_answers, template_hash
from alignment_trainer.settings.training import Settings


def load_tokenizer(folder: Path, settings: Settings, needs_marks: bool) -> Any:
    """Load the tokenizer and give it the chat template that the job names."""
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    if tokenizer.eos_token_id is None:
        raise BadData(f"{folder}: the tokenizer has no eos_token, so answers would never end; add one to it")
    if settings.chat_template in NAMED:
        tokenizer.chat_template = NAMED[settings.chat_template]
    elif tokenizer.chat_template and needs_marks and not marks_answers(tokenizer.chat_template):
        tokenizer.chat_template = _marked_template(tokenizer)
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


def _marked_template(tokenizer: Any) -> str:
    try:
        template = get_training_chat_template(tokenizer)
    except ValueError as error:
        raise BadConfiguration(
            "spec.model.chatTemplate: the tokenizer's own template does not mark answers with {% generation %}, so "
            "assistantOnlyLoss cannot find them; choose Zephyr or ChatML, or set assistantOnlyLoss to false"
        ) from error
    return str(template or tokenizer.chat_template)


def _check_parent_template(folder: Path, tokenizer: Any) -> None:
    manifest = folder.parent / MANIFEST_FILE
    if not manifest.exists() or "templateHash" not in (document := json.loads(manifest.read_text())):
        return
    if document["templateHash"] != template_hash(tokenizer.chat_template):
        raise BadConfiguration(
            "spec.model.chatTemplate: the previous stage was trained with another template, so its model does "
            "not know this one; use the same template in all stages"
        )
