"""Runs a trainer from its newest checkpoint, or from the start, to its end: the way all stages train alike."""

from pathlib import Path
from typing import Any

from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from alignment_api.run_config import RunConfig
from transformers import PrinterCallback

from alignment_trainer import checkpoints
from alignment_trainer.checkpoints import Checkpoint
from alignment_trainer.failures import BadConfiguration
from alignment_trainer.journal import Journal
from alignment_trainer.saving import SaveWhole
from alignment_trainer.settings import Settings
from alignment_trainer.stopping import StopOnDivergence, StopOnRequest, StopRequest
from alignment_trainer.tracking import Track


def find_checkpoint(config: RunConfig, settings: Settings) -> Checkpoint | None:
    """Find where to go on; the first process verifies, the others take its word."""
    stage = Path(config.paths.stage)
    found: list[Checkpoint | None] = [None]
    if PartialState().is_main_process:
        checkpoints.clear_staging(stage)
        found = [checkpoints.newest_verified(stage)]
    broadcast_object_list(found)
    checkpoint = found[0]
    if checkpoint and settings.sharding != "None" and checkpoint.world_size != config.world_size:
        raise BadConfiguration(
            f"{settings.path.rpartition('.')[0]}.compute: checkpoint {checkpoint.folder.name} was written by "
            f"{checkpoint.world_size} processes that shared it out ({settings.sharding}), and now there are "
            f"{config.world_size}; run with {checkpoint.world_size} again, or remove the stage's checkpoints to start anew"
        )
    return checkpoint


def train(trainer: Any, config: RunConfig, settings: Settings, checkpoint: Checkpoint | None, request: StopRequest) -> None:
    """Train to the last step, unless a checkpoint says that it was reached before."""
    if checkpoint and checkpoint.is_last:
        return
    stage = Path(config.paths.stage)
    journal = Journal(stage) if PartialState().is_main_process else None
    stop = StopOnRequest(request)
    trainer.remove_callback(PrinterCallback)
    if journal:
        trainer.add_callback(Track(journal))
    for callback in (stop, StopOnDivergence(), SaveWhole(stage, settings.keep, journal)):
        trainer.add_callback(callback)
    trainer.train(resume_from_checkpoint=str(checkpoint.folder) if checkpoint else None)
    stop.raise_if_stopped()
