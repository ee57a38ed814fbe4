"""Turns a stage's datasets into tokens on the workspace volume, which rank 0 writes once and all ranks map into memory."""

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import datasets
from accelerate import PartialState
from alignment_api.files import flush_tree, rename_whole
from alignment_api.run_config import RunConfig

from alignment_trainer.data.fates import TRAIN
from alignment_trainer.data.preparation import Preparation, Prepared
from alignment_trainer.data.selection import Selected, Selection, evaluation_index, select
from alignment_trainer.data.stage_form import StageForm, dpo_form, sft_form
from alignment_trainer.failures import BadData
from alignment_trainer.process.parallel import parallel_map, worker_count
from alignment_trainer.settings.training import Settings
from alignment_trainer.workspace.preparation_progress import with_progress
from alignment_trainer.workspace.stage_folder import DATA_FOLDER

_REPORT_FILE = "report.json"
_FEWEST_ROWS_TO_SPREAD = 500


class Data(NamedTuple):
    """Tokens to train and to evaluate on, and the report of how many rows were used and left out."""

    train: Any
    held_out: Any | None
    report: dict[str, Any]


def sft_data(config: RunConfig, settings: Settings, tokenizer: Any) -> Data:
    """Return dialogues as tokens."""
    return _prepared(config, settings, sft_form(config, settings, tokenizer))


def dpo_data(config: RunConfig, settings: Settings, tokenizer: Any) -> Data:
    """Return pairs as tokens."""
    return _prepared(config, settings, dpo_form(config, settings, tokenizer))


def _prepared(config: RunConfig, settings: Settings, form: StageForm) -> Data:
    folder = Path(config.paths.stage) / DATA_FOLDER
    state = PartialState()
    # A resumed attempt must see the same rows as the first one, even if a source file has changed.
    if state.is_main_process and not folder.exists():
        _write(config, settings, form, folder)
    state.wait_for_everyone()
    report = json.loads((folder / _REPORT_FILE).read_text())
    train = datasets.Dataset.from_file(str(folder / "train.arrow")).shuffle(seed=settings.seed, keep_in_memory=True)
    held_out = datasets.Dataset.from_file(str(folder / "held_out.arrow")) if settings.holdout else None
    return Data(train, held_out, report)


def _write(config: RunConfig, settings: Settings, form: StageForm, folder: Path) -> None:
    staged = folder.with_name(f".{folder.name}")
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    selection = select(config, settings, form.reader.find)
    evaluations = evaluation_index(config, settings, selection)
    for part, selected in selection.parts.items():
        # Only training rows must not contain the evaluation sets; held-out rows are not trained on.
        index = evaluations if part == TRAIN else None
        rows = _rows(selection, part, [(one, form.preparation(one.cleaning, index)) for one in selected])
        total = sum(len(one.wanted) for one in selected)
        watched = with_progress(rows, total, f"preparing rows ({part})", "rows", config, settings)
        _write_arrow(staged / f"{part}.arrow", form.columns, watched)
    summary = "\n".join(selection.summary(f"{settings.datasets_path}", settings.max_length))
    _refuse_empty(selection, settings, summary)
    print(summary, file=sys.stderr, flush=True)
    (staged / _REPORT_FILE).write_text(json.dumps(selection.report, indent=1))
    flush_tree(staged)
    rename_whole(staged, folder)


def _rows(selection: Selection, part: str, prepared: list[tuple[Selected, Preparation]]) -> Iterator[dict[str, Any] | None]:
    """Prepare all rows of a part; yield None for a row that is left out, so that it counts as progress."""
    for one, preparation in prepared:
        processes = worker_count() if len(one.wanted) >= _FEWEST_ROWS_TO_SPREAD else 1
        row: Prepared
        for row in parallel_map(preparation.prepared, one.source.rows(frozenset(one.wanted)), processes):
            yield row.tokens if selection.keeps(part, one.name, row) else None


def _write_arrow(path: Path, columns: Sequence[str], rows: Iterator[dict[str, Any] | None]) -> None:
    features = datasets.Features({column: datasets.List(datasets.Value("int32")) for column in columns})
    with datasets.arrow_writer.ArrowWriter(path=str(path), features=features) as writer:
        for row in rows:
            if row is not None:
                writer.write(row)
        writer.finalize()


def _refuse_empty(selection: Selection, settings: Settings, summary: str) -> None:
    if not selection.total("train"):
        raise BadData(f"{settings.datasets_path}: no row is left to train on; what happened to the rows:\n{summary}")
    if settings.holdout and not selection.total("held_out"):
        raise BadData(f"{settings.path}.holdout: no row is left to evaluate on; what happened to the rows:\n{summary}")
