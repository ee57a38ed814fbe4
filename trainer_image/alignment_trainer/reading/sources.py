"""Finds a dataset's rows on the workspace volume, in a bucket or on the Hub, and reads them with their places."""

import errno
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from alignment_api.names import BUCKET_PREFIX, HUB_PREFIX, WORKSPACE_PREFIX
from alignment_api.run_config import Paths
from alignment_api.spec.data import Dataset

from alignment_trainer.failures import BadData
from alignment_trainer.fetching import buckets, hub
from alignment_trainer.reading.bad_row import BadRow
from alignment_trainer.reading.lines import Place, Wanted
from alignment_trainer.reading.row_files import FORMATS, Row, count_rows, files_in, format_of, read_rows
from alignment_trainer.reading.visible import in_one_line
from alignment_trainer.workspace.file_kinds import irregular
from alignment_trainer.workspace.links import system_file
from alignment_trainer.workspace.paths import workspace_path

Read = TypeVar("Read")

_USERS_FAULTS = (errno.ENAMETOOLONG, errno.EACCES, errno.EPERM)
"""Of the errors of a path, those that a later attempt would meet again."""


class PlacedRow(NamedTuple):
    """One row, with its place as messages show it; a fault if it cannot be read."""

    place: str
    values: dict[str, Any]
    fault: BadRow | None = None

    def read_as(self, read: Callable[[dict[str, Any]], Read], field: str) -> Read:
        """Return what a reader makes of the row; raise BadData with its place and the field of its dataset, if it cannot."""
        try:
            if self.fault:
                raise self.fault
            return read(self.values)
        except BadRow as fault:
            raise BadData(f"{self.place}: {fault} ({field})") from fault


@dataclass(frozen=True)
class Part:
    """A file of a source, or all of a Hub dataset."""

    shown: str
    count: Callable[[], int]
    read: Callable[[Wanted], Iterator[Row]]


@dataclass(frozen=True)
class Source:
    """All rows of one dataset."""

    parts: list[Part]
    revision: str | None = None
    unmatched: int = 0
    """Rows of the files that are in none of these rows, because each of these is made of two."""

    @cached_property
    def counts(self) -> list[int]:
        """Count the rows of each part."""
        return [part.count() for part in self.parts]

    def rows(self, wanted: Collection[int] | None = None) -> Iterator[PlacedRow]:
        """Yield the rows at the wanted positions, or all rows."""
        first = 0
        for index, part in enumerate(self.parts):
            is_wanted = _everything if wanted is None else partial(_is_among, wanted, first)
            for place, values, fault in part.read(is_wanted):
                yield PlacedRow(place.within(part.shown), values, fault)
            first += self.counts[index] if wanted is not None else 0


def find_source(dataset: Dataset, paths: Paths) -> Source:
    """Return a dataset's rows, downloaded first if they are not on the workspace volume; raise BadData if that fails."""
    source = dataset.source
    if source.startswith(HUB_PREFIX):
        loaded, revision = hub.load(dataset, paths)
        return Source([Part(source, partial(len, loaded), partial(_hub_rows, loaded))], revision)
    if dataset.stage:
        files = _stage_files(source, dataset.stage, paths)
    elif source.startswith(BUCKET_PREFIX):
        files = [(in_one_line(shown), path) for shown, path in buckets.fetch(source, paths, format_of)]
    else:
        files = _workspace_files(source, workspace_path(source, paths.workspace))
    if not files:
        raise BadData(f"{source} is a folder that has no {' or '.join(FORMATS)} file; name another folder, or add files")
    for shown, path in files:
        if format_of(path.name) is None:
            raise BadData(f"{shown} is not a {' or '.join(FORMATS)} file; convert it to one of these")
    return Source([Part(shown, partial(count_rows, path), partial(read_rows, path)) for shown, path in files])


def _stage_files(source: str, stage: str, paths: Paths) -> list[tuple[str, Path]]:
    folder = (paths.stage_rows or {}).get(stage)
    if folder is None or not Path(folder).is_dir():
        place = f" ({folder} does not exist on the workspace volume)" if folder else ""
        raise BadData(f"the rows of stage {stage!r} are missing{place}; put them back, or run the job under another name")
    return _workspace_files(source, Path(folder))


def _workspace_files(uri: str, path: Path) -> list[tuple[str, Path]]:
    """List a file, or the files of a folder, after checks that open none of them."""
    shown = uri.removeprefix(WORKSPACE_PREFIX).rstrip("/")
    try:
        files = [(f"{shown}/{in_one_line(file.name)}", file) for file in files_in(path)] if path.is_dir() else [(uri, path)]
        fault = next(_path_faults(uri, path, files), None)
    except OSError as error:
        if error.errno not in _USERS_FAULTS:
            raise
        fault = f"{uri} cannot be opened ({error.strerror}); correct the path or its permissions"
    if fault:
        raise BadData(fault)
    return files if path.is_dir() else [(shown, path)]


def _path_faults(uri: str, path: Path, files: list[tuple[str, Path]]) -> Iterator[str]:
    if not path.exists() and not path.is_symlink():
        yield f"{uri} does not exist on the workspace volume; copy it there or correct the path"
    found = system_file(path)
    if found:
        yield f"{uri} is a link to {found}, a system file; copy the data itself to the volume"
    for name, file in files:
        kind = irregular(file)
        if kind:
            yield f"{name} is {kind}, not a file; write its rows to a file, or remove it"


def _hub_rows(loaded: Any, is_wanted: Wanted) -> Iterator[Row]:
    for position in range(len(loaded)):
        if is_wanted(position):
            yield Row(Place("row", position + 1), loaded[position])


def _everything(_: int) -> bool:
    return True


def _is_among(wanted: Collection[int], first: int, position: int) -> bool:
    return first + position in wanted
