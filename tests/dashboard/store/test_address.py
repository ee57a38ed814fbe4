"""Where MLflow is, and which store reads it."""

import pytest
from alignment_api.home import Home
from alignment_dashboard.store.address import open_store, tracking_uri
from alignment_dashboard.store.rest import RestStore
from alignment_dashboard.store.sqlite import SqliteStore
from alignment_dashboard.store.store import StoreUnavailable


def test_the_environment_names_another_server(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tracking_uri() == home.tracking_uri
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    assert tracking_uri() == "http://mlflow:5000"


def test_jobs_of_a_cluster_need_a_server_that_is_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIGNMENT_SOURCE", "kubernetes")
    with pytest.raises(StoreUnavailable, match="Set MLFLOW_TRACKING_URI"):
        tracking_uri()


@pytest.mark.parametrize(
    ("uri", "kind"),
    [("sqlite:////a/mlflow.db", SqliteStore), ("http://mlflow:5000", RestStore), ("https://me:pass@mlflow", RestStore)],
)
def test_the_address_chooses_the_store(uri: str, kind: type) -> None:
    assert isinstance(open_store(uri), kind)


@pytest.mark.parametrize("uri", ["postgresql://me:secret@host/db", "file:///a", "mlflow:5000", ""])
def test_an_address_that_nothing_reads(uri: str) -> None:
    with pytest.raises(StoreUnavailable, match="must begin with http://, https:// or sqlite:///") as caught:
        open_store(uri)
    assert "secret" not in str(caught.value)
