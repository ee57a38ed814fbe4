"""Trains on packed pairs: a row holds as many pairs as its token limit allows, and the reference uses the same forward."""

import contextlib
from collections.abc import Sequence
from typing import Any

import torch
from accelerate.utils import send_to_device
from peft import PeftModel
from transformers import Trainer
from trl.models import prepare_deepspeed

from alignment_trainer.preference.layout import lay_out
from alignment_trainer.preference.losses import Moves, Objective, pair_losses
from alignment_trainer.preference.model import PairModel, disable_dropout
from alignment_trainer.preference.plan import plan
from alignment_trainer.preference.reference import REFERENCE_COLUMNS, Reference, RowsWithReference
from alignment_trainer.training import measurements
from alignment_trainer.training.dealing import Deal
from alignment_trainer.training.exact_means import Measured, Measuring
from alignment_trainer.training.measurements import AnswerSums
from alignment_trainer.training.stepping import Stepping


class PairTrainer(Trainer):  # type: ignore[misc]
    """A trainer of transformers whose batch is one row of pairs."""

    def __init__(self, objective: Objective, **arguments: Any) -> None:
        self.objective = objective
        self._answer: AnswerSums | None = None
        model = arguments["model"]
        disable_dropout(model)
        self._pairs = PairModel(model.get_base_model() if isinstance(model, PeftModel) else model)
        super().__init__(data_collator=_row_of, **arguments)

    def compute_loss(self, model: Any, inputs: dict[str, Any], *_: Any, **__: Any) -> torch.Tensor:
        """Compute the mean loss of a row's pairs."""
        before = measurements.reference_of(inputs)

        def losses(log_probabilities: torch.Tensor, pairs: range) -> torch.Tensor:
            moved = log_probabilities - before[pairs.start : pairs.stop]
            return pair_losses(Moves(moved, inputs["lengths"][pairs.start : pairs.stop]), *self.objective)

        loss, self._answer = self._pairs.ask(model, inputs, losses)
        return loss

    def reference_values(self, model: Any, pairs: list[dict[str, Any]]) -> torch.Tensor:
        """Return the log-probabilities of answers under the model that training starts from."""
        inputs = send_to_device(_row_of(pairs), self.accelerator.device)
        model.eval()
        without_adapter = self.model.disable_adapter() if isinstance(self.model, PeftModel) else contextlib.nullcontext()
        with torch.no_grad(), without_adapter, self.accelerator.autocast():
            _, answers = self._pairs.ask(model, inputs, None)
        return answers.log_probabilities


class PackedTrainer(Stepping, Measuring, PairTrainer):
    """Packs pairs, and has the reference's values of all pairs before it trains."""

    def __init__(self, reference: Reference, most_tokens: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._most_tokens = most_tokens
        model: Any = None

        def ask(pairs: list[dict[str, Any]]) -> torch.Tensor:
            # Prepared only if some values are not cached yet, and freed before training.
            nonlocal model
            if model is None:
                model = self._model_to_ask()
            return self.reference_values(model, pairs)

        rows, held_out = arguments["train_dataset"], arguments["eval_dataset"]
        self.train_dataset = reference.of(rows, self.deal_all, ask)
        self.eval_dataset = None if held_out is None else reference.of(held_out, self.deal_all, ask)

    def _model_to_ask(self) -> Any:
        # Before training, DeepSpeed's weights are sharded or still on the host; this engine can compute with them.
        return prepare_deepspeed(self.model, self.accelerator) if self.is_deepspeed_enabled else self.model

    def deal(self, rows: RowsWithReference, wanted: Sequence[int]) -> list[Deal]:
        """Deal pairs to the processes by their tokens."""
        return self._dealt(wanted, rows.tokens)

    def deal_all(self, tokens: Sequence[int]) -> list[Deal]:
        """Deal all pairs to the processes, for the reference's forwards."""
        return self._dealt(range(len(tokens)), tokens)

    def _dealt(self, wanted: Sequence[int], tokens: Sequence[int]) -> list[Deal]:
        return plan(wanted, tokens, self._most_tokens, self.args.process_index, self.args.world_size)

    def measure(self, inputs: dict[str, Any], answer: Any, loss: torch.Tensor) -> dict[str, Measured]:
        """Measure pairs."""
        return measurements.of_pairs(inputs, answer, loss, self.objective.beta)


def _row_of(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    # Lists, not tensors: with DeepSpeed, transformers would cast tensors to the weights' 16 bits.
    before = {name: [pair[name] for pair in pairs] for name in REFERENCE_COLUMNS if name in pairs[0]}
    return {**lay_out(pairs), **before}
