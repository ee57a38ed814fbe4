"""The steps that every kind of training has, in the order that memory and seeds need; a stage's page fills in its own."""

import gc
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from accelerate import PartialState
from alignment_api.run_config import RunConfig

from alignment_trainer.data.dataset import Data
from alignment_trainer.model_folder.room import check_room
from alignment_trainer.model_folder.start import start_name
from alignment_trainer.models import memory, merging
from alignment_trainer.models.load_faults import loading
from alignment_trainer.models.loading import load_model
from alignment_trainer.models.start import check_model, check_start, start_folder
from alignment_trainer.models.tokenizer import check_vocabulary, load_tokenizer
from alignment_trainer.settings.training import Settings, training_settings
from alignment_trainer.training import deepspeed, publishing
from alignment_trainer.training.arguments import training_arguments
from alignment_trainer.training.publishing import Trained
from alignment_trainer.training.run import find_checkpoint, train
from alignment_trainer.workspace.checkpoints import Checkpoint
from alignment_trainer.workspace.preparation_progress import most_steps
from alignment_trainer.workspace.stage_folder import is_prepared


class Start(NamedTuple):
    """What the stage starts from."""

    config: RunConfig
    settings: Settings
    folder: Path
    """Folder of the model's weights."""


class Loaded(NamedTuple):
    """What a page builds its trainer from."""

    start: Start
    weights_hash: str
    arguments: Any
    tokenizer: Any
    rows: Data
    model: Any

    @property
    def common(self) -> dict[str, Any]:
        """Return the keywords that all trainers take alike."""
        return {
            "rows_per_step": self.start.settings.global_batch_size,
            "args": self.arguments,
            "train_dataset": self.rows.train,
            "eval_dataset": self.rows.held_out,
            "processing_class": self.tokenizer,
        }


class Page(Protocol):
    """The steps that differ between the kinds of training; they are called once each, in this order."""

    needs_answers: bool
    """Whether the loss needs to know which tokens are answers."""

    def arguments(self, start: Start, common: dict[str, Any]) -> Any:
        """Return transformers' or TRL's arguments; `common` holds those that all kinds share."""

    def data(self, start: Start, tokenizer: Any) -> Data:
        """Return the rows as tokens."""

    def trainer(self, loaded: Loaded) -> Any:
        """Return the trainer."""


def run(config: RunConfig, page: Page) -> None:
    """Train the stage and publish its model; publishing begins when the trainer no longer holds any memory."""
    trained = _train(config, page)
    _free_memory()
    publishing.publish(config, trained)


def prepare(config: RunConfig, page: Page) -> None:
    """Do all but the training: what the page's trainer computes with the model that the stage starts from is then kept."""
    deepspeed.release(_built(config, page).trainer)
    _free_memory()


def _train(config: RunConfig, page: Page) -> Trained:
    settings, checkpoint, loaded, trainer = _built(config, page)
    train(trainer, config, settings, checkpoint, loaded.rows, loaded.start.folder)
    deepspeed.release(trainer)
    return Trained(settings, loaded.tokenizer, loaded.rows.report, loaded.start.folder, loaded.weights_hash)


def _free_memory() -> None:
    """Free what only reference cycles of a trainer hold: the next model must not be loaded beside it."""
    gc.collect()
    torch.cuda.empty_cache()


class _Built(NamedTuple):
    settings: Settings
    checkpoint: Checkpoint | None
    loaded: Loaded
    trainer: Any


def _built(config: RunConfig, page: Page) -> _Built:
    settings = training_settings(config)
    checkpoint = find_checkpoint(config, settings)
    start = Start(config, settings, start_folder(config))
    check_model(config, start.folder, checkpoint)
    arguments = page.arguments(start, training_arguments(config, settings, is_resumed=checkpoint is not None))
    deepspeed.initialize(settings)

    # Cheap checks before rows are tokenized, and rows before the weights take their memory.
    memory.check(config, start.folder)
    _check_room(start)
    weights_hash = check_start(config, start.folder, checkpoint)
    merging.check(start.folder, settings)
    with loading("its tokenizer", start_name(config)):
        tokenizer = load_tokenizer(start.folder, settings.chat_template, page.needs_answers and not is_prepared(config))
    rows = page.data(start, tokenizer)
    # Sets all seeds: what is random comes after it.
    with loading("its weights", start_name(config)):
        model = load_model(start.folder, settings)
    check_vocabulary(model, tokenizer)

    loaded = Loaded(start, weights_hash, arguments, tokenizer, rows, model)
    trainer = page.trainer(loaded)
    _check_room(start, most_steps(settings, len(trainer.train_dataset)))
    return _Built(settings, checkpoint, loaded, trainer)


def _check_room(start: Start, steps: int | None = None) -> None:
    """Check the workspace volume, once more when the rows are written and the number of steps is known."""
    if PartialState().is_main_process:
        check_room(start.config, start.folder, steps)
