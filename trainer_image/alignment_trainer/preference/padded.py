"""Trains on padded pairs with TRL, for models that cannot take packed ones; only this module depends on TRL's internals."""

from collections.abc import Sequence
from typing import Any

import torch
from accelerate.utils import send_to_device
from trl import DPOConfig, DPOTrainer
from trl.models import prepare_deepspeed

from alignment_trainer.preference.losses import Objective
from alignment_trainer.preference.model import disable_dropout
from alignment_trainer.preference.reference import REFERENCE_COLUMNS, Reference
from alignment_trainer.training import dealing, measurements
from alignment_trainer.training.dealing import Deal
from alignment_trainer.training.exact_means import Measured, Measuring
from alignment_trainer.training.stepping import Stepping

_LOSSES = {
    "Sigmoid": "sigmoid",
    "IPO": "ipo",
    "Hinge": "hinge",
    "Robust": "robust",
    "APOZero": "apo_zero",
    "APODown": "apo_down",
}


def padded_arguments(arguments: dict[str, Any], objective: Objective, max_length: int) -> DPOConfig:
    """Return TRL's arguments."""
    return DPOConfig(
        **arguments,
        max_length=max_length,
        beta=objective.beta,
        loss_type=[_LOSSES[objective.loss]],
        label_smoothing=objective.label_smoothing,
        disable_dropout=True,
        precompute_ref_log_probs=True,
    )


class PaddedTrainer(Stepping, Measuring, DPOTrainer):  # type: ignore[misc]
    """TRL's trainer on rows that are tokens already, with our cached reference values instead of TRL's own."""

    _precompute_engine: Any

    def __init__(self, reference: Reference, **arguments: Any) -> None:
        self._reference = reference
        # TRL turns Dropout modules off, but leaves the dropout inside attention on.
        disable_dropout(arguments["model"])
        super().__init__(**arguments)

    def measure(self, inputs: dict[str, Any], answer: Any, loss: torch.Tensor) -> dict[str, Measured]:
        """Measure pairs."""
        return measurements.of_pairs(inputs, measurements.padded_answers(answer), loss, self.beta)

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset

    def _prepare_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        # With DeepSpeed, transformers casts all tensors to the weights' 16 bits, which is too coarse for these values.
        kept = {name: inputs[name].to(self.args.device) for name in REFERENCE_COLUMNS}
        return {**super()._prepare_inputs(inputs), **kept}

    def _precompute_ref_logps(self, dataset: Any, name: str, batch_size: int) -> Any:
        def deal(tokens: Sequence[int]) -> list[Deal]:
            by_length = sorted(range(len(tokens)), key=lambda row: (-tokens[row], row))
            return dealing.deal(by_length, batch_size, self.args.process_index, self.args.world_size)

        return self._reference.of(dataset, deal, self._reference_values)

    def _reference_values(self, rows: list[dict[str, Any]]) -> torch.Tensor:
        if self.is_deepspeed_enabled and self._precompute_engine is None:
            # Before training, DeepSpeed's weights are sharded or still on the host; this engine can compute with them.
            self._precompute_engine = prepare_deepspeed(self.model, self.accelerator)
        batch = send_to_device(self.data_collator(rows), self.accelerator.device)
        return torch.stack(self.compute_ref_log_probs(self._precompute_engine or self.model, batch), dim=1)
