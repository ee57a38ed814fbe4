"""Log-probabilities of all pairs under the reference model: computed once by the trainer's forward, kept on the workspace."""

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

from alignment_trainer.failures import Diverged
from alignment_trainer.models.loading import weights_dtype
from alignment_trainer.models.weights import configuration_digest
from alignment_trainer.settings.training import Settings
from alignment_trainer.training.dealing import Round
from alignment_trainer.workspace.hashes import hash_file, hash_files
from alignment_trainer.workspace.preparation_progress import with_progress

_COLUMNS = ("prompt_ids", "chosen_ids", "rejected_ids")
_READ_AT_ONCE = 10_000
_PACKAGES = ("torch", "transformers", "trl", "bitsandbytes")
_FORWARD = Path(__file__).parent
_VALUES, _MANIFEST = "values.npy", "manifest.json"

REFERENCE_COLUMNS = ("ref_chosen_logps", "ref_rejected_logps")

Forward = Callable[[list[dict[str, Any]]], torch.Tensor]
"""From rows to the log-probabilities of their chosen and rejected answers."""


Deal = Callable[[Sequence[int]], list[Round]]
"""From how many tokens each row has to the rounds of this process."""


class Reference(NamedTuple):
    """What the values depend on besides the rows; those of the same identity are the same, whichever job computed them."""

    config: RunConfig
    settings: Settings
    identity: dict[str, Any]

    def of(self, rows: Any, deal: Deal, forward: Forward) -> "RowsWithReference":
        """Give the rows with their values, computing those that are not kept yet."""
        # The first process alone looks: on a shared volume the others may see a new folder later.
        kept = self._place(rows) if PartialState().is_main_process else None
        found = [_read(kept) if kept else None]
        broadcast_object_list(found)
        values, tokens = found[0], _tokens(rows)
        if values is None:
            values = self._computed(rows, deal(tokens), forward)
            if kept:
                _keep(kept, values, self.identity)
        return RowsWithReference(rows, values, tokens)

    def _computed(self, rows: Any, dealt: list[Round], forward: Forward) -> Any:
        rounds: Iterable[Round] = dealt
        if PartialState().is_main_process:
            rounds = with_progress(dealt, len(dealt), "asking the reference", "batches", self.config, self.settings)
        mine: list[tuple[int, list[float]]] = []
        for wanted, counts in rounds:
            of_answers = forward([rows[row] for row in wanted]).double().tolist()
            mine += zip(wanted, of_answers, strict=True) if counts else []
        values = numpy.full((len(rows), 2), numpy.nan)
        for row, of_row in gather_object(mine):
            values[row] = of_row
        if unusable := int((~numpy.isfinite(values)).any(axis=1).sum()):
            raise Diverged(
                f"the model that the stage starts from gives no finite log-probability for {unusable} of {len(rows)} pairs; "
                f"its weights hold numbers that are none, or are too large for {self.settings.precision}"
            )
        return values

    def _place(self, rows: Any) -> Path:
        """Name a folder by all that its values depend on."""
        digest = hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode())
        for part in _parts(rows):
            for tokens in part:
                digest.update(numpy.asarray(tokens.value_lengths()).tobytes())
                digest.update(numpy.asarray(tokens.flatten()).tobytes())
        return Path(self.config.paths.workspace) / ".cache" / "reference" / digest.hexdigest()[:32]


class RowsWithReference(torch.utils.data.Dataset):  # type: ignore[type-arg]
    """Rows that stay mapped into memory, each with its two values."""

    def __init__(self, rows: Any, values: Any, tokens: Any) -> None:
        self._rows = rows
        self._values = values
        self.tokens = tokens
        """How many each pair has, its prompt counted once."""

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {**self._rows[index], **dict(zip(REFERENCE_COLUMNS, self._values[index].tolist(), strict=True))}


def reference_of(config: RunConfig, settings: Settings, start: Path, weights: str, template: str, packs: bool) -> Reference:
    """Say what the values depend on: another beta, loss or learning rate finds them there."""
    identity = {
        "weights": weights,
        "configuration": configuration_digest(start),
        "template": template,
        "maxLength": settings.max_length,
        "weightsFormat": str(weights_dtype(settings)),
        "quantized": bool(settings.adapter and settings.adapter.quantized),
        "precision": settings.precision,
        # Another forward rounds otherwise, and so may the same after a change.
        "forward": {"packed": packs, "source": hash_files(sorted(_FORWARD.glob("*.py")))},
        "versions": {package: version(package) for package in _PACKAGES},
    }
    return Reference(config, settings, identity)


def _parts(rows: Any) -> Iterator[list[Any]]:
    """Give the columns of tokens piece by piece, without making Python objects of them."""
    for part in rows.with_format("arrow").iter(_READ_AT_ONCE):
        yield [part[column].combine_chunks() for column in _COLUMNS]


def _tokens(rows: Any) -> Any:
    return numpy.concatenate([sum(numpy.asarray(tokens.value_lengths()) for tokens in part) for part in _parts(rows)])


def _read(kept: Path) -> Any | None:
    """Read values that are whole; damaged ones are removed, and computed again."""
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
    """Give the values their name once they are whole; another job may have been faster with the same."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=f".{kept.name}.", dir=kept.parent))
    numpy.save(staged / _VALUES, values, allow_pickle=False)
    (staged / _MANIFEST).write_text(json.dumps({"sha256": hash_file(staged / _VALUES), "identity": identity}, indent=1))
    # Temporary folders are for their owner alone; these values are for other jobs too.
    staged.chmod(0o755)
    flush_tree(staged)
    try:
        rename_whole(staged, kept)
    except OSError:
        if not kept.exists():
            raise
        shutil.rmtree(staged, ignore_errors=True)
