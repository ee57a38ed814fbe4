"""Makes trainers report exact means: sums and counts over micro-batches and processes, divided once."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from accelerate import PartialState

from alignment_trainer.training.hardware import peak_memory
from alignment_trainer.training.trainer_members import SteppingBase
from alignment_trainer.workspace.activity import counted


class Measured(NamedTuple):
    """A sum, and the number of rows or tokens it is over; without that number it is an amount and not divided."""

    total: torch.Tensor
    over: torch.Tensor | None = None


class Sums:
    """Sums since they were last taken; all processes must add the same names."""

    def __init__(self) -> None:
        self._sums: dict[str, torch.Tensor] = {}
        self._amounts: set[str] = set()

    def add(self, measured: Mapping[str, Measured], weight: int = 1) -> None:
        """Add the measurements of one micro-batch; weight 0 adds only their names."""
        for name, (total, over) in measured.items():
            if over is None:
                self._amounts.add(name)
            pair = torch.stack([total.double(), torch.zeros_like(total) if over is None else over]).double() * weight
            self._sums[name] = self._sums[name] + pair if name in self._sums else pair

    def take(self) -> dict[str, float]:
        """Return means and amounts over all processes, and reset; a mean over no rows is left out."""
        names = sorted(self._sums)
        if not names:
            return {}
        table = torch.stack([self._sums[name] for name in names])
        self._sums = {}
        if PartialState().num_processes > 1:
            torch.distributed.all_reduce(table)
        return {
            name: total if name in self._amounts else total / count
            for name, (total, count) in zip(names, table.tolist(), strict=True)
            if count or name in self._amounts
        }


class Measuring(SteppingBase):
    """A mixin before a trainer that replaces what is reported; the loss and the training stay the trainer's own.

    TRL averages the means of the gathered micro-batches: rows that pad the last batch count twice, and short batches count as
    much as full ones.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._trained, self._evaluated = Sums(), Sums()
        self._answer: Any = None
        self.model.register_forward_hook(self._keep)

    def measure(self, inputs: dict[str, Any], answer: Any, loss: torch.Tensor) -> dict[str, Measured]:
        """Measure a micro-batch from the model's output."""
        raise NotImplementedError

    def compute_loss(self, model: Any, inputs: dict[str, Any], *arguments: Any, **options: Any) -> Any:
        """Compute the trainer's loss, and measure the model's output on the way."""
        loss = super().compute_loss(model, inputs, *arguments, **options)
        assert self.current is not None
        with torch.no_grad():
            measured = self.measure(inputs, self._answer, loss.detach())
            sums = self._trained if self.model.training else self._evaluated
            sums.add(measured, weight=int(self.current.counts))
        # It holds tensors of all tokens: free them.
        self._answer = None
        return loss

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Evaluate each held-out row once."""
        model, rows = self.model_wrapped, self.eval_dataset
        model.eval()
        deals = self.deal(rows, range(len(rows)))
        for deal in counted(deals, "evaluating", len(deals), "batches"):
            self.current = self.share(rows, deal, len(rows))
            with torch.no_grad():
                self.compute_loss(model, self._prepare_inputs(self.current.inputs))
        found = {f"eval_{name}": value for name, value in self._evaluated.take().items()}
        self.log(found)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, found)
        return found

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Report our exact means in place of TRL's."""
        for means in getattr(self, "_metrics", {}).values():
            means.clear()
        if "loss" in logs:
            logs |= self._trained.take() | peak_memory()
        super().log(logs, start_time)

    def _keep(self, module: Any, arguments: Any, output: Any) -> None:
        # Only the forward for the loss has log_probs; the forward that generates text returns logits.
        if getattr(output, "log_probs", None) is not None:
            self._answer = output
