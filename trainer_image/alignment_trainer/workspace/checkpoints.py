"""Checkpoints as folders that are complete or ignored: staged, hashed, renamed, verified before use; without torch."""

import hashlib
import shutil
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from alignment_api.files import rename_whole, write_whole
from alignment_api.names import CHECKPOINTS_FOLDER, MANIFEST_FILE
from pydantic import BaseModel, ConfigDict, ValidationError

from alignment_trainer.failures import IncompleteCheckpoint, NoUsableCheckpoint
from alignment_trainer.workspace.activity import advancing
from alignment_trainer.workspace.hashes import hash_file

_PREFIX = "step-"
_STAGING = ".staging"
_PATIENCE_SECONDS = 90.0
"""Longer than NFS caches a folder's attributes: 60 seconds with the default mount options."""

Sizes = dict[str, int]


class FileRecord(BaseModel):
    """Size and hash of a checkpoint's file when it was written."""

    model_config = ConfigDict(extra="forbid")

    size: int
    sha256: str


class CheckpointManifest(BaseModel):
    """The step and the files of a checkpoint, with a hash of the manifest itself."""

    model_config = ConfigDict(extra="forbid")

    step: int
    total_steps: int
    world_size: int
    files: dict[str, FileRecord]
    sha256: str = ""

    def digest(self) -> str:
        """Hash all other fields, because the manifest can be damaged too."""
        return hashlib.sha256(self.model_dump_json(exclude={"sha256"}).encode()).hexdigest()


class Checkpoint:
    """A verified checkpoint."""

    def __init__(self, folder: Path, manifest: CheckpointManifest) -> None:
        self.folder = folder
        self.step = manifest.step
        self.world_size = manifest.world_size
        self.is_last = manifest.step >= manifest.total_steps


class Saved(NamedTuple):
    """How many checkpoints a stage has, and how far it is."""

    checkpoints: int = 0
    step: int = 0
    total_steps: int | None = None


def staging_folder(stage: Path) -> Path:
    """Return the folder that unfinished checkpoints are written to."""
    return stage / CHECKPOINTS_FOLDER / _STAGING


def sizes_of(staged: Path) -> Sizes:
    """List the files below a folder with their sizes, as this process sees them."""
    return {str(path.relative_to(staged)): path.stat().st_size for path in sorted(staged.rglob("*")) if path.is_file()}


def await_all(staged: Path, seen: Sequence[Sizes], patience_seconds: float = _PATIENCE_SECONDS) -> None:
    """Wait until this process sees every file that any process saw; each process has seen at least its own files."""
    deadline = time.monotonic() + patience_seconds
    while missing := _not_seen(staged, seen):
        if time.monotonic() >= deadline:
            raise IncompleteCheckpoint(
                f"{staged}: another process wrote {missing[0]}, but rank 0 does not see all of it "
                f"({len(missing)} such files); mount the same ReadWriteMany workspace volume into all pods"
            )
        time.sleep(min(1.0, patience_seconds))


def _not_seen(staged: Path, seen: Sequence[Sizes]) -> list[str]:
    own = sizes_of(staged)
    # A larger file is no fault: another process may have seen an old size of a file that it did not write.
    return sorted({name for sizes in seen for name, size in sizes.items() if own.get(name, -1) < size})


def commit(staged: Path, stage: Path, step: int, total_steps: int, world_size: int) -> Path:
    """Turn a fully written folder into a checkpoint."""
    sizes = sizes_of(staged)
    with advancing(f"hashing {_PREFIX}{step}", sum(sizes.values()), "bytes") as advance:
        files = {name: FileRecord(size=size, sha256=hash_file(staged / name, advance)) for name, size in sizes.items()}
    manifest = CheckpointManifest(step=step, total_steps=total_steps, world_size=world_size, files=files)
    manifest.sha256 = manifest.digest()
    write_whole(staged / MANIFEST_FILE, manifest.model_dump_json(indent=1))
    target = stage / CHECKPOINTS_FOLDER / f"{_PREFIX}{step}"
    if target.exists():
        # An earlier attempt saved this step, but its checkpoint is damaged; otherwise training would have resumed from it.
        shutil.rmtree(target)
    rename_whole(staged, target)
    return target


def prune(stage: Path, keep: int, last_good_step: int) -> None:
    """Remove all checkpoints except the newest ones and the newest good one."""
    folders = _newest_first(stage)
    good = next((folder for folder in folders if _step(folder) <= last_good_step), None)
    for folder in folders[keep:]:
        if folder != good:
            shutil.rmtree(folder)


def clear_staging(stage: Path) -> None:
    """Remove the files of an interrupted save."""
    shutil.rmtree(staging_folder(stage), ignore_errors=True)


def newest_step(stage: Path) -> int | None:
    """Return the step of the newest checkpoint by its name, unverified: good enough for a message."""
    folders = _newest_first(stage)
    return _step(folders[0]) if folders else None


def saved_of(stage: Path) -> Saved:
    """Return what the names and the manifest of the checkpoints say, unverified: good enough for an estimate."""
    folders = _newest_first(stage)
    if not folders:
        return Saved()
    try:
        total = _manifest(folders[0]).total_steps
    except (OSError, ValidationError):
        total = None
    return Saved(len(folders), _step(folders[0]), total)


def newest_verified(stage: Path) -> Checkpoint | None:
    """Find the newest complete checkpoint; None only if there was never one."""
    folders = _newest_first(stage)
    for folder in folders:
        with closing(_faults(folder)) as faults:
            fault = next(faults, None)
        if fault is None:
            return Checkpoint(folder, _manifest(folder))
        print(f"{folder} is skipped: {fault}", file=sys.stderr, flush=True)
    if folders:
        raise NoUsableCheckpoint(
            f"none of the {len(folders)} checkpoints in {folders[0].parent} is complete, so training cannot resume; "
            f"restore one, or remove that folder to start the stage again"
        )
    return None


def _newest_first(stage: Path) -> list[Path]:
    folders = (stage / CHECKPOINTS_FOLDER).glob(f"{_PREFIX}*")
    return sorted((folder for folder in folders if folder.name.removeprefix(_PREFIX).isdigit()), key=_step, reverse=True)


def _step(folder: Path) -> int:
    return int(folder.name.removeprefix(_PREFIX))


def _manifest(folder: Path) -> CheckpointManifest:
    return CheckpointManifest.model_validate_json((folder / MANIFEST_FILE).read_bytes())


def _faults(folder: Path) -> Generator[str, None, None]:
    try:
        manifest = _manifest(folder)
    except (OSError, ValidationError):
        yield f"its {MANIFEST_FILE} is missing or broken"
        return
    if manifest.sha256 != manifest.digest():
        yield f"its {MANIFEST_FILE} was changed after it was saved"
        return
    # Sizes first, because they find most damage without reading gigabytes.
    for name, record in manifest.files.items():
        path = folder / name
        if not path.is_file():
            yield f"{name} is missing"
        elif path.stat().st_size != record.size:
            yield f"{name} has {path.stat().st_size} bytes, not {record.size}"
    with advancing(f"verifying {folder.name}", sum(record.size for record in manifest.files.values()), "bytes") as advance:
        for name, record in manifest.files.items():
            if (folder / name).is_file() and hash_file(folder / name, advance) != record.sha256:
                yield f"{name} was changed after it was saved"
