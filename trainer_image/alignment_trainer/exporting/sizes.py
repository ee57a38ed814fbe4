"""Counts the bytes of a model's tensors, of all and of its linear layers, from the headers of its files."""

from collections import Counter
from collections.abc import Collection
from pathlib import Path

from alignment_api.results.export import Size

from alignment_trainer.model_folder.headers import Header, read_headers


def size_of(folder: Path, layers: Collection[str]) -> Size:
    """Return the size of a model's tensors; `layers` are the names of its linear layers."""
    headers = read_headers(folder)
    known = frozenset(layers)
    return Size(
        all_bytes=sum(map(_bytes, headers)),
        linear_bytes=sum(_bytes(header) for header in headers if _is_in(header.name, known)),
        dtypes=dict(sorted(Counter(header.dtype for header in headers).items())),
    )


def _bytes(header: Header) -> int:
    return header.end - header.begin


def _is_in(name: str, layers: frozenset[str]) -> bool:
    """Return whether a tensor belongs to a layer: quantized weights have scales and codes below the name of their weight."""
    parts = name.split(".")
    return any(".".join(parts[:count]) in layers for count in range(1, len(parts)))
