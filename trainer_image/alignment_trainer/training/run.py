"""Runs a trainer from the newest checkpoint, or from the start, to the last step."""

import platform
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object
from alignment_api.resolving.training_warnings import Rows, warnings_at_start
from alignment_api.run_config import RunConfig
from transformers import PrinterCallback, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from alignment_trainer.asking.ask_policy import ask_policy
from alignment_trainer.data.dataset import Data
from alignment_trainer.data.fates import HELD_OUT, TRAIN
from alignment_trainer.failures import BadConfiguration
from alignment_trainer.model_folder.weights import parameter_count
from alignment_trainer.settings.training import Settings
from alignment_trainer.training.hardware import Work, flops_per_token, peak_flops
from alignment_trainer.training.journal_callback import Track
from alignment_trainer.training.saving import SaveWhole
from alignment_trainer.training.stopping import StopOnDivergence, StopOnRequest, StopRequest
from alignment_trainer.training.trainer_members import TrainerMembers
from alignment_trainer.workspace import checkpoints
from alignment_trainer.workspace.activity import reading
from alignment_trainer.workspace.checkpoints import Checkpoint
from alignment_trainer.workspace.environment import describe, write_environment
from alignment_trainer.workspace.journal import Journal
from alignment_trainer.workspace.stage_warnings import warn


def find_checkpoint(config: RunConfig, settings: Settings) -> Checkpoint | None:
    """Find the newest checkpoint to resume from; only the first process verifies it."""
    stage = Path(config.paths.stage)
    found: list[Checkpoint | None] = [None]
    if PartialState().is_main_process:
        checkpoints.clear_staging(stage)
        found = [checkpoints.newest_verified(stage)]
    broadcast_object_list(found)
    checkpoint = found[0]
    if checkpoint and settings.sharding != "None" and checkpoint.world_size != config.world_size:
        raise BadConfiguration(
            f"{settings.path.rpartition('.')[0]}.compute: checkpoint {checkpoint.folder.name} was sharded over "
            f"{checkpoint.world_size} processes ({settings.sharding}), and now there are {config.world_size}; "
            f"use {checkpoint.world_size} processes again, or remove the stage's checkpoints to train from the start"
        )
    return checkpoint


def train(
    trainer: TrainerMembers,
    config: RunConfig,
    settings: Settings,
    checkpoint: Checkpoint | None,
    rows: Data,
    start: Path,
) -> None:
    """Train to the last step, unless the checkpoint is that of the last step."""
    if checkpoint and checkpoint.is_last:
        return
    stage = Path(config.paths.stage)
    journal = Journal(stage) if PartialState().is_main_process else None
    stop, divergence = StopOnRequest(StopRequest()), StopOnDivergence()
    devices = _devices()
    trainer.remove_callback(PrinterCallback)
    callbacks: list[TrainerCallback] = [
        *ask_policy(config, settings, trainer.processing_class),
        SaveWhole(stage, settings.keep, journal, divergence),
    ]
    at_start: list[Callable[[int], None]] = []
    if journal:
        write_environment(stage, describe(devices, rows.report["rows"]))
        callbacks.append(Track(journal, rows.report["rows"], _work(trainer, settings, start, devices)))
        at_start.append(partial(_warn_of_rows, config, rows.report["rows"], start))
    # Callbacks that may end training come last, so that the journal holds the numbers that they acted on.
    for callback in (*callbacks, stop, divergence):
        trainer.add_callback(callback)
    with ExitStack() as loading:
        if checkpoint:
            files = [path for path in checkpoint.folder.rglob("*") if path.is_file()]
            loading.enter_context(reading(f"loading {checkpoint.folder.name}", files))
        # One callback for all: transformers warns of two of one class.
        trainer.add_callback(_WhenTrainingBegins(*at_start, lambda _: loading.close()))
        trainer.train(resume_from_checkpoint=str(checkpoint.folder) if checkpoint else None)
    stop.raise_if_stopped()


class _WhenTrainingBegins(TrainerCallback):  # type: ignore[misc]
    """Calls functions with the number of steps when everything is loaded and training begins."""

    def __init__(self, *functions: Callable[[int], None]) -> None:
        self._functions = functions

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Call the functions, in their order."""
        for function in self._functions:
            function(state.max_steps)


def _warn_of_rows(config: RunConfig, sources: dict[str, dict[str, int]], start: Path, steps: int) -> None:
    trained, held_out, unended = (sum(counts[fate] for counts in sources.values()) for fate in (TRAIN, HELD_OUT, "unended"))
    rows = Rows(trained, held_out, unended)
    warn(Path(config.paths.stage), warnings_at_start(config, steps, parameter_count(start), rows))


def _devices() -> list[str]:
    device = PartialState().device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return list(gather_object([name]))


def _work(trainer: TrainerMembers, settings: Settings, start: Path, devices: list[str]) -> Work:
    configuration = trainer.model.config.get_text_config()
    # Looking up an embedding costs no FLOPs; a table that is tied to the head does cost them, for the logits.
    looked_up = 0 if configuration.tie_word_embeddings else configuration.vocab_size * configuration.hidden_size
    flops = flops_per_token(parameter_count(start) - looked_up, trains_all=settings.adapter is None)
    return Work(flops, peak_flops(devices) if settings.precision == "BFloat16" and not settings.on_cpu else None)
