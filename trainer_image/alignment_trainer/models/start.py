"""The weights that a stage starts from: at one commit for the whole job, and the same at each resume."""

import json
from pathlib import Path

from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from alignment_api.files import write_whole
from alignment_api.names import HUB_PREFIX, MANIFEST_FILE
from alignment_api.run_config import RunConfig

from alignment_trainer.failures import BadData
from alignment_trainer.fetching import hub
from alignment_trainer.models.weights import weights_digest
from alignment_trainer.workspace.base_record import BaseRecord, read_base, write_base
from alignment_trainer.workspace.checkpoints import Checkpoint
from alignment_trainer.workspace.paths import workspace_path

_START_FILE = "start.json"


def start_folder(config: RunConfig) -> Path:
    """Return the folder of the weights that the stage starts from; those of the Hub are downloaded first."""
    if config.paths.parent_model:
        return Path(config.paths.parent_model)
    model = config.spec.model
    assert model is not None and model.uri is not None
    if not model.uri.startswith(HUB_PREFIX):
        return workspace_path(model.uri, config.paths.workspace)
    wanted = hub.HubRepository("model", model.uri, model.revision, f"spec.model.uri: {model.uri}")
    token = hub.token_of(config.paths)
    # Only rank 0 resolves the commit, so that all ranks use the same one, and nothing is downloaded twice.
    commits = [_commit(config, wanted, token) if PartialState().is_main_process else None]
    broadcast_object_list(commits)
    with PartialState().main_process_first():
        return hub.download_model(wanted, str(commits[0]), token)


def check_start(config: RunConfig, start: Path, checkpoint: Checkpoint | None) -> str:
    """Hash the weights that a stage starts from; raise BadData if they have changed."""
    if not PartialState().is_main_process:
        return ""
    digest = weights_digest(start)
    _check_parent(start, digest)
    _check_begun(Path(config.paths.stage), start, digest, checkpoint)
    if not config.paths.parent_model:
        _record_base(config, start, digest)
    return digest


def _commit(config: RunConfig, wanted: hub.HubRepository, token: str | None) -> str:
    """Resolve the model once per job, because a branch may move before a later attempt or stage."""
    known = read_base(config)
    if known and known.revision:
        return known.revision
    commit = hub.newest_commit(wanted, token)
    write_base(config, BaseRecord(uri=wanted.uri, named_revision=wanted.revision, revision=commit))
    return commit


def _check_parent(start: Path, digest: str) -> None:
    manifest = start.parent / MANIFEST_FILE
    if manifest.exists():
        made = json.loads(manifest.read_text()).get("weights", {}).get("made")
        if made and made != digest:
            raise BadData(
                f"{start} does not contain the weights that its {MANIFEST_FILE} names, "
                f"so it was changed; restore it, or run that stage again"
            )


def _check_begun(stage: Path, start: Path, digest: str, checkpoint: Checkpoint | None) -> None:
    """Record the hash of the weights at the start of the stage; a resume from a checkpoint must find the same."""
    file = stage / _START_FILE
    begun = json.loads(file.read_text())["weights"] if checkpoint and file.exists() else digest
    if begun != digest:
        assert checkpoint is not None
        raise BadData(
            f"{start} does not contain the weights that this stage started from "
            f"(their hash is {digest[:12]}, it was {begun[:12]}), so training cannot resume from "
            f"{checkpoint.folder}; restore them, or remove {stage} to start the stage again"
        )
    write_whole(file, json.dumps({"weights": digest}))


def _record_base(config: RunConfig, start: Path, digest: str) -> None:
    model = config.spec.model
    assert model is not None and model.uri is not None
    known = read_base(config) or BaseRecord(uri=model.uri, named_revision=model.revision)
    if known.revision and known.digest and known.digest != digest:
        # The files of a commit never change.
        raise BadData(
            f"{start} does not contain the files that were downloaded from {model.uri}; remove it, and they are downloaded again"
        )
    if known.digest != digest:
        write_base(config, known.model_copy(update={"digest": digest}))
