"""Versions in MLflow's registry are made once for each result of a stage."""

import shutil

import pytest
from alignment_trainer.failures import Unreachable
from alignment_trainer.tracking.model_registry import register
from exports import export_config
from mlflow import MlflowClient
from mlflow_server import served_mlflow

SOURCE = "workspace://default/tiny/out/model"


def test_a_version_is_made_once_and_has_the_figures(tmp_path, empty_database):
    shutil.copy(empty_database, tmp_path)
    config = export_config(tmp_path)
    for _ in range(2):
        assert register(config, "mine", SOURCE, {"export/divergence": "0.01"}) == "1"
    (version,) = MlflowClient(config.tracking.uri).search_model_versions("name = 'mine'")
    assert version.source == SOURCE
    assert version.tags["export/divergence"] == "0.01" and version.tags["alignment.input_hash"] == config.input_hash
    assert register(config, "mine", "s3://bucket/other", {"export/divergence": "0.01"}) == "2"


def test_a_server_takes_a_folder_of_the_workspace_as_source(tmp_path, empty_database):
    shutil.copy(empty_database, tmp_path)
    config = export_config(tmp_path)
    with served_mlflow(tmp_path) as uri:
        config = config.model_copy(update={"tracking": config.tracking.model_copy(update={"uri": uri})})
        assert register(config, "mine", SOURCE, {}) == "1"
        assert register(config, "mine", SOURCE, {}) == "1"
    with pytest.raises(Unreachable, match=r"MLflow at http://127.0.0.1:\d+ does not take a version of the model mine now"):
        register(config, "mine", SOURCE, {})
