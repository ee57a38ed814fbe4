"""Direct preference optimization on pairs of answers."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from accelerate import PartialState
from alignment_api.run_config import RunConfig
from alignment_api.spec.batch import pair_tokens
from transformers import AutoConfig, TrainerCallback, TrainingArguments

from alignment_trainer.data.dataset import Data, dpo_data
from alignment_trainer.models.adapters import lora, with_adapter
from alignment_trainer.preference.losses import Objective
from alignment_trainer.preference.model import unfit
from alignment_trainer.preference.padded import PaddedTrainer, padded_arguments
from alignment_trainer.preference.reference import Reference, reference_of
from alignment_trainer.preference.trainer import PackedTrainer
from alignment_trainer.settings.training import dpo_settings
from alignment_trainer.templates.source import template_hash
from alignment_trainer.training import recipe
from alignment_trainer.training.recipe import Loaded, Start


def run(config: RunConfig) -> None:
    """Train the stage and publish its model."""
    recipe.run(config, Dpo(config))


class ReferenceModel(NamedTuple):
    """Another reference than the model that the training starts from; its values of all pairs are in the cache."""

    folder: Path
    weights: str
    """Their hash."""


class Dpo:
    """What preference optimization adds to the recipe."""

    needs_answers = False

    def __init__(
        self, config: RunConfig, reference: ReferenceModel | None = None, watchers: Sequence[TrainerCallback] = ()
    ) -> None:
        own = dpo_settings(config)
        self._other, self._watchers = reference, watchers
        self._objective = Objective(own.loss, own.beta, own.label_smoothing)
        self._packs = own.batching == "Packed"

    def arguments(self, start: Start, common: dict[str, Any]) -> TrainingArguments:
        self._packs = self._packs and _can_pack(start)
        return (
            TrainingArguments(**common) if self._packs else padded_arguments(common, self._objective, start.settings.max_length)
        )

    def data(self, start: Start, tokenizer: Any) -> Data:
        return dpo_data(start.config, start.settings, tokenizer)

    def trainer(self, loaded: Loaded) -> PackedTrainer | PaddedTrainer:
        trainer = self._trainer(loaded)
        for watcher in self._watchers:
            trainer.add_callback(watcher)
        return trainer

    def _trainer(self, loaded: Loaded) -> PackedTrainer | PaddedTrainer:
        settings = loaded.start.settings
        adapter, reference = lora(settings, loaded.model), self._reference(loaded)
        if not self._packs:
            return PaddedTrainer(reference=reference, model=loaded.model, peft_config=adapter, **loaded.common)
        return PackedTrainer(
            reference=reference,
            objective=self._objective,
            most_tokens=pair_tokens(settings.micro_batch_size, settings.max_length),
            model=with_adapter(loaded.model, adapter, settings),
            **loaded.common,
        )

    def _reference(self, loaded: Loaded) -> Reference:
        """Describe the reference: by default the model that the stage starts from; with an adapter, the model without it."""
        config, settings, folder = loaded.start
        folder, weights = self._other or (folder, loaded.weights_hash)
        template = template_hash(loaded.tokenizer.chat_template)
        return reference_of(config, settings, folder, weights, template, self._packs, is_of_start=self._other is None)


def _can_pack(start: Start) -> bool:
    reason = unfit(AutoConfig.from_pretrained(start.folder, trust_remote_code=False), start.settings.max_length)
    if reason and PartialState().is_main_process:
        print(f"{start.settings.path}.batching: pairs are padded, since {reason}", file=sys.stderr, flush=True)
    return reason is None
