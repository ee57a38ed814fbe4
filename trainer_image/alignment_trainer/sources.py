"""Reads datasets on the workspace volume row by row, each row with its place, without torch."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from alignment_api.training import Dataset

from alignment_trainer.rows import BadRow

WORKSPACE = "workspace://"
HUB = "hf://"
FORMATS = (".jsonl", ".parquet")


class Row(NamedTuple):
    """One row and its place in the file, counted from one; a fault where it cannot be read."""

    number: int
    values: dict[str, Any]
    fault: BadRow | None = None


def source_name(dataset: Dataset) -> str:
    """Name a dataset in manifests and counts."""
    return dataset.name or Path(dataset.uri).stem


def workspace_path(uri: str, workspace: str) -> Path:
    """Find what a workspace:// uri names."""
    return Path(workspace) / uri.removeprefix(WORKSPACE)


def read_rows(path: Path) -> Iterator[Row]:
    """Read a file of rows; the caller has checked that its format is one of FORMATS."""
    return _parquet_rows(path) if path.suffix == ".parquet" else _json_rows(path)


def _json_rows(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                values = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield Row(number, {}, BadRow(f"is not JSON that can be read ({error}); correct the line"))
                continue
            if isinstance(values, dict):
                yield Row(number, values)
            else:
                yield Row(number, {}, BadRow("is not a JSON object; write one row as one object"))


def _parquet_rows(path: Path) -> Iterator[Row]:
    import pyarrow.parquet

    number = 0
    for batch in pyarrow.parquet.ParquetFile(path).iter_batches(batch_size=1000):
        for values in batch.to_pylist():
            number += 1
            yield Row(number, values)
