"""Reads the headers of a model's safetensors files, without their weights, and says what is wrong with them."""

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

from alignment_trainer.model_folder.documents import COPY, Unfit, check_file, read_object

WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"

_BITS = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "I8", "U8", "BOOL"), 8),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
}
_LENGTH_BYTES = 8
_LONGEST_HEADER = 100_000_000
"""The limit of the safetensors library."""

Shape = tuple[int, ...]


class Header(NamedTuple):
    """What the header of a file says of one tensor."""

    name: str
    file: str
    dtype: str
    shape: Shape
    begin: int
    """Where its bytes begin in the file."""
    end: int


def read_headers(folder: Path) -> list[Header]:
    """Read what the weight files of a folder contain; no two tensors have the same name."""
    files, listed = _files_and_index(folder)
    found: dict[str, Header] = {}
    for file in files:
        for header in read_header(folder / file):
            if header.name in found:
                raise Unfit(f"has the tensor {header.name} twice, in {found[header.name].file} and {file}; {COPY}")
            found[header.name] = header
    for name, file in listed.items():
        if name not in found or found[name].file != file:
            raise Unfit(f"has an index that names {name} in {file}, which does not contain it; {COPY}")
    if not found:
        raise Unfit(f"has no tensors in {files[0]}; {COPY}")
    return list(found.values())


def weight_files(folder: Path) -> list[Path]:
    """Return the files that a model is loaded from; some folders contain the model again in another format."""
    return [folder / file for file in _files_and_index(folder)[0]]


def read_header(path: Path) -> list[Header]:
    """Read the tensors of one file in the order of its bytes, which they must fill without a gap."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        if size < _LENGTH_BYTES or length > min(size - _LENGTH_BYTES, _LONGEST_HEADER):
            raise Unfit(f"has a {path.name} of {size} bytes that is truncated or no safetensors file; {COPY}")
        content = file.read(length)
    start = _LENGTH_BYTES + length
    headers = [_header(path, start, *entry) for entry in _entries(path, content)]
    headers.sort(key=lambda each: (each.begin, each.end))
    _check_places(path, headers, start, size)
    return headers


def _files_and_index(folder: Path) -> tuple[list[str], dict[str, str]]:
    """Return the files that transformers reads, and where the index says that each tensor is."""
    for name in (WHOLE, INDEX):
        check_file(folder / name)
    if (folder / WHOLE).exists():
        return [WHOLE], {}
    if (folder / INDEX).exists():
        listed = _index(folder)
        return sorted(set(listed.values())), listed
    others = sorted(path.name for path in folder.glob("*.safetensors"))
    if others:
        raise Unfit(f"has {others[0]}, but neither {WHOLE} nor {INDEX}; {COPY}")
    raise Unfit("has no *.safetensors; convert the weights, other formats can carry code and are not read")


def _index(folder: Path) -> dict[str, str]:
    listed = read_object(folder / INDEX, COPY).get("weight_map")
    if not isinstance(listed, dict) or not listed or not all(isinstance(file, str) for file in listed.values()):
        raise Unfit(f"has a {INDEX} without a weight_map that names the file of each tensor; {COPY}")
    files = sorted(set(listed.values()))
    outside = [file for file in files if Path(file).name != file or not file.endswith(".safetensors")]
    if outside:
        raise Unfit(f"has a {INDEX} that names {outside[0]!r}, which is no safetensors file of this folder; {COPY}")
    for file in files:
        check_file(folder / file)
    missing = [file for file in files if not (folder / file).exists()]
    if missing:
        raise Unfit(f"lacks {missing[0]} ({len(missing)} of {len(files)} weight files); copy the whole model folder")
    return listed


def _entries(path: Path, content: bytes) -> list[tuple[str, Any]]:
    try:
        # All pairs of the outermost object, which may hold one name twice.
        pairs = json.loads(content, object_pairs_hook=list)
    except (ValueError, RecursionError):
        raise Unfit(
            f"has a {path.name} whose header is not valid JSON, so it is damaged or no safetensors file; {COPY}"
        ) from None
    if not content.startswith(b"{") or not isinstance(pairs, list):
        raise Unfit(f"has a {path.name} whose header is no JSON object, so it is damaged or no safetensors file; {COPY}")
    names = [name for name, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice:
        raise Unfit(f"has a {path.name} whose header names {twice} twice; {COPY}")
    return [(name, entry) for name, entry in pairs if name != "__metadata__"]


def _header(path: Path, start: int, name: str, entry: Any) -> Header:
    try:
        fields = dict(entry)
        dtype, shape, (begin, end) = fields["dtype"], tuple(fields["shape"]), fields["data_offsets"]
        numbers = (*shape, begin, end)
        if not all(type(number) is int and number >= 0 for number in numbers):
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise Unfit(
            f"has a {path.name} whose header does not describe {name}: it needs dtype, shape and data_offsets; {COPY}"
        ) from None
    if dtype not in _BITS:
        raise Unfit(
            f"has the tensor {name} of the unknown dtype {dtype!r} in {path.name}; convert it to a newer or simpler format"
        )
    if (end - begin) * 8 != math.prod(shape) * _BITS[dtype]:
        raise Unfit(
            f"has the tensor {name} in {path.name} with {end - begin} bytes, which do not fit {dtype} {list(shape)}; {COPY}"
        )
    return Header(name, path.name, dtype, shape, start + begin, start + end)


def _check_places(path: Path, headers: list[Header], start: int, size: int) -> None:
    expected = start
    for header in headers:
        if header.begin != expected:
            how = "overlaps the tensor before it" if header.begin < expected else "begins behind a gap"
            raise Unfit(f"has the tensor {header.name} in {path.name}, which {how}; {COPY}")
        expected = header.end
    if expected != size:
        how = "so it is truncated" if expected > size else "so it was changed or badly copied"
        bytes_found = f"{size - start} bytes of weights where its header describes {expected - start}"
        raise Unfit(f"has a {path.name} with {bytes_found}, {how}; {COPY}")
