"""Has trainers report exact means, in place of what TRL and transformers make of micro batches."""

from typing import Any

import torch

from alignment_trainer.training.peak_memory import peak_memory
from alignment_trainer.training.sums import Measured, Sums
from alignment_trainer.workspace.activity import counted


class Measuring:
    """Goes before a trainer; how the loss is computed and what is trained stay as they are.

    TRL averages the means of micro batches as each process gathered them: rows that fill the last batch up count twice there,
    and short batches as much as full ones.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._trained, self._evaluated = Sums(), Sums()
        self._answer: Any = None
        self.model.register_forward_hook(self._keep)  # type: ignore[attr-defined]

    def measure(self, inputs: dict[str, Any], answer: Any, loss: torch.Tensor) -> dict[str, Measured]:
        """Measure a micro batch from what the model answered."""
        raise NotImplementedError

    def compute_loss(self, model: Any, inputs: dict[str, Any], *arguments: Any, **options: Any) -> Any:
        """Compute the loss as ever, and look at what the model answered on the way."""
        loss = super().compute_loss(model, inputs, *arguments, **options)  # type: ignore[misc]
        with torch.no_grad():
            measured = self.measure(inputs, self._answer, loss.detach())
            sums = self._trained if self.model.training else self._evaluated  # type: ignore[attr-defined]
            sums.add(measured, weight=int(self.current.counts))  # type: ignore[attr-defined]
        # It holds tensors of all tokens, which nobody needs any more.
        self._answer = None
        return loss

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Evaluate each held-out row once."""
        trainer: Any = self
        model, rows = trainer.model_wrapped, trainer.eval_dataset
        model.eval()
        rounds = trainer.deal(rows, range(len(rows)))
        for dealt in counted(rounds, "evaluating", len(rounds), "batches"):
            trainer.current = trainer.share(rows, dealt, len(rows))
            with torch.no_grad():
                trainer.compute_loss(model, trainer._prepare_inputs(trainer.current.inputs))
        found = {f"eval_{name}": value for name, value in self._evaluated.take().items()}
        trainer.log(found)
        trainer.control = trainer.callback_handler.on_evaluate(trainer.args, trainer.state, trainer.control, found)
        return found

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Report our own means in place of TRL's."""
        trainer: Any = self
        for means in getattr(trainer, "_metrics", {}).values():
            means.clear()
        if "loss" in logs:
            logs |= self._trained.take() | peak_memory()
        super().log(logs, start_time)  # type: ignore[misc]

    def _keep(self, module: Any, arguments: Any, output: Any) -> None:
        # Only the forward for the loss answers so; the one that generates text gives logits.
        if getattr(output, "log_probs", None) is not None:
            self._answer = output
