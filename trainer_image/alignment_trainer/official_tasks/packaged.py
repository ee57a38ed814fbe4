"""Finds tasks, groups and tags of lm-eval in its installed package, and reads their YAML; importing it would load torch."""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import yaml

_NAMED = re.compile(rb"""^["']?(?:task|group)["']?:[ \t]*["']?([A-Za-z0-9._-]+)["']?[ \t]*(?:#.*)?\r?$""", re.MULTILINE)
"""A task's or group's name in its file; a list of members does not match."""


class Function(NamedTuple):
    """A Python function that a task's file names."""

    module: Path | str
    """A file beside it, or else an importable module."""
    name: str


class Unknown(ValueError):
    """lm-eval has no such task; the message says which it has."""


def harness_version() -> str:
    """Return the version of lm-eval, which belongs to each score."""
    return version("lm_eval")


def is_named(name: str) -> bool:
    """Return whether a task or group has this name."""
    return name in _files()


def file_of(name: str) -> Path:
    """Return the file of a task or group."""
    if name not in _files():
        close = get_close_matches(name, _files(), 3)
        advice = f"did you mean {' or '.join(close)}?" if close else "correct the name"
        raise Unknown(f"lm-eval {harness_version()} has no task {name}; {advice}")
    return _files()[name]


@cache
def tagged(tag: str) -> tuple[str, ...]:
    """Return the names of the tasks that have a tag, sorted; empty if lm-eval has no such tag."""
    named = re.compile(rb"""^[ \t]*(?:-|["']?tag["']?:)[ \t]*["']?%b["']?[ \t]*\r?$""" % re.escape(tag.encode()), re.MULTILINE)
    files = {path for path, text in _texts().items() if named.search(text)}
    found = []
    for path in files | set(_including(files)):
        settings = read(path)
        tags = settings.get("tag") or []
        if tag in ([tags] if isinstance(tags, str) else tags) and isinstance(settings.get("task"), str):
            found.append(settings["task"])
    return tuple(sorted(found))


@cache
def read(path: Path) -> dict[str, Any]:
    """Read the file of a task or group, with what it includes; functions stay names."""
    settings = yaml.load(path.read_bytes(), _loader_of(path.parent))
    included = settings.pop("include", [])
    merged: dict[str, Any] = {}
    for other in [included] if isinstance(included, str) else included:
        merged |= read(path.parent / other)
    return {**merged, **settings}


def _including(files: set[Path]) -> Iterator[Path]:
    """Yield the files that include one of these, and so may have their tags."""
    folders = {file.parent for file in files}
    names = {file.name.encode() for file in files}
    for path, text in _texts().items():
        if path.parent in folders and any(name in text for name in names):
            yield path


@cache
def _files() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path, text in _texts().items():
        for name in _NAMED.findall(text):
            # Of several with one name lm-eval takes the first in this order.
            found.setdefault(name.decode(), path)
    return found


@cache
def _texts() -> dict[Path, bytes]:
    """Read all task files as bytes: parsing the 14,000 files would take a hundred times as long."""
    package = find_spec("lm_eval")
    if package is None or not package.submodule_search_locations:
        raise Unknown("lm-eval is not installed, so this installation has no benchmarks; install the trainer's image as it is")
    tasks = Path(package.submodule_search_locations[0]) / "tasks"
    return {path: path.read_bytes() for path in sorted(tasks.rglob("*.yaml"), key=Path.as_posix)}


def _loader_of(folder: Path) -> Any:
    class Loader(yaml.CSafeLoader): ...

    def function(loader: Any, node: Any) -> Function:
        module, _, name = str(loader.construct_scalar(node)).rpartition(".")
        beside = folder / f"{module.replace('.', '/')}.py"
        return Function(beside if beside.exists() else module, name)

    Loader.add_constructor("!function", function)
    return Loader
