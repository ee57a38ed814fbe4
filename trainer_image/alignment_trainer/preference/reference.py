"""Log-probabilities of all pairs under the reference model: computed once with the trainer's forward, cached on the workspace."""

import ast
import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy
import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object
from alignment_api.files import flush_tree, rename_whole
from alignment_api.run_config import RunConfig
from alignment_api.spec.lineage import digest

from alignment_trainer.failures import Diverged
from alignment_trainer.model_folder.weights import configuration_digest
from alignment_trainer.models.loading import weights_dtype
from alignment_trainer.settings.training import Settings
from alignment_trainer.training import exact_means, measurements
from alignment_trainer.training.dealing import Deal
from alignment_trainer.workspace.hashes import hash_file
from alignment_trainer.workspace.preparation_progress import with_progress

_COLUMNS = ("prompt_ids", "chosen_ids", "rejected_ids")
_READ_AT_ONCE = 10_000
_PACKAGES = ("torch", "transformers", "trl", "bitsandbytes")
FORWARD_FILES = (
    *sorted(path for path in Path(__file__).parent.glob("*.py") if path.name != Path(__file__).name),
    Path(measurements.__file__),
    Path(exact_means.__file__),
)
"""The source files of the forward. Another forward rounds differently, and so may this one after a change."""
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)
_VALUES, _MANIFEST = "values.npy", "manifest.json"

REFERENCE_COLUMNS = ("ref_chosen_logps", "ref_rejected_logps")

Forward = Callable[[list[dict[str, Any]]], torch.Tensor]
"""Computes the log-probabilities of the rows' chosen and rejected answers."""

DealAll = Callable[[Sequence[int]], list[Deal]]
"""Deals all rows, given how many tokens each has, and returns the deals of this process."""


class Reference(NamedTuple):
    """What the values depend on besides the rows: the same identity means the same values, no matter which job computed them."""

    config: RunConfig
    settings: Settings
    identity: dict[str, Any]
    is_of_start: bool = True
    """Whether it is the model that the training starts from; the values of another one must be in the cache."""

    def of(self, rows: Any, deal: DealAll, forward: Forward) -> "RowsWithReference":
        """Return the rows with their values; values that are not cached yet are computed."""
        # Only the first process looks: on a shared volume a new folder may become visible to the others later.
        kept = self._cache_folder(rows) if PartialState().is_main_process else None
        found = [_read(kept) if kept else None]
        broadcast_object_list(found)
        values, tokens = found[0], _tokens(rows)
        if values is None:
            assert self.is_of_start, "the values of another model than the loaded one are computed before"
            values = self._computed(rows, deal(tokens), forward)
            if kept:
                _keep(kept, values, self.identity)
        return RowsWithReference(rows, values, tokens)

    def _computed(self, rows: Any, dealt: list[Deal], forward: Forward) -> Any:
        deals: Iterable[Deal] = dealt
        if PartialState().is_main_process:
            deals = with_progress(dealt, len(dealt), "asking the reference", "batches", self.config, self.settings)
        mine: list[tuple[int, list[float]]] = []
        for deal in deals:
            of_answers = forward([rows[row] for row in deal.rows]).double().tolist()
            if deal.counts:
                mine += zip(deal.rows, of_answers, strict=True)
        values = numpy.full((len(rows), 2), numpy.nan)
        for row, of_row in gather_object(mine):
            values[row] = of_row
        if unusable := int((~numpy.isfinite(values)).any(axis=1).sum()):
            raise Diverged(
                f"the model that the stage starts from gives no finite log-probability for {unusable} of {len(rows)} pairs; "
                f"its weights are finite, but computing with them overflows {self.settings.precision}"
            )
        return values

    def _cache_folder(self, rows: Any) -> Path:
        """Return the folder that is named by a hash of everything its values depend on."""
        digest = hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode())
        for part in _parts(rows):
            for tokens in part:
                digest.update(numpy.asarray(tokens.value_lengths()).tobytes())
                digest.update(numpy.asarray(tokens.flatten()).tobytes())
        return Path(self.config.paths.workspace) / ".cache" / "reference" / digest.hexdigest()[:32]


class RowsWithReference(torch.utils.data.Dataset):  # type: ignore[type-arg]
    """Memory-mapped rows, each with its two reference values."""

    def __init__(self, rows: Any, values: Any, tokens: Any) -> None:
        self._rows = rows
        self._values = values
        self.tokens = tokens
        """The number of tokens of each pair; the prompt counts once."""

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {**self._rows[index], **dict(zip(REFERENCE_COLUMNS, self._values[index].tolist(), strict=True))}


def program_of(source: str) -> str:
    """Return a source file without comments and docstrings: rewording them must not cost a new pass over all pairs."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)


def reference_of(
    config: RunConfig, settings: Settings, start: Path, weights: str, template: str, packs: bool, is_of_start: bool = True
) -> Reference:
    """Collect what the values depend on; beta, loss and learning rate are not part of it, so changing them reuses the values."""
    identity = {
        "weights": weights,
        "configuration": configuration_digest(start),
        "template": template,
        "maxLength": settings.max_length,
        "weightsFormat": str(weights_dtype(settings)),
        "quantized": bool(settings.adapter and settings.adapter.quantized),
        "precision": settings.precision,
        "forward": {"packed": packs, "source": digest([program_of(path.read_text()) for path in FORWARD_FILES])},
        "versions": {package: version(package) for package in _PACKAGES},
    }
    return Reference(config, settings, identity, is_of_start)


def _parts(rows: Any) -> Iterator[list[Any]]:
    """Return the token columns piece by piece, without creating Python objects for tokens."""
    for part in rows.with_format("arrow").iter(_READ_AT_ONCE):
        yield [part[column].combine_chunks() for column in _COLUMNS]


def _tokens(rows: Any) -> Any:
    return numpy.concatenate([sum(numpy.asarray(tokens.value_lengths()) for tokens in part) for part in _parts(rows)])


def _read(kept: Path) -> Any | None:
    """Read cached values; damaged ones are removed and will be computed again."""
    if not kept.exists():
        return None
    try:
        if json.loads((kept / _MANIFEST).read_text())["sha256"] == hash_file(kept / _VALUES):
            return numpy.load(kept / _VALUES, allow_pickle=False)
    except (OSError, ValueError, KeyError):
        pass
    print(f"{kept} is damaged: the reference's values are computed again", file=sys.stderr, flush=True)
    shutil.rmtree(kept, ignore_errors=True)
    return None


def _keep(kept: Path, values: Any, identity: dict[str, Any]) -> None:
    """Write values to a temporary folder, then rename it; another job may have written the same values first."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=f".{kept.name}.", dir=kept.parent))
    try:
        _write(staged, values, identity)
        rename_whole(staged, kept)
    except OSError:
        if not kept.exists():
            raise
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _write(staged: Path, values: Any, identity: dict[str, Any]) -> None:
    numpy.save(staged / _VALUES, values, allow_pickle=False)
    (staged / _MANIFEST).write_text(json.dumps({"sha256": hash_file(staged / _VALUES), "identity": identity}, indent=1))
    # mkdtemp makes a folder that only its owner can read; other jobs need these values too.
    staged.chmod(0o755)
    flush_tree(staged)
