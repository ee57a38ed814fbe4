"""Has trainers of transformers learn from the same rows in each step, however processes and forwards share them out."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from accelerate.utils import DistributedType
from datasets import Dataset

from alignment_trainer.data.tokens import IGNORED
from alignment_trainer.training.dealing import Round, order, rounds


class Share(NamedTuple):
    """What one process computes at once, and how much of the step it is."""

    inputs: dict[str, Any]
    weight: float
    counts: bool


class Stepping:
    """Goes before a trainer of transformers, for which a batch is now all that this process does for one step.

    transformers fills an epoch's last batch up with rows that are learned twice then, and weighs short batches like full ones.
    """

    def __init__(self, rows_per_step: int, **arguments: Any) -> None:
        self._rows_per_step = rows_per_step
        self.current: Share | None = None
        super().__init__(**arguments)

    def deal(self, rows: Any, wanted: Sequence[int]) -> list[Round]:
        """Deal the rows of a step, or of an evaluation, out to the processes, and give the rounds of this one."""
        arguments = self.args  # type: ignore[attr-defined]
        return rounds(wanted, arguments.per_device_train_batch_size, arguments.process_index, arguments.world_size)

    def get_train_dataloader(self) -> torch.utils.data.DataLoader[Any]:
        """Load the steps in the order of their rows, which differs in each epoch."""
        trainer: Any = self
        rows = trainer.train_dataset
        if isinstance(rows, Dataset):
            rows = trainer._remove_unused_columns(rows, description="training")
        steps = _Steps(len(rows), self._rows_per_step, trainer.args.data_seed, lambda: int(trainer.state.global_step))
        return torch.utils.data.DataLoader(_Shares(self, rows), batch_sampler=steps, collate_fn=_as_it_is)

    def training_step(self, model: Any, step: list[Share], *arguments: Any) -> torch.Tensor:
        """Train all that is this process's of one step; the gradients of all processes meet at its end."""
        accelerator = self.accelerator  # type: ignore[attr-defined]
        losses = []
        for share in step:
            is_last = share is step[-1]
            accelerator.gradient_state._set_sync_gradients(is_last)
            waits = not is_last and accelerator.distributed_type != DistributedType.DEEPSPEED
            self.current = share
            with accelerator.no_sync(model) if waits else contextlib.nullcontext():
                losses.append(super().training_step(model, share.inputs, *arguments))  # type: ignore[misc]
        return torch.stack(losses).sum()

    def compute_loss(self, *arguments: Any, **options: Any) -> torch.Tensor:
        """Weigh the mean over the rows of the current share."""
        assert self.current is not None
        loss: torch.Tensor = super().compute_loss(*arguments, **options)  # type: ignore[misc]
        return loss * self.current.weight

    def floating_point_ops(self, inputs: Any) -> int:
        """Leave the counting to `throughput`, which knows more."""
        return 0

    def share(self, rows: Any, dealt: Round, of_rows: int) -> Share:
        """Make what the model takes of rows."""
        trainer: Any = self
        inputs = trainer.data_collator([rows[row] for row in dealt.rows])
        if "labels" not in inputs:
            weight = len(dealt.rows) * trainer.args.world_size / of_rows if dealt.counts else 0.0
            return Share(inputs, weight, dealt.counts)
        # Losses over labels are divided by the number of all labels of a step: here there are none.
        if not dealt.counts:
            inputs["labels"] = torch.full_like(inputs["labels"], IGNORED)
        return Share(inputs, 1.0, dealt.counts)

    def get_batch_samples(self, epoch_iterator: Iterator[list[Share]], num_batches: int, device: torch.device) -> Any:
        """Give one step, and how many tokens are learned in it where the trainer asks for that."""
        step = next(epoch_iterator)
        return [step], self._get_num_items_in_batch([share.inputs for share in step], device)  # type: ignore[attr-defined]


class _Shares(torch.utils.data.Dataset[Share]):
    def __init__(self, trainer: Stepping, rows: Any) -> None:
        self._trainer = trainer
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitems__(self, step: list[int]) -> list[Share]:
        return [self._trainer.share(self._rows, dealt, len(step)) for dealt in self._trainer.deal(self._rows, step)]


class _Steps(torch.utils.data.Sampler[list[int]]):
    def __init__(self, rows: int, rows_per_step: int, seed: int, steps_done: Callable[[], int]) -> None:
        self._rows = rows
        self._rows_per_step = rows_per_step
        self._seed = seed
        self._steps_done = steps_done

    def __len__(self) -> int:
        return -(-self._rows // self._rows_per_step)

    def __iter__(self) -> Iterator[list[int]]:
        # transformers skips what was trained of the epoch before a restart.
        shuffled = order(self._rows, self._seed, self._steps_done() // len(self))
        for start in range(0, self._rows, self._rows_per_step):
            yield shuffled[start : start + self._rows_per_step]


def _as_it_is(step: list[Share]) -> list[Share]:
    return step
