"""Gives lm-eval the rows of files on the workspace volume in place of the Hub's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict
from pyarrow import ArrowException

from alignment_trainer.failures import BadData
from alignment_trainer.reading.row_files import read_rows


def given_rows(files: dict[str, str], **_: object) -> DatasetDict:
    """Return the rows of each split; lm-eval calls this with a task's dataset_kwargs and metadata."""
    return DatasetDict({split: _split(Path(file)) for split, file in files.items()})


def _split(file: Path) -> Dataset:
    rows = list(_values(file))
    if not rows:
        raise BadData(f"{file}: it has no rows; add some, or remove the file")
    try:
        return Dataset.from_list(rows)
    except ArrowException as error:
        raise BadData(f"{file}: a column has values of several types ({error}); give it one type") from error


def _values(file: Path) -> Iterator[dict[str, Any]]:
    for place, values, fault in read_rows(file):
        if fault:
            raise BadData(f"{place.within(file.name)}: {fault}")
        yield values
