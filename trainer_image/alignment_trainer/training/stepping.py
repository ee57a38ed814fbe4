"""Makes a step of transformers' trainer learn from the same rows, no matter how many processes and forwards share them."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from accelerate.utils import DistributedType
from datasets import Dataset

from alignment_trainer.data.tokens import IGNORED
from alignment_trainer.training import dealing
from alignment_trainer.training.dealing import Deal, order
from alignment_trainer.training.trainer_members import Share, TrainerBase


class Stepping(TrainerBase):
    """A mixin before a trainer of transformers; a batch is then everything that this process computes in one step.

    transformers alone pads an epoch's last batch with rows that are then learned twice, and weighs short batches like full ones.
    """

    def __init__(self, rows_per_step: int, **arguments: Any) -> None:
        self._rows_per_step = rows_per_step
        self.current: Share | None = None
        super().__init__(**arguments)

    def deal(self, rows: Any, wanted: Sequence[int]) -> list[Deal]:
        """Deal the rows of a step, or of an evaluation, to the processes, and return the deals of this one."""
        return dealing.deal(wanted, self.args.per_device_train_batch_size, self.args.process_index, self.args.world_size)

    def get_train_dataloader(self) -> torch.utils.data.DataLoader[Any]:
        """Load the steps in the order of their rows, which differs in each epoch."""
        rows = self.train_dataset
        if isinstance(rows, Dataset):
            rows = self._remove_unused_columns(rows, description="training")
        steps = _Steps(len(rows), self._rows_per_step, self.args.data_seed, lambda: int(self.state.global_step))
        return torch.utils.data.DataLoader(_Shares(self, rows), batch_sampler=steps, collate_fn=_unchanged)

    def training_step(self, model: Any, step: list[Share], *arguments: Any) -> torch.Tensor:
        """Train this process's part of one step; the gradients of all processes are reduced once, at its end."""
        losses = []
        for share in step:
            is_last = share is step[-1]
            self.accelerator.gradient_state._set_sync_gradients(is_last)
            waits = not is_last and self.accelerator.distributed_type != DistributedType.DEEPSPEED
            self.current = share
            with self.accelerator.no_sync(model) if waits else contextlib.nullcontext():
                losses.append(super().training_step(model, share.inputs, *arguments))
        return torch.stack(losses).sum()

    def compute_loss(self, model: Any, inputs: dict[str, Any], *arguments: Any, **options: Any) -> Any:
        """Weigh the mean over the rows of the current share."""
        assert self.current is not None
        return super().compute_loss(model, inputs, *arguments, **options) * self.current.weight

    def floating_point_ops(self, inputs: Any) -> int:
        """Return 0: module `hardware` counts FLOPs more exactly."""
        return 0

    def share(self, rows: Any, deal: Deal, of_rows: int) -> Share:
        """Return what the model takes of a deal, weighted for a step of `of_rows` rows."""
        inputs = self.data_collator([rows[row] for row in deal.rows])
        if "labels" not in inputs:
            weight = len(deal.rows) * self.args.world_size / of_rows if deal.counts else 0.0
            return Share(inputs, weight, deal.counts)
        # Losses over labels are divided by the number of labels in the step; padding work adds none.
        if not deal.counts:
            inputs["labels"] = torch.full_like(inputs["labels"], IGNORED)
        return Share(inputs, 1.0, deal.counts)

    def get_batch_samples(self, epoch_iterator: Iterator[list[Share]], num_batches: int, device: torch.device) -> Any:
        """Return one step, and the number of tokens learned in it if the trainer asks for it."""
        step = next(epoch_iterator)
        return [step], self._get_num_items_in_batch([share.inputs for share in step], device)


class _Shares(torch.utils.data.Dataset[Share]):
    def __init__(self, trainer: Stepping, rows: Any) -> None:
        self._trainer = trainer
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitems__(self, step: list[int]) -> list[Share]:
        return [self._trainer.share(self._rows, deal, len(step)) for deal in self._trainer.deal(self._rows, step)]


class _Steps(torch.utils.data.Sampler[list[int]]):
    def __init__(self, rows: int, rows_per_step: int, seed: int, steps_done: Callable[[], int]) -> None:
        self._rows = rows
        self._rows_per_step = rows_per_step
        self._seed = seed
        self._steps_done = steps_done

    def __len__(self) -> int:
        return -(-self._rows // self._rows_per_step)

    def __iter__(self) -> Iterator[list[int]]:
        # After a resume, transformers itself skips the steps of this epoch that were trained before.
        shuffled = order(self._rows, self._seed, self._steps_done() // len(self))
        for start in range(0, self._rows, self._rows_per_step):
            yield shuffled[start : start + self._rows_per_step]


def _unchanged(step: list[Share]) -> list[Share]:
    return step
