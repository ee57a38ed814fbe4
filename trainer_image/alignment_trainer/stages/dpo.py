"""Direct preference optimization on pairs of answers."""

from typing import Any

import torch
from accelerate.utils import send_to_device
from alignment_api.run_config import RunConfig
from trl import DPOConfig, DPOTrainer
from trl.models import prepare_deepspeed

from alignment_trainer import data, deepspeed, measurements, memory, models, result
from alignment_trainer.arguments import training_arguments
from alignment_trainer.measuring import Measuring
from alignment_trainer.reference import Reference, reference_of
from alignment_trainer.settings import dpo_settings, training_settings
from alignment_trainer.sums import Measured
from alignment_trainer.templates import template_hash
from alignment_trainer.training import find_checkpoint, train

_LOSSES = {
    "Sigmoid": "sigmoid",
    "IPO": "ipo",
    "Hinge": "hinge",
    "Robust": "robust",
    "APOZero": "apo_zero",
    "APODown": "apo_down",
}


class _PreparedDPOTrainer(Measuring, DPOTrainer):  # type: ignore[misc]
    """Takes rows as tokens, as our data come, and reference values as they are kept; TRL would make both on its own terms."""

    _precompute_engine: Any

    def __init__(self, reference: Reference, **arguments: Any) -> None:
        self._reference = reference
        super().__init__(**arguments)

    def measure(self, inputs: dict[str, Any], answer: Any, loss: Any) -> dict[str, Measured]:
        """Measure pairs; the reference's log-probabilities come with the rows."""
        return measurements.of_pairs(inputs, answer, loss, self.beta)

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset

    def _precompute_ref_logps(self, dataset: Any, name: str, batch_size: int) -> Any:
        return self._reference.of(dataset, batch_size, self._reference_values)

    def _reference_values(self, rows: list[dict[str, Any]]) -> tuple[torch.Tensor, torch.Tensor]:
        if self.is_deepspeed_enabled and self._precompute_engine is None:
            # Before training, DeepSpeed's weights are shared out or still on the host; this engine can compute with them.
            self._precompute_engine = prepare_deepspeed(self.model, self.accelerator)
        batch = send_to_device(self.data_collator(rows), self.accelerator.device)
        chosen, rejected = self.compute_ref_log_probs(self._precompute_engine or self.model, batch)
        return chosen, rejected


def run(config: RunConfig) -> None:
    """Train the stage and publish its model."""
    settings, own = training_settings(config), dpo_settings(config)
    checkpoint = find_checkpoint(config, settings)
    arguments = DPOConfig(
        **training_arguments(config, settings, is_resumed=checkpoint is not None),
        max_length=settings.max_length,
        beta=own.beta,
        loss_type=[_LOSSES[own.loss]],
        label_smoothing=own.label_smoothing,
        disable_dropout=True,
        precompute_ref_log_probs=True,
    )
    deepspeed.initialize(settings)

    start = models.start_folder(config)
    memory.check(config, start)
    start_digest = result.check_start(start)
    tokenizer = models.load_tokenizer(start, settings, needs_marks=False)
    rows = data.dpo_data(config, settings, tokenizer)
    model = models.load_model(start, settings)
    models.check_vocabulary(model, tokenizer)

    trainer = _PreparedDPOTrainer(
        # What holds the policy back is the model it starts from; beside an adapter that is the model without it.
        reference=reference_of(config, settings, start, start_digest, template_hash(tokenizer.chat_template)),
        model=model,
        args=arguments,
        train_dataset=rows.train,
        eval_dataset=rows.held_out,
        processing_class=tokenizer,
        peft_config=models.lora(settings, model),
    )
    train(trainer, config, settings, checkpoint, rows, start)
    result.publish(config, settings, tokenizer, rows, start, start_digest)
