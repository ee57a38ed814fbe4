"""Brings datasets of the Hub here, always at a commit: the one that the job names, or the newest one, written down."""

import os
from pathlib import Path
from typing import Any

from alignment_api.names import HUB_PREFIX
from alignment_api.problems import first_line
from alignment_api.run_config import Paths
from alignment_api.training import Dataset

from alignment_trainer.failures import BadData, Unreachable


def load(dataset: Dataset, paths: Paths) -> tuple[Any, str]:
    """Load a dataset's split, and say which commit it is of."""
    # Read by the libraries once, when they are imported.
    os.environ.setdefault("HF_HOME", str(Path(paths.workspace) / ".cache" / "huggingface"))
    import datasets
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    datasets.disable_progress_bars()
    name = dataset.uri.removeprefix(HUB_PREFIX)
    token = Path(paths.hub_token).read_text().strip() if paths.hub_token else None
    try:
        revision = newest_commit(name, dataset.revision, token)
        split = dataset.split or "train"
        return datasets.load_dataset(name, dataset.configuration, split=split, revision=revision, token=token), revision
    except (ConnectionError, httpx2.TransportError) as error:
        raise Unreachable(f"{dataset.uri} cannot be fetched now ({first_line(error)}); check the network") from error
    except (ValueError, FileNotFoundError, HfHubHTTPError) as error:
        raise BadData(f"{dataset.uri} cannot be loaded ({first_line(error)}); check name, revision, split and access") from error


def newest_commit(name: str, revision: str | None, token: str | None, endpoint: str | None = None) -> str:
    """Resolve a branch, a tag or nothing to the commit that it is now; a whole commit needs nobody to be asked."""
    if revision and len(revision) == 40 and set(revision) <= set("0123456789abcdef"):
        return revision
    from huggingface_hub import HfApi

    return str(HfApi(endpoint=endpoint, token=token).dataset_info(name, revision=revision).sha)
