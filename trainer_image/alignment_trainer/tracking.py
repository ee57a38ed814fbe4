"""Writes what the trainer measures into the stage's journal, under the names that operator and dashboard read."""

import time
from typing import Any

from alignment_api import metrics
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from alignment_trainer.journal import Journal

_EVALUATION = "eval_"
_NOT_MEASURED = ("epoch", "total_flos", "train_loss")
_SHOWN = (*metrics.HEADLINES, metrics.EVALUATION_LOSS, metrics.EVALUATION_REWARD_MARGIN, metrics.EVALUATION_REWARD_ACCURACY)
_ABOUT_TIME = ("_runtime", "_per_second")


class Track(TrainerCallback):  # type: ignore[misc]
    """Appends each logged point; only the first process has one."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._first_step = 0
        self._start = 0.0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Note when and where training begins."""
        self._start, self._first_step = time.monotonic(), state.global_step
        self._journal.append(state.global_step, {}, {metrics.TOTAL_STEPS: float(state.max_steps)})

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, Any], **_: Any
    ) -> None:
        """Write a point."""
        values = renamed(logs)
        if values:
            self._journal.append(state.global_step, values, self._progress(state))
            shown = "  ".join(f"{name} {values[name]:.4g}" for name in _SHOWN if name in values)
            print(f"step {state.global_step}/{state.max_steps}  {shown}", flush=True)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Bring the last points to the disk."""
        self._journal.flush_to_disk()

    def _progress(self, state: TrainerState) -> dict[str, float]:
        progress = {metrics.TOTAL_STEPS: float(state.max_steps)}
        done = state.global_step - self._first_step
        if done:
            left = state.max_steps - state.global_step
            progress[metrics.SECONDS_LEFT] = round((time.monotonic() - self._start) / done * left, 1)
        return progress


def renamed(logs: dict[str, Any]) -> dict[str, float]:
    """Give the measurements of a log entry their public names."""
    return {
        f"eval/{name.removeprefix(_EVALUATION)}" if name.startswith(_EVALUATION) else f"train/{name}": float(value)
        for name, value in logs.items()
        if name not in _NOT_MEASURED and not name.endswith(_ABOUT_TIME) and isinstance(value, int | float)
    }
