"""The address of MLflow, and the store that reads from there."""

import os
from functools import lru_cache
from pathlib import Path

from alignment_api.home import Home

from alignment_dashboard.data.source import source
from alignment_dashboard.store.sqlite import SqliteStore
from alignment_dashboard.store.store import Store, StoreUnavailable

SQLITE = "sqlite:///"


def tracking_uri() -> str:
    """Return MLFLOW_TRACKING_URI, or for jobs of the local folder the database in that folder."""
    named = os.environ.get("MLFLOW_TRACKING_URI")
    if not named and source() == "kubernetes":
        raise StoreUnavailable("No metrics: the dashboard does not know the address of MLflow. Set MLFLOW_TRACKING_URI for it.")
    return named or Home.from_environment().tracking_uri


def database() -> str | None:
    """Return the address of MLflow's database if it is on this machine."""
    try:
        uri = tracking_uri()
    except StoreUnavailable:
        return None
    return uri if uri.startswith(SQLITE) else None


@lru_cache(maxsize=4)
def open_store(uri: str) -> Store:
    """Return the store at an address."""
    if uri.startswith(SQLITE):
        return SqliteStore(Path(uri.removeprefix(SQLITE)))
    if uri.startswith(("http://", "https://")):
        # Importing MLflow takes a second, and its database on this machine can be read without it.
        from alignment_dashboard.store.rest import RestStore

        return RestStore(uri)
    raise StoreUnavailable("No metrics: MLFLOW_TRACKING_URI must begin with http://, https:// or sqlite:///.")
