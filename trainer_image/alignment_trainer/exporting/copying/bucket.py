"""Copies an exported folder to a bucket: the list of its files last, so that a copy without it is not whole."""

from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from alignment_api.names import BUCKET_PREFIX
from alignment_api.run_config import Paths

from alignment_trainer.checks.destinations import BEGUN_FILE, lists_in_bucket, writing_to_bucket
from alignment_trainer.fetching.buckets import configure_credentials, system
from alignment_trainer.fetching.retries import with_retries
from alignment_trainer.model_folder.copies import LIST_FILE, FileList, ListedFile
from alignment_trainer.workspace.activity import advancing

Result = TypeVar("Result")

_HASH = "sha256"


def copy(folder: Path, listed: FileList, uri: str, paths: Paths) -> None:
    """Upload what the bucket does not have yet; an older export there is replaced."""
    configure_credentials(paths)
    with writing_to_bucket(uri):
        _copy(folder, listed, uri)


def _copy(folder: Path, listed: FileList, uri: str) -> None:
    files, root = system(), uri.removeprefix(BUCKET_PREFIX)
    place, begun_place = f"{root}/{LIST_FILE}", f"{root}/{BEGUN_FILE}"
    known, begun = _retried(uri, partial(lists_in_bucket, files, uri))
    if known == listed:
        if begun:
            _retried(uri, partial(files.rm_file, begun_place))
        return
    every = FileList(weights=listed.weights, files={**_files(known), **_files(begun), **listed.files})
    _retried(uri, lambda: files.pipe_file(begun_place, every.model_dump_json().encode()))
    if known:
        # While its files change, nothing there looks whole.
        _retried(uri, lambda: files.rm_file(place))
    _replace(folder, listed, uri, every.files.keys() - listed.files.keys())
    _retried(uri, lambda: files.put_file(str(folder / LIST_FILE), place))
    _retried(uri, lambda: files.rm_file(begun_place))


def _replace(folder: Path, listed: FileList, uri: str, old: Collection[str]) -> None:
    files, root = system(), uri.removeprefix(BUCKET_PREFIX)
    with advancing(f"copying to {uri}", sum(file.size for file in listed.files.values()), "bytes") as advance:
        for name, file in listed.files.items():
            _retried(uri, partial(_upload, files, folder / name, f"{root}/{name}", file.sha256))
            advance(file.size)
    for name in old:
        _retried(uri, partial(files.rm_file, f"{root}/{name}"))


def _files(found: FileList | None) -> dict[str, ListedFile]:
    return found.files if found else {}


def _upload(files: Any, path: Path, key: str, sha256: str) -> None:
    if files.exists(key) and files.metadata(key).get(_HASH) == sha256:
        return
    files.put_file(str(path), key, Metadata={_HASH: sha256})


def _retried(uri: str, work: Callable[[], Result]) -> Result:
    return with_retries(uri, work, "written")
