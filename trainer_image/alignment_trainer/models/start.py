"""The weights that a stage starts from: at one commit for the whole job, and the same at each resume."""

import json
from pathlib import Path

from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from alignment_api.files import locked, write_whole
from alignment_api.names import MANIFEST_FILE
from alignment_api.problems import Problem
from alignment_api.run_config import RunConfig

from alignment_trainer.failures import BadConfiguration, BadData
from alignment_trainer.fetching import hub
from alignment_trainer.model_folder.documents import Unfit
from alignment_trainer.model_folder.fitness import fault_of
from alignment_trainer.model_folder.headers import read_headers
from alignment_trainer.model_folder.matching import check_match
from alignment_trainer.model_folder.start import base_repository, local_base, local_start, named_base, start_name
from alignment_trainer.model_folder.weights import weights_digest
from alignment_trainer.models import skeleton
from alignment_trainer.models.finite import Scan
from alignment_trainer.models.load_faults import loading
from alignment_trainer.settings.given import stage_path
from alignment_trainer.workspace.base_record import BaseRecord, read_base, write_base
from alignment_trainer.workspace.checkpoints import Checkpoint
from alignment_trainer.workspace.stage_warnings import warn

_START_FILE = "start.json"


def start_folder(config: RunConfig) -> Path:
    """Return the folder of the weights that the stage starts from; those of the Hub are downloaded first."""
    return local_start(config) or base_folder(config)


def base_folder(config: RunConfig) -> Path:
    """Return the folder of the job's model; one of the Hub is downloaded first."""
    base = local_base(config)
    if base:
        return base
    wanted = base_repository(config)
    token = hub.token_of(config.paths)
    # Only rank 0 resolves the commit, so that all ranks use the same one, and nothing is downloaded twice.
    commits = [_commit(config, wanted, token) if PartialState().is_main_process else None]
    broadcast_object_list(commits)
    with PartialState().main_process_first():
        return hub.download_model(wanted, str(commits[0]), token)


def check_model(config: RunConfig, start: Path, checkpoint: Checkpoint | None) -> None:
    """Refuse a model that is not whole; only the first process looks, and all of them end with the same sentence."""
    found = [_fault(config, start, checkpoint) if PartialState().is_main_process else None]
    broadcast_object_list(found)
    if found[0]:
        raise BadConfiguration(found[0])


def check_start(config: RunConfig, start: Path, checkpoint: Checkpoint | None) -> str:
    """Hash the weights that a stage starts from; refuse them if they have changed, or contain NaN or infinity."""
    if not PartialState().is_main_process:
        return ""
    scan = Scan()
    # What a checkpoint continues was scanned when the stage began.
    digest = weights_digest(start) if checkpoint else scan.digest(start)
    _check_parent(start, digest)
    if scan.found:
        raise BadConfiguration(
            f"{start_name(config)}: {scan.found.path} contains {scan.value} in {scan.found.name}, so its loss would be NaN; "
            f"copy the file again, or name another model"
        )
    _check_begun(Path(config.paths.stage), start, digest, checkpoint)
    if not config.paths.parent_model:
        _record_base(config, start, digest)
    return digest


def _fault(config: RunConfig, start: Path, checkpoint: Checkpoint | None) -> str | None:
    """Check what preflight could not: downloaded files, and weights against a model that only transformers can build."""
    damage = fault_of(start, is_resumed=True) if checkpoint else None
    if damage:
        return f"{start_name(config)} {damage}"
    fault = _misfit(config, start)
    if fault and checkpoint:
        # An earlier version of the trainer accepted it; whether the training is worth its end is for the user to decide.
        began = f"began with a model that is refused now ({fault}), and continues from its checkpoint of step {checkpoint.step}"
        warn(Path(config.paths.stage), [Problem(stage_path(config), began)])
        return None
    return fault


def _misfit(config: RunConfig, start: Path) -> str | None:
    name = start_name(config)
    fault = fault_of(start)
    if fault:
        return f"{name} {fault}"
    headers = read_headers(start)
    try:
        with loading("its configuration", name):
            model = skeleton.build(start)
            origins = skeleton.origins(model, [header.name for header in headers])
        check_match(skeleton.wanted(model, start), headers, origins)
    except Unfit as unfit:
        return f"{name} {unfit}"
    except BadConfiguration as failure:
        return str(failure)
    return None


def _commit(config: RunConfig, wanted: hub.HubRepository, token: str | None) -> str:
    """Resolve the model once per job, because a branch may move before a later attempt or stage."""
    with locked(Path(config.paths.stage).parent, "base"):
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
    model, uri = named_base(config)
    with locked(Path(config.paths.stage).parent, "base"):
        known = read_base(config) or BaseRecord(uri=uri, named_revision=model.revision)
        if known.revision and known.digest and known.digest != digest:
            # The files of a commit never change.
            raise BadData(
                f"{start} does not contain the files that were downloaded from {uri}; remove it, and they are downloaded again"
            )
        if known.digest != digest:
            write_base(config, known.model_copy(update={"digest": digest}))
