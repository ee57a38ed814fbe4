"""Completes each checkpoint that transformers writes: all processes flush it, then the first one hashes and renames it."""

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from accelerate import PartialState
from accelerate.utils import gather_object
from alignment_api.files import flush_tree
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from alignment_trainer.training.stopping import StopOnDivergence
from alignment_trainer.workspace.activity import measured
from alignment_trainer.workspace.checkpoints import await_all, commit, prune, sizes_of
from alignment_trainer.workspace.journal import Journal


class SaveWhole(TrainerCallback):  # type: ignore[misc]
    """Turns a checkpoint in the staging folder into one that attempts resume from."""

    def __init__(self, stage: Path, keep: int, journal: Journal | None, divergence: StopOnDivergence) -> None:
        self._stage = stage
        self._keep = keep
        self._journal = journal
        self._divergence = divergence
        self._writing = ExitStack()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Begin to report how many bytes are written: transformers starts writing next, and reports nothing until the end."""
        if control.should_save:
            written = partial(_size_of, _staged(args, state))
            self._writing.enter_context(measured(f"writing step-{state.global_step}", None, "bytes", written))

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Complete the checkpoint; transformers calls this after each process has written its files."""
        self._writing.close()
        processes, staged = PartialState(), _staged(args, state)
        processes.wait_for_everyone()
        flush_tree(staged)
        if self._journal:
            self._journal.flush_to_disk()
        seen = gather_object([sizes_of(staged)])
        if processes.is_main_process:
            await_all(staged, seen)
            commit(staged, self._stage, state.global_step, state.max_steps, processes.num_processes)
            prune(self._stage, self._keep, self._divergence.last_good_step(state.global_step))
        processes.wait_for_everyone()


def _staged(args: TrainingArguments, state: TrainerState) -> Path:
    return Path(args.output_dir) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"


def _size_of(staged: Path) -> int:
    try:
        return sum(sizes_of(staged).values())
    except FileNotFoundError:
        # A temporary file was removed after it was listed.
        return 0
