"""Downloads S3 objects to the workspace volume, each version of each object once."""

import hashlib
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alignment_api.files import flush
from alignment_api.names import BUCKET_PREFIX
from alignment_api.problems import first_line
from alignment_api.run_config import Paths

from alignment_trainer.failures import BadData
from alignment_trainer.fetching.network_faults import TransientError
from alignment_trainer.fetching.retries import with_retries
from alignment_trainer.workspace.activity import advancing
from alignment_trainer.workspace.full_disk import check_room_for

_CACHE = Path(".cache") / "s3"


def fetch(uri: str, paths: Paths, format_of: Callable[[str], str | None]) -> list[tuple[str, Path]]:
    """Download an object, or all objects of a known format directly below a prefix; return each name and its local file."""
    # Imported late: most jobs read no bucket.
    from botocore.exceptions import BotoCoreError, ClientError

    configure_credentials(paths)
    try:
        return with_retries(uri, lambda: _fetch_once(uri, Path(paths.workspace) / _CACHE, format_of))
    except (FileNotFoundError, PermissionError, BotoCoreError, ClientError) as error:
        raise BadData(_refusal(uri, error)) from error
    except OSError as error:
        # Other refusals of S3 are OSErrors too; an OSError of this machine has an errno.
        if error.errno is not None and not isinstance(error.__cause__, ClientError):
            raise
        raise BadData(_refusal(uri, error)) from error


def configure_credentials(paths: Paths) -> None:
    """Let the libraries of S3 read the job's credentials, where it has some."""
    if paths.s3_credentials:
        os.environ["AWS_SHARED_CREDENTIALS_FILE"] = paths.s3_credentials


def has_credentials(paths: Paths) -> bool:
    """Return whether there are credentials for S3, of the job or of the environment."""
    from botocore.session import Session

    configure_credentials(paths)
    return Session().get_credentials() is not None


def _refusal(uri: str, error: Exception) -> str:
    return f"{uri} cannot be read ({first_line(error)}); check bucket, key and spec.s3CredentialsSecret"


def system() -> Any:
    """Return S3 as a file system that neither caches listings nor retries by itself."""
    import s3fs

    # No cached listings: an object may have changed since another stage read it. No retries: ours replace them.
    once = {"retries": {"total_max_attempts": 1, "mode": "standard"}}
    made = s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True, config_kwargs=once)
    made.retries = 1
    return made


def _fetch_once(uri: str, cache: Path, format_of: Callable[[str], str | None]) -> list[tuple[str, Path]]:
    files = system()
    info = files.info(uri)
    if info["type"] == "directory":
        entries = sorted(files.ls(uri, detail=True), key=lambda entry: str(entry["name"]))
        objects = [entry for entry in entries if entry["type"] == "file" and format_of(entry["name"])]
    else:
        objects = [info]
    return [(f"{BUCKET_PREFIX}{entry['name']}", _cached(files, entry, cache, format_of)) for entry in objects]


def _cached(system: Any, about: dict[str, Any], cache: Path, format_of: Callable[[str], str | None]) -> Path:
    """Return the local file of this version of an object, downloaded unless it is cached."""
    version = hashlib.sha256(f"{about['name']}\n{about['ETag']}".encode()).hexdigest()[:32]
    target = cache / f"{version}{format_of(about['name']) or ''}"
    if not target.exists():
        cache.mkdir(parents=True, exist_ok=True)
        check_room_for(about["size"] or 0, f"s3://{about['name']}", cache)
        staged = cache / f".{version}.{socket.gethostname()}.{os.getpid()}"
        try:
            _download(system, about, staged)
            if system.info(about["name"])["ETag"] != about["ETag"]:
                raise TransientError(
                    f"s3://{about['name']} changed during the download; make sure that no program writes it during the job"
                )
            flush(staged)
            staged.replace(target)
            flush(cache)
        finally:
            staged.unlink(missing_ok=True)
    return target


def _download(system: Any, about: dict[str, Any], target: Path) -> None:
    from fsspec.callbacks import Callback  # type: ignore[import-untyped]

    with advancing(f"downloading s3://{about['name']}", about["size"], "bytes") as advance:

        class Count(Callback):  # type: ignore[misc]
            def relative_update(self, inc: int = 1) -> None:
                advance(inc)

        system.get_file(about["name"], str(target), callback=Count())
