"""Ends training early for two reasons: a stop request, or diverging numbers."""

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
    """Remembers a SIGTERM. Until `listen` is called, SIGTERM ends the process at once, even within a collective."""

    def __init__(self) -> None:
        self.received = False

    def listen(self) -> None:
        """Handle SIGTERM from now on; calling this again changes nothing."""
        signal.signal(signal.SIGTERM, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.received = True


def stop_at_once() -> None:
    """Let SIGTERM end the process at once again, as before training; raise Stopped if one came since the last step."""
    request = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if isinstance(request, StopRequest) and request.received:
        raise Stopped("stopped on request after a whole round; the next attempt continues with what follows it")


class StopOnRequest(TrainerCallback):  # type: ignore[misc]
    """Saves and stops at the same step on all processes, once one of them received the request."""

    def __init__(self, request: StopRequest) -> None:
        self._request = request
        self._stopped_at: int | None = None

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Handle SIGTERM from the first step on; before it, there is nothing to save."""
        self._request.listen()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Agree with the other processes."""
        if self._is_requested_anywhere(args):
            control.should_save = control.should_training_stop = True
            self._stopped_at = state.global_step if state.global_step < state.max_steps else None

    def raise_if_stopped(self) -> None:
        """Raise Stopped where training ended before its last step."""
        if self._stopped_at is not None:
            raise Stopped(f"stopped on request after step {self._stopped_at}; a checkpoint to resume from is saved")

    def _is_requested_anywhere(self, args: TrainingArguments) -> bool:
        if PartialState().num_processes == 1:
            return self._request.received
        flag = torch.tensor([int(self._request.received)], device=args.device)
        torch.distributed.all_reduce(flag, op=torch.distributed.ReduceOp.MAX)
        return bool(flag.item())


class StopOnDivergence(TrainerCallback):  # type: ignore[misc]
    """Ends training at the first NaN or infinity in loss or gradient, and when the loss stays far above its initial value."""

    def __init__(self) -> None:
        self._watch = LossWatch()

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Add the losses of earlier attempts."""
        for entry in state.log_history:
            if "loss" in entry:
                self._watch.add(entry["loss"])

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, Any], **_: Any
    ) -> None:
        """Check the logged numbers, which are the same on all processes."""
        for name in _WATCHED:
            value = logs.get(name)
            if value is not None and not math.isfinite(value):
                raise Diverged(_not_finite(name, value, state.global_step))
        if "loss" in logs:
            self._watch.add(logs["loss"])
        if self._watch.has_diverged:
            raise Diverged(
                f"the mean loss of {SMOOTHED_OVER} steps is {self._watch.smoothed:.4g} at step {state.global_step}, and was "
                f"above {self._watch.limit:.4g} for {PATIENCE} steps; lower optimization.learningRate, or raise its warmup "
                f"(the last checkpoint before the loss rose is kept)"
            )

    def last_good_step(self, step: int) -> int:
        """Return the last step whose smoothed loss was not too high."""
        return step - self._watch.steps_too_high


def _not_finite(name: str, value: float, step: int) -> str:
    if step <= 1:
        return (
            f"{name} is {value} at step {step}, before any weight was changed: the model's numbers overflow the precision; "
            f"set precision to Float32, or check the data of that step"
        )
    return (
        f"{name} is {value} at step {step}; lower optimization.learningRate, or check the data "
        f"of that step (earlier checkpoints are kept)"
    )
