"""Estimates what a stage still writes to the workspace volume, and refuses to train without room for it."""

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

from alignment_api.memory.estimate import trained_parameters
from alignment_api.memory.shape import UnknownShape, shape_of
from alignment_api.memory.workload import workload_of
from alignment_api.run_config import RunConfig

from alignment_trainer.failures import DiskFull
from alignment_trainer.fetching import hub
from alignment_trainer.model_folder.start import local_start
from alignment_trainer.model_folder.weights import parameter_count
from alignment_trainer.settings.training import Settings, training_settings
from alignment_trainer.workspace.base_record import read_base
from alignment_trainer.workspace.checkpoints import saved_of
from alignment_trainer.workspace.full_disk import ADVICE, amount, named, room_of
from alignment_trainer.workspace.links import takes_hard_links

_DESCRIPTIONS = ("*.json", "*.model", "*.txt", "*.jinja")
# Two running means, or one (RMSprop); or in 8 bit, with a scale of 32 bit for each 256 (arXiv 2110.02861).
_MEANS = {"AdamW": 2.0, "PagedAdamW32bit": 2.0, "RMSprop": 1.0, "AdamW8bit": 2 * (1 / 4 + 1 / 256)}

STILL_WRITES = "this stage still writes"


class Part(NamedTuple):
    """Something that a stage still writes, and its bytes."""

    what: str
    size: int
    number: int | None = None
    """How many there are, each of this size; None for what there is only one of."""

    @property
    def total(self) -> int:
        """Return the bytes of all."""
        return self.size * (1 if self.number is None else self.number)

    @property
    def text(self) -> str:
        """Return it as people read it."""
        if self.number is None:
            return f"{self.what} ({amount(self.size)})"
        return f"{self.number} {self.what}{'s' if self.number > 1 else ''} of {amount(self.size)}"


class Model(NamedTuple):
    """What the size of a checkpoint depends on besides the settings."""

    parameters: int
    adapter_parameters: int | None
    """None if all weights are trained; 0 if they cannot be counted."""
    description_bytes: int
    """Size of the tokenizer and of other files that are no weights."""


class Progress(NamedTuple):
    """What of a stage is on the volume already."""

    checkpoints: int
    step: int
    """The step of the newest checkpoint; 0 if there is none."""
    total_steps: int | None
    """The steps to be trained in all, if they are known."""


def weight_bytes(settings: Settings) -> int:
    """Return the bytes of a weight in the files of a model that this stage writes."""
    is_32_bit = settings.precision == "Float32" or (settings.adapter is None and settings.sharding == "None")
    return 4 if is_32_bit else 2


def checkpoint_bytes(model: Model, settings: Settings) -> int:
    """Estimate a checkpoint: weights and the optimizer's state; DeepSpeed adds a copy of both, the weights' in 32 bit."""
    number, means = weight_bytes(settings), _MEANS[settings.optimizer]
    trained = model.parameters if model.adapter_parameters is None else model.adapter_parameters
    if settings.sharding != "None":
        copies = number if settings.sharding != "ZeRO3" else 0
        return model.description_bytes + int(trained * (number + copies + 4 + 4 * means))
    # PEFT holds adapters in 32 bit, except those of quantized weights.
    held = 4 if settings.adapter and not settings.adapter.quantized else 2 if settings.adapter else number
    state = 4 if settings.optimizer in ("AdamW8bit", "PagedAdamW32bit") else held
    return model.description_bytes + int(trained * (held + state * means))


def parts(model: Model, settings: Settings, progress: Progress, links: bool) -> list[Part]:
    """List what is still to be written; without a known number of steps, what any number needs."""
    steps = 1 if progress.total_steps is None else max(0, progress.total_steps - progress.step)
    saves = math.ceil(steps / settings.save_steps)
    # The newest checkpoint is whole before the oldest one is removed.
    more = min(saves, max(1, settings.keep + 1 - progress.checkpoints))
    found = [Part("checkpoint", checkpoint_bytes(model, settings), more)] if more else []
    published = model.parameters * weight_bytes(settings) + model.description_bytes
    if settings.adapter:
        found.append(Part("the merged model", published))
    elif not links:
        found.append(Part("the model", published))
    return found


def missing(needed: list[Part], free: int) -> bool:
    """Return whether the parts need more than is free."""
    return sum(part.total for part in needed) > free


def sentence(needed: list[Part]) -> str:
    """Return in words what a stage still writes."""
    total = amount(sum(part.total for part in needed))
    return f"{STILL_WRITES} about {total}: {', '.join(part.text for part in needed)}"


def check_room(config: RunConfig, start: Path, steps: int | None = None, rows: Part | None = None) -> None:
    """Raise DiskFull if the workspace volume has no room for what the stage still writes."""
    workspace = Path(config.paths.workspace)
    room = room_of(workspace)
    # A volume that does not say its size must not stop a job.
    if room is None:
        return
    needed = [*still_needed(config, start, steps), *([rows] if rows else [])]
    if missing(needed, room.free):
        raise DiskFull(f"{named(workspace, workspace)} has {amount(room.free)} free, and {sentence(needed)}; {ADVICE}")


def with_needs(message: str, config: RunConfig) -> str:
    """Return a message about a full workspace volume with what the stage still writes, unless it says so or it is not known."""
    start, workspace = known_start(config), Path(config.paths.workspace)
    if start is None or named(workspace, workspace) not in message or STILL_WRITES in message:
        return message
    return f"{message}; {sentence(still_needed(config, start))}"


def known_start(config: RunConfig) -> Path | None:
    """Return the folder of the weights that the stage starts from; None before they are downloaded."""
    start = local_start(config)
    if start:
        return start
    base = read_base(config)
    if base is None or base.revision is None:
        return None
    hub.configure_libraries(config.paths)
    return hub.cached_model(base.uri, base.revision)


def still_needed(config: RunConfig, start: Path, steps: int | None = None) -> list[Part]:
    """List what the stage still writes, from the model that it starts from and the files that it has written."""
    settings, stage = training_settings(config), Path(config.paths.stage)
    saved = saved_of(stage)
    progress = Progress(saved.checkpoints, saved.step, saved.total_steps or settings.max_steps or steps)
    return parts(_model(config, start, settings), settings, progress, takes_hard_links(stage))


def _model(config: RunConfig, start: Path, settings: Settings) -> Model:
    described = {path for pattern in _DESCRIPTIONS for path in start.glob(pattern)}
    size = sum(path.stat().st_size for path in described)
    return Model(parameter_count(start), _adapter_parameters(config, start) if settings.adapter else None, size)


def _adapter_parameters(config: RunConfig, start: Path) -> int:
    configuration: Any = json.loads((start / "config.json").read_text(encoding="utf-8"))
    try:
        return trained_parameters(shape_of(configuration), workload_of(config.stage, config.compute))
    except UnknownShape:
        # Adapters are small.
        return 0
