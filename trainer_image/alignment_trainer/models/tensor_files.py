"""Reads and writes weight files tensor by tensor, with at most one tensor, or one piece of it, in memory."""

import json
import math
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Self

import torch
from alignment_api.files import flush

from alignment_trainer.model_folder.headers import read_header, weight_files

TYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
"""The dtypes that are converted; tensors of any other type are copied unchanged."""

_NAMES = {dtype: name for name, dtype in TYPES.items()}
_PIECE_BYTES = 16 << 20
_SHARD_BYTES = 5 * 10**9
_ALIGNMENT = 8


class StoredTensor(NamedTuple):
    """A tensor in a file."""

    name: str
    path: Path
    kind: str
    """The name that safetensors gives its dtype."""
    shape: tuple[int, ...]
    begin: int
    size: int

    @property
    def dtype(self) -> torch.dtype | None:
        """Return its dtype; None if it is no floating point type of TYPES."""
        return TYPES.get(self.kind)

    def read(self) -> torch.Tensor:
        """Read the whole tensor into new memory."""
        assert self.dtype is not None
        content = bytearray(self.size)
        with self.path.open("rb", buffering=0) as file:
            file.seek(self.begin)
            _fill(file, memoryview(content))
        return torch.frombuffer(content, dtype=self.dtype).view(self.shape)

    def pieces(self) -> Iterator[bytearray]:
        """Read it piece by piece; no piece splits a number."""
        with self.path.open("rb", buffering=0) as file:
            file.seek(self.begin)
            for offset in range(0, self.size, _PIECE_BYTES):
                piece = bytearray(min(_PIECE_BYTES, self.size - offset))
                _fill(file, memoryview(piece))
                yield piece


class NewTensor(NamedTuple):
    """A tensor to be written."""

    name: str
    kind: str
    shape: tuple[int, ...]
    size: int


def stored_tensors(folder: Path) -> list[StoredTensor]:
    """Return the tensors of a model's files, in the order of the files."""
    return [tensor for path in weight_files(folder) for tensor in tensors_of(path)]


def tensors_of(path: Path) -> list[StoredTensor]:
    """Return the tensors of one file, in the order of its bytes."""
    return [
        StoredTensor(header.name, path, header.dtype, header.shape, header.begin, header.end - header.begin)
        for header in read_header(path)
    ]


def as_written(tensor: StoredTensor, dtype: torch.dtype) -> NewTensor:
    """Return how a tensor is written in another dtype."""
    if tensor.dtype is None:
        return NewTensor(tensor.name, tensor.kind, tensor.shape, tensor.size)
    return NewTensor(tensor.name, _NAMES[dtype], tensor.shape, math.prod(tensor.shape) * dtype.itemsize)


class ModelWriter:
    """Writes a model's files, each tensor in the order in which it was announced."""

    def __init__(self, folder: Path, tensors: Iterable[NewTensor]) -> None:
        self._folder = folder
        self._shards = _shards(list(tensors))
        self._file: BinaryIO | None = None
        self._shard = 0
        self._left = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        if self._file:
            self._file.close()
        if failure[0] is None:
            assert self._left == 0 and self._shard == len(self._shards), "each announced tensor is written in full"
            self._write_index()

    def write(self, content: Any) -> None:
        """Write the next bytes; a full file is flushed to the disk before the next one is started."""
        if self._left == 0:
            self._begin()
        assert self._file is not None
        view = memoryview(content).cast("B")
        self._file.write(view)
        self._left -= len(view)
        assert self._left >= 0, "no more is written than was announced"
        if self._left == 0:
            self._file.close()
            flush(self._path(self._shard))
            self._file, self._shard = None, self._shard + 1

    def _begin(self) -> None:
        shard, entries, offset = self._shards[self._shard], {}, 0
        for tensor in shard:
            place = [offset, offset + tensor.size]
            entries[tensor.name] = {"dtype": tensor.kind, "shape": list(tensor.shape), "data_offsets": place}
            offset += tensor.size
        head = json.dumps({"__metadata__": {"format": "pt"}, **entries}, separators=(",", ":")).encode()
        head += b" " * (-len(head) % _ALIGNMENT)
        self._file = self._path(self._shard).open("wb", buffering=0)
        self._file.write(struct.pack("<Q", len(head)) + head)
        self._left = offset

    def _path(self, shard: int) -> Path:
        if len(self._shards) == 1:
            return self._folder / "model.safetensors"
        return self._folder / f"model-{shard + 1:05}-of-{len(self._shards):05}.safetensors"

    def _write_index(self) -> None:
        if len(self._shards) == 1:
            return
        places = {tensor.name: self._path(number).name for number, shard in enumerate(self._shards) for tensor in shard}
        total = sum(tensor.size for shard in self._shards for tensor in shard)
        index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(places.items()))}
        (self._folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def _shards(tensors: list[NewTensor]) -> list[list[NewTensor]]:
    shards: list[list[NewTensor]] = [[]]
    filled = 0
    for tensor in tensors:
        if shards[-1] and filled + tensor.size > _SHARD_BYTES:
            shards.append([])
            filled = 0
        shards[-1].append(tensor)
        filled += tensor.size
    return shards


def _fill(file: Any, view: memoryview) -> None:
    while view:
        count = file.readinto(view)
        if not count:
            raise EOFError(f"{file.name} ends before its header says")
        view = view[count:]
