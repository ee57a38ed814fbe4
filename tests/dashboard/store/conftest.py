"""Fixtures of the tests of stores: one database, read by SQL and through a server."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from alignment_dashboard.store.address import SQLITE, open_store
from alignment_dashboard.store.store import Store
from mlflow_server import served_mlflow


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Path:
    """Make a folder with an MLflow database, and with room for artifacts."""
    folder = tmp_path_factory.mktemp("tracking")
    shutil.copy(empty_database, folder / "mlflow.db")
    return folder


@pytest.fixture(scope="package")
def server(folder: Path) -> Iterator[str]:
    """Serve this database."""
    with served_mlflow(folder) as uri:
        yield uri


@pytest.fixture(params=["sqlite", "rest"])
def store(request: pytest.FixtureRequest, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return a store that reads this database."""
    for variable in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "ALIGNMENT_TRACKING_CREDENTIALS_FOLDER"):
        monkeypatch.delenv(variable, raising=False)
    return open_store(f"{SQLITE}{folder / 'mlflow.db'}" if request.param == "sqlite" else request.getfixturevalue("server"))
