"""Direct preference optimization on pairs of answers."""

import sys
from pathlib import Path
from typing import Any

from accelerate import PartialState
from alignment_api.run_config import RunConfig
from alignment_api.spec.batch import pair_tokens
from transformers import AutoConfig, TrainingArguments

from alignment_trainer.data import dataset
from alignment_trainer.models import memory, merging
from alignment_trainer.models.adapters import lora, with_adapter
from alignment_trainer.models.loading import load_model
from alignment_trainer.models.start import check_start, start_folder
from alignment_trainer.models.templates import template_hash
from alignment_trainer.models.tokenizer import check_vocabulary, load_tokenizer
from alignment_trainer.preference.losses import Objective
from alignment_trainer.preference.model import unfit
from alignment_trainer.preference.padded import PaddedTrainer, padded_arguments
from alignment_trainer.preference.reference import reference_of
from alignment_trainer.preference.trainer import PackedTrainer
from alignment_trainer.settings.training import DpoSettings, Settings, dpo_settings, training_settings
from alignment_trainer.training import deepspeed, publishing
from alignment_trainer.training.arguments import training_arguments
from alignment_trainer.training.publishing import Trained
from alignment_trainer.training.run import find_checkpoint, train


def run(config: RunConfig) -> None:
    """Train the stage and publish its model; by then nothing is left of what trained it."""
    trained = _train(config)
    publishing.publish(config, trained)


def _train(config: RunConfig) -> Trained:
    settings, own = training_settings(config), dpo_settings(config)
    objective = Objective(own.loss, own.beta, own.label_smoothing)
    checkpoint = find_checkpoint(config, settings)
    start = start_folder(config)
    packs = _packs(start, settings, own)
    common = training_arguments(config, settings, is_resumed=checkpoint is not None)
    arguments = TrainingArguments(**common) if packs else padded_arguments(common, objective, settings.max_length)
    deepspeed.initialize(settings)

    memory.check(config, start)
    start_digest = check_start(config, start, checkpoint)
    merging.check(start, settings)
    tokenizer = load_tokenizer(start, settings, needs_marks=False)
    rows = dataset.dpo_data(config, settings, tokenizer)
    model = load_model(start, settings)
    check_vocabulary(model, tokenizer)

    adapter = lora(settings, model)
    parts: dict[str, Any] = {
        # What holds the policy back is the model it starts from; beside an adapter that is the model without it.
        "reference": reference_of(config, settings, start, start_digest, template_hash(tokenizer.chat_template), packs),
        "rows_per_step": settings.global_batch_size,
        "args": arguments,
        "train_dataset": rows.train,
        "eval_dataset": rows.held_out,
        "processing_class": tokenizer,
    }
    if packs:
        most_tokens = pair_tokens(settings.micro_batch_size, settings.max_length)
        adapted = with_adapter(model, adapter, settings)
        trainer: Any = PackedTrainer(objective=objective, most_tokens=most_tokens, model=adapted, **parts)
    else:
        trainer = PaddedTrainer(model=model, peft_config=adapter, **parts)
    train(trainer, config, settings, checkpoint, rows, start)
    deepspeed.release(trainer)
    return Trained(settings, tokenizer, rows.report, start, start_digest)


def _packs(start: Path, settings: Settings, own: DpoSettings) -> bool:
    if own.batching == "Padded":
        return False
    reason = unfit(AutoConfig.from_pretrained(start, trust_remote_code=False), settings.max_length)
    if reason and PartialState().is_main_process:
        print(f"{settings.path}.batching: pairs are padded, since {reason}", file=sys.stderr, flush=True)
    return reason is None
