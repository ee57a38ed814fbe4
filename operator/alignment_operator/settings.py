"""The settings of an installation, from environment variables that begin with ALIGNMENT_."""

from pathlib import Path

from alignment_api.credentials import has_credentials
from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Images, addresses and delays; no job can change them."""

    model_config = SettingsConfigDict(env_prefix="ALIGNMENT_", hide_input_in_errors=True)

    trainer_image: str = Field(default="alignment-trainer:0.1.0", description="Image of the training pods.")
    image_pull_secrets: list[str] = Field(default=[], description="Pull secrets of the image, in each job's namespace.")
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
    watch_namespaces: list[str] = Field(default=[], description="Namespaces whose jobs are reconciled; all if empty.")
    namespace: str | None = Field(default=None, description="The operator's own namespace, which holds its lease.")
    lease: str = Field(default="alignment-operator", description="Name of the lease; one for each release.")
    health_port: int = Field(default=8080, description="Port of /healthz and /readyz.")
    metrics_port: int = Field(default=9090, description="Port of /metrics.")
    grace_seconds: int = Field(default=300, ge=10, description="Time a pod has to save a checkpoint when it is stopped.")
    first_retry_delay_seconds: float = Field(
        default=10, ge=0, description="Wait before the first retry; it doubles with each failure."
    )
    longest_retry_delay_seconds: float = Field(default=600, ge=0, description="Longest wait before a retry.")

    @field_validator("tracking_uri", "tracking_public_url", "tracking_artifacts")
    @classmethod
    def refuse_credentials(cls, address: str | None, info: ValidationInfo) -> str | None:
        """Refuse an address with a password, which would appear in ConfigMaps, statuses and logs."""
        if address and has_credentials(address):
            raise ValueError(
                f"ALIGNMENT_{str(info.field_name).upper()} contains a user or a password; remove them, and pass them as files: "
                "a Secret with the keys username and password, named by ALIGNMENT_TRACKING_CREDENTIALS_SECRET for training "
                "pods and mounted at ALIGNMENT_TRACKING_CREDENTIALS_FOLDER for the operator (tracking.credentialsSecret of "
                "the chart does both)"
            )
        return address
