"""From named datasets to tokens on the workspace volume: written once by the first process, mapped into memory by all."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import datasets
from accelerate import PartialState
from alignment_api.run_config import RunConfig
from alignment_api.training import Dataset
from jinja2 import TemplateError

from alignment_trainer.failures import BadConfiguration, BadData
from alignment_trainer.files import flush_tree, rename_whole
from alignment_trainer.mixture import ImpossibleHoldout, draw
from alignment_trainer.rows import BadRow, dialogue_of, pair_of
from alignment_trainer.settings import Settings
from alignment_trainer.sources import HUB, WORKSPACE, read_rows, source_name, workspace_path
from alignment_trainer.tokens import Tokens, dialogue_tokens, pair_tokens

DATA_FOLDER = "data"
_COUNTS_FILE = "counts.json"
_PARTS = ("train", "held_out")

Tokenize = Callable[[dict[str, Any]], tuple[Tokens | None, bool]]


class Data(NamedTuple):
    """Tokens to train and to evaluate on, and how many rows came from where."""

    train: Any
    held_out: Any | None
    counts: dict[str, dict[str, int]]


class _Source:
    """One dataset, wherever it lies."""

    def __init__(self, dataset: Dataset, config: RunConfig) -> None:
        self.dataset = dataset
        self.name = source_name(dataset)
        self._path = workspace_path(dataset.uri, config.paths.workspace)
        self._hub = None if dataset.uri.startswith(WORKSPACE) else _load_from_hub(dataset, config)

    def count(self) -> int:
        """Count the rows."""
        return len(self._hub) if self._hub is not None else sum(1 for _ in read_rows(self._path))

    def rows(self, wanted: list[int]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Give the wanted rows, each with its place for messages."""
        if self._hub is not None:
            for position in wanted:
                yield f"{self.dataset.uri} row {position}", self._hub[position]
            return
        positions = set(wanted)
        shown = self.dataset.uri.removeprefix(WORKSPACE)
        for position, row in enumerate(read_rows(self._path)):
            if position in positions:
                if row.fault:
                    raise BadData(f"{shown}:{row.number}: {row.fault}")
                yield f"{shown}:{row.number}", row.values


def sft_data(config: RunConfig, settings: Settings, tokenizer: Any, assistant_only: bool) -> Data:
    """Give dialogues as tokens."""
    return _prepared(
        config,
        settings,
        ("input_ids", "labels"),
        lambda row: dialogue_tokens(dialogue_of(row), tokenizer, assistant_only, settings.max_length),
    )


def dpo_data(config: RunConfig, settings: Settings, tokenizer: Any) -> Data:
    """Give pairs as tokens."""
    return _prepared(
        config,
        settings,
        ("prompt_ids", "chosen_ids", "rejected_ids"),
        lambda row: pair_tokens(pair_of(row), tokenizer, settings.max_length),
    )


def _prepared(config: RunConfig, settings: Settings, columns: tuple[str, ...], tokenize: Tokenize) -> Data:
    folder = Path(config.paths.stage) / DATA_FOLDER
    state = PartialState()
    # An attempt that goes on with training must see the rows that the first one saw, even if a file changed since.
    if state.is_main_process and not folder.exists():
        _write(config, settings, columns, tokenize, folder)
    state.wait_for_everyone()
    counts = json.loads((folder / _COUNTS_FILE).read_text())
    train = datasets.Dataset.from_file(str(folder / "train.arrow")).shuffle(seed=settings.seed, keep_in_memory=True)
    held_out = datasets.Dataset.from_file(str(folder / "held_out.arrow")) if settings.holdout else None
    return Data(train, held_out, counts)


def _write(config: RunConfig, settings: Settings, columns: tuple[str, ...], tokenize: Tokenize, folder: Path) -> None:
    staged = folder.with_name(f".{folder.name}")
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    parts = _parts(config, settings)
    counts: dict[str, dict[str, int]] = {}
    for part in _PARTS:
        rows = (entry for source, wanted in parts[part] for entry in _tokens(source, wanted, part, tokenize, counts))
        _write_arrow(staged / f"{part}.arrow", columns, rows)
    if not sum(count["train"] for count in counts.values()):
        raise BadData(f"{settings.path}.datasets: no row fits into maxLength {settings.max_length}; raise it")
    if settings.holdout and not sum(count["held_out"] for count in counts.values()):
        raise BadData(f"{settings.path}.holdout: no row fits into maxLength {settings.max_length}; raise it")
    _tell_cuts(counts, settings)
    (staged / _COUNTS_FILE).write_text(json.dumps(counts, indent=1))
    flush_tree(staged)
    rename_whole(staged, folder)


def _parts(config: RunConfig, settings: Settings) -> dict[str, list[tuple[_Source, list[int]]]]:
    sources = [_Source(dataset, config) for dataset in settings.datasets]
    counted = [source.count() for source in sources]
    try:
        draws = draw(settings.datasets, counted, settings.holdout, settings.seed)
    except ImpossibleHoldout as error:
        raise BadConfiguration(f"{settings.path}.holdout: {error}") from error
    train = [(source, drawn.train) for source, drawn in zip(sources, draws, strict=True)]
    held_out = [(source, drawn.held_out) for source, drawn in zip(sources, draws, strict=True)]
    if settings.holdout and settings.holdout.datasets:
        apart = settings.holdout.datasets
        apart_sources = [_Source(dataset, config) for dataset in apart]
        apart_draws = draw(apart, [source.count() for source in apart_sources], None, settings.seed)
        held_out = [(source, drawn.train) for source, drawn in zip(apart_sources, apart_draws, strict=True)]
    return {"train": train, "held_out": held_out}


def _tokens(
    source: _Source, wanted: list[int], part: str, tokenize: Tokenize, counts: dict[str, dict[str, int]]
) -> Iterator[Tokens]:
    count = counts.setdefault(source.name, {"train": 0, "held_out": 0, "cut": 0, "dropped": 0})
    for place, row in source.rows(wanted):
        try:
            tokens, is_cut = tokenize(row)
        except BadRow as error:
            raise BadData(f"{place}: {error}") from error
        except TemplateError as error:
            raise BadData(
                f"{place}: the chat template refuses the row ({error}); correct it or choose another template"
            ) from error
        count["cut"] += is_cut
        count["dropped" if tokens is None else part] += 1
        if tokens is not None:
            yield tokens


def _write_arrow(path: Path, columns: Sequence[str], rows: Iterator[Tokens]) -> None:
    features = datasets.Features({column: datasets.List(datasets.Value("int32")) for column in columns})
    with datasets.arrow_writer.ArrowWriter(path=str(path), features=features) as writer:
        for row in rows:
            writer.write(row)
        writer.finalize()


def _tell_cuts(counts: dict[str, dict[str, int]], settings: Settings) -> None:
    for name, count in counts.items():
        if count["cut"]:
            print(
                f"{settings.path}.maxLength: {count['cut']} rows of {name} are longer than {settings.max_length} tokens and "
                f"were cut, {count['dropped']} of them had nothing left to learn and were dropped",
                file=sys.stderr,
                flush=True,
            )


def _load_from_hub(dataset: Dataset, config: RunConfig) -> Any:
    token = Path(config.paths.hub_token).read_text().strip() if config.paths.hub_token else None
    try:
        return datasets.load_dataset(
            dataset.uri.removeprefix(HUB),
            dataset.configuration,
            split=dataset.split or "train",
            revision=dataset.revision,
            token=token,
        )
    except (ValueError, FileNotFoundError, ConnectionError) as error:
        raise BadData(f"{dataset.uri}: cannot be loaded ({str(error).splitlines()[0]}); check name, split and access") from error
