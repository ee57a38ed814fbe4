"""The settings of an installation, from environment variables that begin with ALIGNMENT_."""

import json
from pathlib import Path
from typing import Annotated, Any

from alignment_api.credentials import has_credentials
from alignment_api.problems import requirement
from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_PREFIX = "ALIGNMENT_"


class WrongSettings(ValueError):
    """Settings of the environment that cannot be used, with a sentence for each."""


def read_settings(**given: Any) -> "Settings":
    """Read the settings that are not given from the environment. Raises WrongSettings."""
    try:
        return Settings(**given)
    except ValidationError as error:
        # Without the values: an address may contain a password.
        raise WrongSettings(
            "\n".join(
                str(detail["ctx"]["error"])
                if detail["type"] == "value_error"
                else f"{_variable(detail['loc'][0])} {requirement(detail)}; correct it"
                for detail in error.errors(include_url=False, include_input=False)
            )
        ) from error


def _variable(field: object) -> str:
    return f"{_PREFIX}{field}".upper()


class Settings(BaseSettings):
    """Images, addresses and delays; no job can change them."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, allow_inf_nan=False, hide_input_in_errors=True)

    trainer_image: str = Field(default="alignment-trainer:0.1.0", description="Image of the training pods.")
    image_pull_secrets: Annotated[list[str], NoDecode] = Field(
        default=[], description="Pull secrets of the image, in each job's namespace."
    )
    tracking_uri: str = Field(default="http://alignment-operator-mlflow:5000", description="MLflow server.")
    tracking_artifacts: str | None = Field(default=None, description="Artifact root for experiments that are created.")
    tracking_credentials_secret: str | None = Field(
        default=None, description="Secret in each job's namespace with the keys username and password for MLflow."
    )
    tracking_credentials_folder: Path | None = Field(
        default=None, description="Folder with the files username and password, for the operator's own requests to MLflow."
    )
    workspace_path: str = Field(default="/workspace", description="Where the workspace volume is mounted.")
    secrets_path: str | None = Field(default=None, description="On one machine, the folder that holds a folder for each Secret.")
    tracking_public_url: str | None = Field(default=None, description="Address of the MLflow server for browsers, used in links.")
    progress_interval_seconds: float = Field(default=15, ge=1, description="Interval between requests for progress.")
    watch_namespaces: Annotated[list[str], NoDecode] = Field(
        default=[], description="Namespaces whose jobs are reconciled; all if empty."
    )
    namespace: str | None = Field(default=None, description="The operator's own namespace, which holds its lease.")
    lease: str = Field(default="alignment-operator", description="Name of the lease; one for each release.")
    health_port: int = Field(default=8080, description="Port of /healthz and /readyz.")
    metrics_port: int = Field(default=9090, description="Port of /metrics.")
    grace_seconds: int = Field(default=300, ge=10, description="Time a pod has to save a checkpoint when it is stopped.")
    first_retry_delay_seconds: float = Field(
        default=10, ge=0, description="Wait before the first retry; it doubles with each failure."
    )
    longest_retry_delay_seconds: float = Field(default=600, ge=0, description="Longest wait before a retry.")

    @field_validator("image_pull_secrets", "watch_namespaces", mode="before")
    @classmethod
    def read_names(cls, value: Any, info: ValidationInfo) -> Any:
        """Read the names from JSON."""
        if not isinstance(value, str):
            return value
        try:
            names = json.loads(value)
        except ValueError:
            names = None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError(f'{_variable(info.field_name)} must be a JSON list of names, such as ["one", "two"]; correct it')
        return names

    @field_validator("tracking_uri", "tracking_public_url", "tracking_artifacts")
    @classmethod
    def refuse_credentials(cls, address: str | None, info: ValidationInfo) -> str | None:
        """Refuse an address with a password, which would appear in ConfigMaps, statuses and logs."""
        if address and has_credentials(address):
            raise ValueError(
                f"{_variable(info.field_name)} contains a user or a password; remove them, and pass them as files: "
                "a Secret with the keys username and password, named by ALIGNMENT_TRACKING_CREDENTIALS_SECRET for training "
                "pods and mounted at ALIGNMENT_TRACKING_CREDENTIALS_FOLDER for the operator (tracking.credentialsSecret of "
                "the chart does both)"
            )
        return address
