"""Whether files that no export wrote are where an export is to be copied, in a bucket or on the Hub."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alignment_api.names import BUCKET_PREFIX, HUB_PREFIX
from alignment_api.problems import first_line
from alignment_api.run_config import Paths

from alignment_trainer.failures import BadConfiguration
from alignment_trainer.fetching.buckets import configure_credentials, system
from alignment_trainer.fetching.hub import token_of
from alignment_trainer.fetching.network_faults import transient_fault
from alignment_trainer.model_folder.copies import LIST_FILE, FileList, read_list
from alignment_trainer.workspace.activity import working

BEGUN_FILE = "export.begun.json"
"""Lists all files that a copy in a bucket may have while it is written: those of the older export and its own."""
_MADE_BY_THE_HUB = ".gitattributes"


def check_destination(uri: str, paths: Paths) -> None:
    """Refuse a destination that has files of others or cannot be written; one that does not answer is left to the copy."""
    with working(f"looking at {uri}"):
        try:
            _look(uri, paths)
        except BadConfiguration:
            raise
        except Exception as error:
            fault = transient_fault(error)
            if fault is None:
                raise
            print(
                f"{uri} does not answer now ({fault.text}); whether it has files of others is seen before the copy",
                file=sys.stderr,
                flush=True,
            )


def lists_in_bucket(files: Any, uri: str) -> tuple[FileList | None, FileList | None]:
    """Return the lists of a whole copy and of one that is begun; refuse a prefix with files that no export wrote."""
    root = uri.removeprefix(BUCKET_PREFIX)
    known, begun = (_list_at(files, f"{root}/{name}") for name in (LIST_FILE, BEGUN_FILE))
    if known is None and begun is None and files.find(root):
        raise BadConfiguration(f"{uri} has files and was not exported, so they would be lost; name another prefix")
    return known, begun


def exported_on_hub(api: Any, uri: str) -> list[str]:
    """Return the files of an older export; refuse a repository with files that none wrote."""
    name = uri.removeprefix(HUB_PREFIX)
    files = set(api.list_repo_files(name)) - {_MADE_BY_THE_HUB}
    known = read_list(Path(api.hf_hub_download(name, LIST_FILE)).read_text(encoding="utf-8")) if LIST_FILE in files else None
    if files and known is None:
        raise BadConfiguration(f"{uri} has files and was not exported, so they would be lost; name another repository")
    return sorted(known.files) if known else []


def hub_api(paths: Paths) -> Any:
    """Return the Hub's API, with the job's token."""
    from huggingface_hub import HfApi

    # The library reads the variable only once.
    return HfApi(endpoint=os.environ.get("HF_ENDPOINT"), token=token_of(paths))


@contextmanager
def writing_to_bucket(uri: str) -> Iterator[None]:
    """Turn a refusal of S3 into a sentence."""
    # Imported late: most jobs write no bucket.
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (FileNotFoundError, PermissionError, BotoCoreError, ClientError) as error:
        if transient_fault(error):
            raise
        raise BadConfiguration(
            f"{uri} cannot be written ({first_line(error)}); check bucket, prefix and spec.s3CredentialsSecret"
        ) from error


@contextmanager
def writing_to_hub(uri: str) -> Iterator[None]:
    """Turn a refusal of the Hub into a sentence."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        yield
    except (HfHubHTTPError, ValueError) as error:
        if transient_fault(error):
            raise
        raise BadConfiguration(
            f"{uri} cannot be written ({first_line(error)}); check its name, and whether the token of spec.hubTokenSecret "
            f"may write there"
        ) from error


def _look(uri: str, paths: Paths) -> None:
    if uri.startswith(BUCKET_PREFIX):
        configure_credentials(paths)
        with writing_to_bucket(uri):
            lists_in_bucket(system(), uri)
    elif uri.startswith(HUB_PREFIX):
        from huggingface_hub.errors import RepositoryNotFoundError

        with writing_to_hub(uri):
            try:
                exported_on_hub(hub_api(paths), uri)
            except RepositoryNotFoundError:
                # The copy makes it.
                return


def _list_at(files: Any, place: str) -> FileList | None:
    return read_list(files.cat_file(place).decode()) if files.exists(place) else None
