"""Writes the trainer's measurements to the stage's journal, under the names that operator and dashboard read."""

import time
from collections.abc import Mapping
from typing import Any

from alignment_api import metrics
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from alignment_trainer.training.hardware import Work, rates
from alignment_trainer.workspace.journal import Journal

_EVALUATION = "eval_"
_NOT_MEASURED = ("epoch", "total_flos")
_SUMMARY = "train_"
"""Prefix of the totals that transformers logs at the end; they cover the last attempt only."""

_SHOWN = (*metrics.HEADLINES, metrics.EVALUATION_LOSS, metrics.EVALUATION_REWARD_MARGIN, metrics.EVALUATION_REWARD_ACCURACY)


_ROWS = "data/"
_ROW_METRICS = (metrics.ROWS_TRAINED, metrics.ROWS_HELD_OUT, metrics.ROWS_CUT, metrics.ROWS_DROPPED)


class Track(TrainerCallback):  # type: ignore[misc]
    """Appends each logged point to the journal; only the first process has this callback."""

    def __init__(self, journal: Journal, rows: Mapping[str, Mapping[str, int]], work: Work) -> None:
        self._journal = journal
        self._rows = rows
        self._work = work
        self._first_step, self._progress_step = 0, -1
        self._start = self._step_start = self._step_seconds = 0.0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Remember when and at which step this attempt begins."""
        self._start, self._first_step = time.monotonic(), state.global_step
        self._step_start = self._start
        self._journal.append(0, row_counts(self._rows), {})
        self._journal.append(state.global_step, {}, self._progress(state))

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Measure the time since the previous step ended, so that waiting for data counts too."""
        now = time.monotonic()
        self._step_seconds, self._step_start = now - self._step_start, now

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Leave out the time of an evaluation."""
        self._step_start = time.monotonic()

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Leave out the time of a save."""
        self._step_start = time.monotonic()

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, Any], **_: Any
    ) -> None:
        """Write a point."""
        speed = rates(logs, self._step_seconds, self._work) if "loss" in logs else {}
        values = renamed(logs) | {f"train/{name}": value for name, value in speed.items()}
        if values:
            self._journal.append(state.global_step, values, self._progress(state))
            shown = "  ".join(f"{name} {values[name]:.4g}" for name in _SHOWN if name in values)
            print(f"step {state.global_step}/{state.max_steps}  {shown}", flush=True)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Flush the last points to disk."""
        self._journal.flush_to_disk()

    def _progress(self, state: TrainerState) -> dict[str, float]:
        if state.global_step == self._progress_step:
            return {}
        self._progress_step = state.global_step
        progress = {metrics.TOTAL_STEPS: float(state.max_steps)}
        done = state.global_step - self._first_step
        if done:
            left = state.max_steps - state.global_step
            progress[metrics.SECONDS_LEFT] = round((time.monotonic() - self._start) / done * left, 1)
        return progress


def row_counts(sources: Mapping[str, Mapping[str, int]]) -> dict[str, float]:
    """Sum over all sources how many rows are trained on, held out, cut and dropped."""
    return {name: float(sum(counts[name.removeprefix(_ROWS)] for counts in sources.values())) for name in _ROW_METRICS}


def renamed(logs: dict[str, Any]) -> dict[str, float]:
    """Return the measurements of a log entry under their public names."""
    return {
        f"eval/{name.removeprefix(_EVALUATION)}" if name.startswith(_EVALUATION) else f"train/{name}": float(value)
        for name, value in logs.items()
        if name not in _NOT_MEASURED and not name.startswith(_SUMMARY) and isinstance(value, int | float)
    }
