"""The members of transformers' and TRL's trainers that our mixins use, so that the type checker knows them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from alignment_trainer.training.dealing import Deal


class Share(NamedTuple):
    """The rows that one process computes in one forward, and their weight in the step."""

    inputs: dict[str, Any]
    weight: float
    counts: bool


class TrainerMembers:
    """transformers' Trainer, whose own types the type checker does not read; no Protocol, since mixins call it by super()."""

    model: Any
    model_wrapped: Any
    args: Any
    state: Any
    control: Any
    accelerator: Any
    callback_handler: Any
    data_collator: Any
    train_dataset: Any
    eval_dataset: Any
    processing_class: Any

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Build the trainer."""

    def add_callback(self, callback: Any) -> None:
        """Call a callback from now on."""
        raise NotImplementedError

    def remove_callback(self, callback: Any) -> None:
        """Stop calling a callback."""
        raise NotImplementedError

    def train(self, resume_from_checkpoint: str | None = None) -> Any:
        """Train to the last step."""
        raise NotImplementedError

    def training_step(self, model: Any, inputs: Any, *arguments: Any) -> torch.Tensor:
        """Train on one batch."""
        raise NotImplementedError

    def compute_loss(self, model: Any, inputs: dict[str, Any], *arguments: Any, **options: Any) -> Any:
        """Compute the loss of one batch."""
        raise NotImplementedError

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Report numbers to the callbacks."""
        raise NotImplementedError

    def _prepare_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Move a batch to the device."""
        raise NotImplementedError

    def _remove_unused_columns(self, dataset: Any, description: str | None = None) -> Any:
        """Drop columns that the model does not take."""
        raise NotImplementedError

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> Any:
        """Count the labels of a step; None where the loss does not need it."""
        raise NotImplementedError


class SteppingMembers(TrainerMembers):
    """A trainer with our `Stepping` before it."""

    current: Share | None

    def deal(self, rows: Any, wanted: Sequence[int]) -> list[Deal]:
        """Deal rows to the processes, and return the deals of this one."""
        raise NotImplementedError

    def share(self, rows: Any, deal: Deal, of_rows: int) -> Share:
        """Return what the model takes of a deal."""
        raise NotImplementedError


if TYPE_CHECKING:
    TrainerBase = TrainerMembers
    SteppingBase = SteppingMembers
else:
    # At run time the real trainer is a later base of the same class, and the bodies above must not hide its methods.
    TrainerBase = object
    SteppingBase = object
