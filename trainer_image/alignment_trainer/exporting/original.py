"""The model that a stage exports: its folder, its weights, and the stages that made it."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from alignment_api.names import MANIFEST_FILE
from alignment_api.run_config import RunConfig
from alignment_api.spec.lineage import parent_of
from alignment_api.spec.stage_model import BASE
from alignment_api.spec.stages import Stage

from alignment_trainer.failures import BadData
from alignment_trainer.models.start import check_model, check_start, start_folder
from alignment_trainer.synthesis.first_process import shared
from alignment_trainer.workspace.base_record import read_base


class Ancestor(NamedTuple):
    """A stage whose weights the exported ones are made of."""

    stage: str
    manifest: dict[str, Any]

    @property
    def start(self) -> str | None:
        """Return the hash of the weights that it started from."""
        return self._weights("start")

    @property
    def made(self) -> str | None:
        """Return the hash of the weights that it made."""
        return self._weights("made")

    def _weights(self, which: str) -> str | None:
        found: str | None = self.manifest.get("weights", {}).get(which)
        return found


class Original(NamedTuple):
    """The model that is exported, as it was trained."""

    folder: Path
    name: str
    """base, or the name of the stage that made it."""
    weights: str
    ancestors: list[Ancestor]
    """From the job's model on."""


def find_original(config: RunConfig) -> Original:
    """Find and hash the model; all processes call this, and only the first one has its weights' hash."""
    folder = start_folder(config)
    check_model(config, folder, None)
    weights = shared(lambda: check_start(config, folder, None))
    ancestors = _ancestors(config)
    check_lineage(ancestors, _base_digest(config))
    return Original(folder, ancestors[-1].stage if ancestors else BASE, weights, ancestors)


def check_lineage(ancestors: list[Ancestor], base: str | None) -> None:
    """Refuse weights that were merged into, or trained from, others than those that the stage before has made."""
    before, name = base, BASE
    for ancestor in ancestors:
        if before and ancestor.start and before != ancestor.start:
            raise BadData(
                f"stage {ancestor.stage!r} was trained from weights with the hash {ancestor.start[:12]}, and those of {name!r} "
                f"have {before[:12]} now, so an adapter on them would be another model; run stage {ancestor.stage!r} again"
            )
        before, name = ancestor.made, ancestor.stage


def _ancestors(config: RunConfig) -> list[Ancestor]:
    found: list[Ancestor] = []
    stage: Stage | None = parent_of(config.spec, config.stage)
    while stage:
        file = Path(config.paths.stage).parent / stage.name / MANIFEST_FILE
        found.append(Ancestor(stage.name, json.loads(file.read_text()) if file.exists() else {}))
        stage = parent_of(config.spec, stage)
    return found[::-1]


def _base_digest(config: RunConfig) -> str | None:
    record = read_base(config)
    return record.digest if record else None
