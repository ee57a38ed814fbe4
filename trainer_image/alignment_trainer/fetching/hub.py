"""Downloads datasets and models of the Hub at one commit: the one that the job names, or the newest one, which is recorded."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from alignment_api.names import HUB_PREFIX
from alignment_api.problems import first_line
from alignment_api.run_config import Paths
from alignment_api.spec.data import Dataset

from alignment_trainer.failures import BadData
from alignment_trainer.fetching.retries import with_retries
from alignment_trainer.workspace.activity import Advance, advancing
from alignment_trainer.workspace.full_disk import check_room_for

_MODEL_FILES = ["*.safetensors", "*.json", "*.model", "*.txt", "*.jinja"]
_COMMIT_LENGTH = 40


class HubRepository(NamedTuple):
    """A repository of the Hub, as the job names it."""

    kind: str
    uri: str
    revision: str | None
    shown: str
    """Its name in messages; without the spec's field if the caller adds that."""

    @property
    def name(self) -> str:
        """Return its name on the Hub."""
        return self.uri.removeprefix(HUB_PREFIX)

    @property
    def revision_field(self) -> str:
        """Return the name of the spec's field with the revision."""
        return "spec.model.revision" if self.kind == "model" else "the dataset's revision"


def load(dataset: Dataset, paths: Paths) -> tuple[Any, str]:
    """Load a dataset's split; return it with its commit."""
    configure_libraries(paths)
    import datasets

    assert dataset.uri is not None, "the rows of a stage are on the workspace volume"
    datasets.disable_progress_bars()
    wanted = HubRepository("dataset", dataset.uri, dataset.revision, dataset.uri)
    token, split = token_of(paths), dataset.split or "train"
    commit = newest_commit(wanted, token)
    with advancing(f"fetching {dataset.uri}", None, "bytes") as advance, _refusals_explained(wanted, advance):
        rows = with_retries(
            wanted.shown,
            lambda: datasets.load_dataset(wanted.name, dataset.configuration, split=split, revision=commit, token=token),
        )
        return rows, commit


def cached_model(uri: str, commit: str) -> Path | None:
    """Return the folder of a model's files if all of them are cached."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    name = uri.removeprefix(HUB_PREFIX)
    try:
        return Path(snapshot_download(name, revision=commit, allow_patterns=_MODEL_FILES, local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def download_model(wanted: HubRepository, commit: str, token: str | None) -> Path:
    """Download a model's files and return their folder; cached files need no request."""
    cached = cached_model(wanted.uri, commit)
    if cached:
        return cached
    from huggingface_hub import snapshot_download

    def download(**how: Any) -> Any:
        return snapshot_download(wanted.name, revision=commit, allow_patterns=_MODEL_FILES, token=token, **how)

    with _refusals_explained(wanted):
        missing = with_retries(wanted.shown, lambda: download(dry_run=True))
        total = sum(file.file_size or 0 for file in missing if file.will_download)
        _check_room(wanted, total)
        with advancing(f"downloading {wanted.uri}", total, "bytes") as advance:
            return Path(with_retries(wanted.shown, lambda: download(tqdm_class=_bar(advance))))


def download_tokenizer(wanted: HubRepository, paths: Paths) -> Path:
    """Download a model's files without its weights, to a cache of their own: training must not take them for the whole model."""
    from huggingface_hub import snapshot_download

    token = token_of(paths)
    commit, cache = newest_commit(wanted, token), Path(paths.workspace) / ".cache" / "tokenizers"
    files = [pattern for pattern in _MODEL_FILES if pattern != "*.safetensors"]
    with _refusals_explained(wanted):
        return Path(
            with_retries(
                wanted.shown,
                lambda: snapshot_download(wanted.name, revision=commit, allow_patterns=files, token=token, cache_dir=cache),
            )
        )


def _check_room(wanted: HubRepository, size: int) -> None:
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    cache = Path(constants.HF_HUB_CACHE)
    # The library continues these.
    begun = (cache / repo_folder_name(repo_id=wanted.name, repo_type=wanted.kind) / "blobs").glob("*.incomplete")
    check_room_for(size - sum(file.stat().st_size for file in begun), f"the rest of {wanted.uri}", cache)


def newest_commit(wanted: HubRepository, token: str | None, endpoint: str | None = None) -> str:
    """Resolve a branch, a tag, a short hash or None to its current commit; a full commit needs no request."""
    if is_commit(wanted.revision):
        return str(wanted.revision)
    from huggingface_hub import HfApi

    api = HfApi(endpoint=endpoint, token=token)
    with _refusals_explained(wanted):
        info = with_retries(wanted.shown, lambda: api.repo_info(wanted.name, repo_type=wanted.kind, revision=wanted.revision))
    return str(info.sha)


def is_commit(revision: str | None) -> bool:
    """Return whether a revision is a full commit hash, which always names the same files."""
    return revision is not None and len(revision) == _COMMIT_LENGTH and set(revision) <= set("0123456789abcdef")


def token_of(paths: Paths) -> str | None:
    """Read the job's Hub token."""
    return Path(paths.hub_token).read_text().strip() if paths.hub_token else None


def configure_libraries(paths: Paths) -> None:
    """Set the environment variables of the Hub's libraries, which read them once, when they are imported."""
    os.environ.setdefault("HF_HOME", str(Path(paths.workspace) / ".cache" / "huggingface"))
    # Telemetry requests would only delay the job.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


@contextmanager
def _refusals_explained(wanted: HubRepository, advance: Advance | None = None) -> Iterator[None]:
    """Translate the Hub's final refusals into a sentence that says what to do."""
    import httpx2

    from alignment_trainer.fetching.hub_session import retrying_hub

    try:
        with retrying_hub(wanted.shown, advance):
            yield
    except (ValueError, FileNotFoundError, ConnectionError, httpx2.HTTPError) as error:
        raise BadData(_refusal(wanted, error)) from error


def _refusal(wanted: HubRepository, error: Exception) -> str:
    from huggingface_hub.errors import GatedRepoError, OfflineModeIsEnabled, RepositoryNotFoundError, RevisionNotFoundError

    page = f"the page of {wanted.name} on the Hub"
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, GatedRepoError):
        return f"{wanted.shown} is gated; accept its terms on {page}, and give a token of that account in spec.hubTokenSecret"
    if isinstance(error, RevisionNotFoundError):
        return f"{wanted.shown} has no revision {wanted.revision}; correct {wanted.revision_field}"
    if isinstance(error, RepositoryNotFoundError) or status == 401:
        return (
            f"{wanted.shown} is not on the Hub, or is private; correct the uri, "
            f"or give a token that may read it in spec.hubTokenSecret"
        )
    if status == 403:
        return f"{wanted.shown} may not be read with the token of spec.hubTokenSecret (the Hub answers 403); give another"
    if isinstance(error, OfflineModeIsEnabled):
        return (
            f"{wanted.shown} is not cached, and HF_HUB_OFFLINE forbids downloads; "
            f"copy it to the workspace volume, or unset HF_HUB_OFFLINE"
        )
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return (
            f"{wanted.shown} comes from a server whose certificate is not trusted; "
            f"set SSL_CERT_FILE to a file with its certificate authority"
        )
    return f"{wanted.shown} cannot be loaded ({first_line(error)}); check name, revision, configuration and split"


def _bar(advance: Advance) -> type:
    """Return a progress bar class for the Hub's library that counts the written bytes: the library has several bars."""
    from tqdm import tqdm  # type: ignore[import-untyped]

    class Bar(tqdm):  # type: ignore[misc]
        def __init__(self, *items: Any, **how: Any) -> None:
            self._advance: Callable[[int], None] | None = None
            if how.get("unit") == "B" and str(how.get("desc", "")).startswith("Reconstructing"):
                self._advance = advance
            super().__init__(*items, **{**how, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            if self._advance:
                self._advance(int(n or 0))
            return None

    return Bar
