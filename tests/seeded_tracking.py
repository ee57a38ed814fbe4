"""Fills an MLflow database and its artifacts with made-up runs, by plain SQL, since MLflow's client would take minutes."""

import hashlib
import json
import math
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from alignment_api import metrics
from alignment_api.home import Home
from seeded_curves import Curve

EXPERIMENT = 1
STEP_SECONDS = 9
PROMPTS = (
    "Why is the sky blue?",
    "Write a haiku about gradient descent.",
    "Which number comes next: 2, 3, 5, 7, 11?",
    "How do I undo my last commit, and keep the changes?",
    "<b>Is this bold?</b> Or *this*? See [here](http://example.com) and $x^2$.",
    "Explain to a child what a black hole is. " * 12,
)


class Tracking:
    """Writes runs into a copy of an empty MLflow database."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._connection = sqlite3.connect(home.tracking_uri.removeprefix("sqlite:///"))
        self._connection.execute(
            "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage) VALUES (?, ?, ?, 'active')",
            (EXPERIMENT, "alignment", str(home.artifacts)),
        )

    def close(self) -> None:
        """Write everything."""
        self._connection.commit()
        self._connection.close()

    def add_run(self, run_id: str, tags: dict[str, str], status: str, began: int, ended: int | None) -> Path:
        """Add a run, and return the folder of its artifacts; times are in milliseconds."""
        artifacts = self._home.artifacts / run_id / "artifacts"
        name = "/".join(filter(None, (tags[metrics.JOB_TAG], tags.get(metrics.STAGE_TAG))))
        self._connection.execute(
            "INSERT INTO runs (run_uuid, name, source_type, user_id, status, start_time, end_time, lifecycle_stage, artifact_uri,"
            " experiment_id) VALUES (?, ?, 'UNKNOWN', 'trainer', ?, ?, ?, 'active', ?, ?)",
            (run_id, name, status, began, ended, str(artifacts), EXPERIMENT),
        )
        self._insert("tags", 3, ((name, value, run_id) for name, value in (tags | {"mlflow.runName": name}).items()))
        return artifacts

    def add_parameters(self, run_id: str, parameters: dict[str, Any]) -> None:
        """Add the parameters of a run."""
        self._insert("params", 3, ((name, str(value), run_id) for name, value in parameters.items()))

    def add_curves(self, run_id: str, curves: dict[str, Curve], began: int) -> None:
        """Add curves, and the newest value of each."""
        rows = [
            (name, 0.0 if math.isnan(value) else value, began + 1000 * STEP_SECONDS * step, run_id, step, math.isnan(value))
            for name, curve in curves.items()
            for step, value in curve
        ]
        self._insert("metrics", 6, rows)
        newest = {row[0]: row for row in rows}
        self._insert(
            "latest_metrics", 6, ((key, value, time, step, nan, run) for key, value, time, run, step, nan in newest.values())
        )

    def _insert(self, table: str, values: int, rows: Iterable[tuple[Any, ...]]) -> None:
        self._connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * values)})", rows)


def write_samples(artifacts: Path, steps: Iterable[int], words: str) -> None:
    """Write the answers of a model to the job's prompts as the trainer writes them, one file for each step."""
    folder = artifacts / "samples"
    folder.mkdir(parents=True, exist_ok=True)
    for step in steps:
        (folder / f"step-{step}.json").write_text(json.dumps([_sample(step, prompt, words) for prompt in PROMPTS]))


def _sample(step: int, prompt: str, words: str) -> dict[str, Any]:
    chosen, rejected = f"A good answer to: {prompt[:60]}", "I do not know."
    key = hashlib.sha256(json.dumps([prompt, chosen, rejected]).encode()).hexdigest()[:16]
    # One prompt is answered alike by every model, so that there is something to hide behind "changed only".
    policy = "13." if "number" in prompt else f"{words} After {step} steps I would say: {prompt[:80]}\n\nThat is all."
    return {
        "step": step,
        "key": key,
        "prompt": prompt,
        "chosen": chosen,
        "rejected": rejected,
        "reference": chosen,
        "policy": policy,
    }
