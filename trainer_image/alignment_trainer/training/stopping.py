"""The two reasons to end training early: somebody asks, or the numbers left the rails."""

import math
import signal
from types import FrameType
from typing import Any

import torch
from accelerate import PartialState
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from alignment_trainer.failures import Diverged, Stopped
from alignment_trainer.training.divergence import PATIENCE, SMOOTHED_OVER, LossWatch

_WATCHED = ("loss", "grad_norm", "eval_loss")


class StopRequest:
    """Remembers that this process was asked to stop; until it listens, SIGTERM ends it at once, even within a collective."""

    def __init__(self) -> None:
        self.received = False

    def listen(self) -> None:
        """Take SIGTERM as the request; to do so again changes nothing."""
        signal.signal(signal.SIGTERM, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.received = True


class StopOnRequest(TrainerCallback):  # type: ignore[misc]
    """Saves and stops at the same step on all processes once one of them was asked to."""

    def __init__(self, request: StopRequest) -> None:
        self._request = request
        self._stopped_at: int | None = None

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Begin to listen: before its first step an attempt has nothing that a checkpoint could keep."""
        self._request.listen()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Agree with the other processes."""
        if self._is_requested_anywhere(args):
            control.should_save = control.should_training_stop = True
            self._stopped_at = state.global_step if state.global_step < state.max_steps else None

    def raise_if_stopped(self) -> None:
        """Tell a stop from an end."""
        if self._stopped_at is not None:
            raise Stopped(f"stopped on request after step {self._stopped_at}, with a checkpoint to go on from")

    def _is_requested_anywhere(self, args: TrainingArguments) -> bool:
        if PartialState().num_processes == 1:
            return self._request.received
        flag = torch.tensor([int(self._request.received)], device=args.device)
        torch.distributed.all_reduce(flag, op=torch.distributed.ReduceOp.MAX)
        return bool(flag.item())


class StopOnDivergence(TrainerCallback):  # type: ignore[misc]
    """Ends training at the first loss or gradient that is not a number, and when the loss stays far above its beginning."""

    def __init__(self) -> None:
        self._watch = LossWatch()

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Look at what earlier attempts measured."""
        for entry in state.log_history:
            if "loss" in entry:
                self._watch.add(entry["loss"])

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, Any], **_: Any
    ) -> None:
        """Look at what was measured; all processes see the same numbers."""
        for name in _WATCHED:
            value = logs.get(name)
            if value is not None and not math.isfinite(value):
                raise Diverged(
                    f"{name} is {value} at step {state.global_step}; lower optimization.learningRate, or look at the data "
                    f"of that step (the checkpoints before it are kept)"
                )
        if "loss" in logs:
            self._watch.add(logs["loss"])
        if self._watch.has_diverged:
            raise Diverged(
                f"the loss, as the mean of {SMOOTHED_OVER} steps, is {self._watch.smoothed:.4g} at step {state.global_step}, and "
                f"was above {self._watch.limit:.4g} for {PATIENCE} steps; lower optimization.learningRate or raise its warmup "
                f"(the last checkpoint before that is kept)"
            )

    def last_good_step(self, step: int) -> int:
        """Give the last step whose loss was not too high."""
        return step - self._watch.steps_too_high
