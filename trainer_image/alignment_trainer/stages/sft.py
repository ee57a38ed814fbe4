"""Supervised fine-tuning on dialogues."""

from typing import Any

from alignment_api.run_config import RunConfig
from trl import SFTConfig, SFTTrainer

from alignment_trainer.data.dataset import Data, sft_data
from alignment_trainer.models.adapters import lora
from alignment_trainer.models.loading import check_packing
from alignment_trainer.settings.training import sft_settings
from alignment_trainer.training import measurements, recipe
from alignment_trainer.training.exact_means import Measured, Measuring
from alignment_trainer.training.recipe import Loaded, Start
from alignment_trainer.training.stepping import Stepping


def run(config: RunConfig) -> None:
    """Train the stage and publish its model."""
    recipe.run(config, _Sft(config))


class _Sft:
    """What supervised fine-tuning adds to the recipe."""

    def __init__(self, config: RunConfig) -> None:
        self._own = sft_settings(config)
        self.needs_answers = self._own.assistant_only_loss

    def arguments(self, start: Start, common: dict[str, Any]) -> SFTConfig:
        return SFTConfig(
            **common,
            max_length=start.settings.max_length,
            packing=self._own.packing,
            packing_strategy="bfd",
            eval_packing=False,
            # Our rows are tokens already, with labels only where something is to be learned.
            assistant_only_loss=False,
        )

    def data(self, start: Start, tokenizer: Any) -> Data:
        return sft_data(start.config, start.settings, tokenizer)

    def trainer(self, loaded: Loaded) -> "_MeasuredSFTTrainer":
        settings = loaded.start.settings
        if self._own.packing:
            check_packing(loaded.model, settings)
        return _MeasuredSFTTrainer(model=loaded.model, peft_config=lora(settings, loaded.model), **loaded.common)


class _MeasuredSFTTrainer(Stepping, Measuring, SFTTrainer):  # type: ignore[misc]
    def measure(self, inputs: dict[str, Any], answer: Any, loss: Any) -> dict[str, Measured]:
        """Measure dialogues."""
        return measurements.of_dialogues(inputs, answer)
