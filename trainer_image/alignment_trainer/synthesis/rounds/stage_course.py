"""Makes one course of the rounds' trainings: their points and samples go into the stage's own files, with steps that go on."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from accelerate import PartialState
from alignment_api import metrics
from alignment_api.journal import read_lines
from alignment_api.names import METRICS_FILE, SAMPLES_FILE
from alignment_api.problems import Problem
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from alignment_trainer.workspace.journal import Journal
from alignment_trainer.workspace.samples import Samples, read_samples
from alignment_trainer.workspace.stage_warnings import recorded_warnings, warn

_PROGRESS = (metrics.TOTAL_STEPS, metrics.SECONDS_LEFT)
_ENVIRONMENT_FILE = "environment.json"


class StageCourse(TrainerCallback):  # type: ignore[misc]
    """Carries what one round's training has written over to the stage; only the first process has it."""

    def __init__(self, stage: Path, folder: Path, first_step: int, rounds_left: int) -> None:
        self._stage, self._folder = stage, folder
        self._first_step, self._rounds_left = first_step, rounds_left
        self._journal, self._samples = Journal(stage), Samples(stage)
        self._read_to = 0
        self._is_new = False

    @classmethod
    def of(cls, stage: Path, folder: Path, first_step: int, rounds_left: int) -> "StageCourse | None":
        """Return the course of a round on the first process."""
        return cls(stage, folder, first_step, rounds_left) if PartialState().is_main_process else None

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Carry over what earlier attempts have trained; only what follows is progress."""
        self.carry()
        self._is_new = True

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Carry over the points so far: perhaps without this one, which then follows with the next."""
        self.carry()

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Carry over before a checkpoint counts."""
        self.carry()

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Carry over the last point: the judge, who comes next, may need hours."""
        self.carry()

    def note(self, values: Mapping[str, float], steps: int = 0) -> None:
        """Write measurements of the round as a whole, after so many of its steps."""
        self._journal.append(self._first_step + steps, values, {})

    def carry(self) -> None:
        """Carry over what is new; what the stage has already is not written twice."""
        for line in read_lines(self._folder / METRICS_FILE, self._read_to):
            self._read_to = line.end
            if line.point:
                measured = {name: value for name, value in line.point.metrics.items() if name not in _PROGRESS}
                progress = self._progress(line.point.step, line.point.newest) if self._is_new else {}
                self._journal.append(self._first_step + line.point.step, measured, progress)
        self._carry_samples()

    def end(self) -> None:
        """Carry over the rest, with the warnings and the description of the hardware."""
        self.carry()
        self._journal.flush_to_disk()
        for sentence in recorded_warnings(self._folder):
            field, _, message = sentence.partition(": ")
            warn(self._stage, [Problem(field, message)])
        described = self._folder / _ENVIRONMENT_FILE
        if described.exists() and not (self._stage / _ENVIRONMENT_FILE).exists():
            shutil.copyfile(described, self._stage / _ENVIRONMENT_FILE)

    def _progress(self, step: int, newest: Mapping[str, float]) -> dict[str, float]:
        """Return the progress of the whole stage, as if the rounds to come were as long as this one."""
        if metrics.TOTAL_STEPS not in newest:
            return {}
        of_round = newest[metrics.TOTAL_STEPS]
        steps_left = of_round - step
        progress = {metrics.TOTAL_STEPS: self._first_step + of_round * (1 + self._rounds_left)}
        seconds = newest.get(metrics.SECONDS_LEFT)
        if seconds is not None and steps_left > 0:
            progress[metrics.SECONDS_LEFT] = round(seconds * (steps_left + self._rounds_left * of_round) / steps_left, 1)
        return progress

    def _carry_samples(self) -> None:
        steps: dict[int, list[Any]] = {}
        for sample in read_samples(self._folder / SAMPLES_FILE):
            steps.setdefault(self._first_step + sample.step, []).append(sample)
        for step, samples in steps.items():
            if step not in self._samples.steps and len(samples) == samples[0].step_rows:
                self._samples.append([sample.model_copy(update={"step": step}) for sample in samples])
