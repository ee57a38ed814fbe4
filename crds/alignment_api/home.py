"""The folder that `alignment run` writes on one machine and the dashboard reads."""

import os
from pathlib import Path


class Home:
    """A folder with objects (jobs and their children), a workspace volume and an MLflow database."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()
        self.objects = self.root / "objects"
        self.workspace = self.root / "workspace"
        self.artifacts = self.root / "artifacts"
        self.secrets = self.root / "secrets"
        """One folder for each Secret that jobs name, one file in it for each of its entries."""

    @classmethod
    def from_environment(cls) -> "Home":
        """Return the home at ALIGNMENT_HOME, or at .alignment in the current folder."""
        return cls(Path(os.environ.get("ALIGNMENT_HOME") or ".alignment"))

    @property
    def tracking_uri(self) -> str:
        """Return the address of the MLflow database."""
        return f"sqlite:///{self.root / 'mlflow.db'}"

    def job_folder(self, namespace: str, name: str) -> Path:
        """Return the folder of a job and its children."""
        return self.objects / namespace / name

    def job_files(self) -> list[Path]:
        """List the files of all jobs."""
        # Several times faster than glob: the dashboard asks every second, with thousands of jobs.
        jobs = [os.path.join(job, "job.json") for namespace in _folders(self.objects) for job in _folders(namespace)]  # noqa: PTH118
        return [Path(job) for job in sorted(jobs) if os.path.exists(job)]  # noqa: PTH110


def _folders(parent: str | Path) -> list[str]:
    try:
        return [entry.path for entry in os.scandir(parent) if entry.is_dir()]
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        # Nothing has run here yet, a job was deleted after it was listed, or the folder is another user's.
        return []
