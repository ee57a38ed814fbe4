"""Makes pairs of the rows of a dataset for KTO, whose answers have labels: a good and a bad answer to one prompt are a pair."""

import hashlib
import json
import pickle
from array import array
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import Any, NamedTuple

import numpy
from alignment_api.run_config import Paths
from alignment_api.spec.data import Dataset

from alignment_trainer.failures import BadData
from alignment_trainer.forms.columns import find_rows, mapped_like
from alignment_trainer.forms.labels import LABEL_COLUMNS, label_of
from alignment_trainer.forms.media import refuse_media
from alignment_trainer.forms.pairs.chosen import BESIDE
from alignment_trainer.reading.bad_row import BadRow
from alignment_trainer.reading.lines import Place, Wanted
from alignment_trainer.reading.row_files import Row
from alignment_trainer.reading.sources import Part, PlacedRow, Source
from alignment_trainer.workspace.activity import counted

_IN_MEMORY_BYTES = 64 * 1024 * 1024


class _Shape(NamedTuple):
    """Columns of labelled rows: an answer in a column of its own, or as the last message of a dialogue."""

    question: tuple[str, ...]
    answer: str


_SHAPES = (
    _Shape(("prompt", *BESIDE), "completion"),
    _Shape(("instruction", "input", *BESIDE), "output"),
    _Shape(("messages", *BESIDE), "messages"),
    _Shape(("conversations", *BESIDE), "conversations"),
)


class _PairPlace(Place):
    """The places of the two rows of a pair."""

    shown = ""

    def within(self, file: str) -> str:
        """Return both places as messages show them."""
        return self.shown


class _Index(NamedTuple):
    """The positions of the rows of each pair, ordered by the second; a row with a fault is its own pair."""

    first: list[int]
    second: list[int]
    unmatched: int


def find_pairs(dataset: Dataset, paths: Paths) -> Source:
    """Return a dataset's rows as a stage that trains on pairs reads them; raise BadData if they cannot be found or paired."""
    return with_pairs(find_rows(dataset, paths), dataset.source)


def with_pairs(source: Source, name: str) -> Source:
    """Return a source of pairs if the first row that can be read has a label; raise BadData if no two rows are a pair."""
    first = next((row for row in source.rows() if not row.fault), None)
    if first is None or not _has_label(first.values):
        return source
    index = _indexed(counted(source.rows(), f"pairing {name}", None, "rows"))
    if not index.first:
        raise BadData(
            f"{name} has rows with a label (KTO), but no prompt with both a good and a bad answer, so there are no pairs to "
            f"train on; train on rows with chosen and rejected"
        )
    pairs = Part(source.parts[0].shown, partial(len, index.first), partial(_pairs, source, index))
    return Source([pairs], source.revision, index.unmatched)


def _has_label(row: Mapping[str, Any]) -> bool:
    return _shape_of(row) is not None and any(row.get(column) is not None for column in LABEL_COLUMNS)


def _shape_of(row: Mapping[str, Any]) -> _Shape | None:
    if row.get("chosen") is not None or row.get("rejected") is not None:
        return None
    return next(
        (shape for shape in _SHAPES if row.get(shape.question[0]) is not None and row.get(shape.answer) is not None), None
    )


def _indexed(rows: Iterable[PlacedRow]) -> _Index:
    """Match the rows of each prompt, of which only hashes stay in memory."""
    hashes, labels, positions, faulty = bytearray(), bytearray(), array("q"), array("q")
    for position, row in enumerate(rows):
        try:
            prompt, is_good = _labelled(row)
        except BadRow:
            faulty.append(position)
        else:
            hashes += prompt
            labels.append(is_good)
            positions.append(position)
    pairs = _matched(numpy.frombuffer(hashes, "u8").reshape(-1, 2), numpy.frombuffer(labels, "u1"), numpy.array(positions))
    ordered = sorted([*pairs, *([position, position] for position in faulty)], key=lambda pair: pair[1])
    return _Index([first for first, _ in ordered], [second for _, second in ordered], len(positions) - 2 * len(pairs))


def _matched(hashes: Any, labels: Any, positions: Any) -> list[list[int]]:
    """Return the first good answer to a prompt with its first bad one, the second with the second, and so on."""
    # Rows of one prompt and label follow each other, in the order of the file: their numbers begin at 0 in each such run.
    order = numpy.lexsort((labels, *hashes.T))
    begins = _differ(hashes[order], labels[order])
    counting = numpy.arange(len(order))
    numbers = counting - numpy.maximum.accumulate(numpy.where(begins, counting, 0))
    # Two rows of one prompt and number have different labels.
    by_number = numpy.lexsort((numbers, *hashes[order].T))
    order, numbers = order[by_number], numbers[by_number]
    second = numpy.flatnonzero(~_differ(hashes[order], numbers))
    pairs: list[list[int]] = numpy.sort(positions[order[numpy.stack([second - 1, second], axis=1)]], axis=1).tolist()
    return pairs


def _differ(hashes: Any, numbers: Any) -> Any:
    """Return for each row whether it differs from the one before; the first one does."""
    differ = numpy.ones(len(hashes), dtype=bool)
    differ[1:] = (hashes[1:] != hashes[:-1]).any(axis=1) | (numbers[1:] != numbers[:-1])
    return differ


def _labelled(row: PlacedRow) -> tuple[bytes, bool]:
    """Return a hash of the prompt of a row, and whether its answer is good."""
    if row.fault:
        raise row.fault
    # The pair keeps the columns of the good row only.
    refuse_media(row.values)
    shape, label = _shape_of(row.values), label_of(row.values)
    if shape is None or label is None:
        raise BadRow("has no prompt, answer and label, but the first row of its dataset has; give all rows the same columns")
    asked = [_before_answer(row.values, shape) if column == shape.answer else row.values.get(column) for column in shape.question]
    return hashlib.blake2b(json.dumps(asked, sort_keys=True, default=str).encode(), digest_size=16).digest(), label


def _before_answer(row: Mapping[str, Any], shape: _Shape) -> Any:
    messages = row[shape.answer]
    if not isinstance(messages, list) or len(messages) < 2:
        raise BadRow(f"{shape.answer} must be a list of at least two messages, of which the last is the answer; correct it")
    return messages[:-1]


def _pairs(source: Source, index: _Index, is_wanted: Wanted) -> Iterator[Row]:
    """Read the wanted pairs in one pass over the source; first rows wait on the disk if they do not fit into the memory."""
    wanted = [pair for pair in range(len(index.first)) if is_wanted(pair)]
    by_second = {index.second[pair]: pair for pair in wanted}
    firsts = {index.first[pair] for pair in wanted} - by_second.keys()
    needed = sorted(by_second.keys() | firsts)
    with _Shelf() as shelf:
        for position, row in zip(needed, source.rows(frozenset(needed)), strict=False):
            if position in firsts:
                shelf.put(position, row)
            else:
                pair = by_second[position]
                first = row if index.first[pair] == position else shelf.take(index.first[pair])
                yield _pair(pair, first, row)


def _pair(number: int, first: PlacedRow, second: PlacedRow) -> Row:
    place = _PairPlace("row", number + 1)
    place.shown = first.place if first is second else f"{first.place} and {second.place}"
    try:
        good, bad = (first, second) if _labelled(first)[1] else (second, first)
        _labelled(second)
    except BadRow as fault:
        return Row(place, {}, fault)
    shape = _shape_of(good.values)
    assert shape is not None, "both rows have one"
    values = {column: value for column, value in good.values.items() if column not in (*LABEL_COLUMNS, shape.answer)}
    chosen, rejected = good.values[shape.answer], bad.values[shape.answer]
    if shape.answer in shape.question:
        values[shape.answer] = _before_answer(good.values, shape)
        chosen, rejected = chosen[-1], rejected[-1]
    return Row(place, mapped_like((good.values, bad.values), {**values, "chosen": chosen, "rejected": rejected}))


class _Shelf:
    """Keeps rows until they are needed, in memory and then in a temporary file."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115
        self._starts: dict[int, int] = {}

    def __enter__(self) -> "_Shelf":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def put(self, position: int, row: PlacedRow) -> None:
        self._starts[position] = self._file.seek(0, 2)
        pickle.dump(row, self._file)

    def take(self, position: int) -> PlacedRow:
        self._file.seek(self._starts.pop(position))
        row: PlacedRow = pickle.load(self._file)
        return row
