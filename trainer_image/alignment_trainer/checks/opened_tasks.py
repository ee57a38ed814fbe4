"""Has another process open the tasks of a later stage with the libraries that read them: this one loads no torch."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name
from tempfile import TemporaryDirectory

from alignment_api.names import RUN_CONFIG_FILE
from alignment_api.run_config import RunConfig

from alignment_trainer.checks.datasets import Findings
from alignment_trainer.checks.tasks import OPEN_TASK, is_read
from alignment_trainer.model_folder.start import base_description
from alignment_trainer.process.lifeline import LAUNCHER_VARIABLE
from alignment_trainer.settings.evaluation import EvaluationSettings, TaskSettings, evaluation_settings
from alignment_trainer.workspace.activity import working

_PROGRAM = "alignment_trainer.evaluation.beginning.opening"
_QUIET = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_TELEMETRY": "1"}
_FEWEST_WORDS = 2
"""So many words are never one token."""


def opened_faults(config: RunConfig, findings: Findings) -> Iterator[str]:
    """Yield why tasks of a stage cannot be measured which it would refuse itself, but only when all stages before it have run."""
    settings = evaluation_settings(config)
    fields = [own.path for own in settings.tasks if is_read(own, findings) and _has_to_be_opened(config, settings, own)]
    if fields:
        with working(f"opening tasks of stage {config.stage_name}"), TemporaryDirectory() as folder:
            yield from _found(config, fields, Path(folder))


def _has_to_be_opened(config: RunConfig, settings: EvaluationSettings, own: TaskSettings) -> bool:
    """Return whether only libraries find a fault; without rows or a model on the volume, the stage looks when it begins."""
    if own.task.benchmark:
        return own.task.dataset is not None
    if own.task.measure != "Perplexity" or base_description(config) is None:
        return False
    rows = resolve_name(OPEN_TASK)(config, settings, own).rows
    short = sum(isinstance(row.value, str) and len(row.value.split()) < _FEWEST_WORDS for row in rows)
    return bool(short > settings.maximum_failed_share * len(rows))


def _found(config: RunConfig, fields: list[str], folder: Path) -> Iterator[str]:
    asked, result = folder / RUN_CONFIG_FILE, folder / "faults.json"
    asked.write_text(config.model_dump_json(by_alias=True, exclude_none=True), encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-m", _PROGRAM, str(asked), str(result), *fields],
        env={**_QUIET, **os.environ, LAUNCHER_VARIABLE: str(os.getpid())},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if ended.returncode == 0:
        yield from json.loads(result.read_text(encoding="utf-8"))
        return
    why = f"the process that opens them ended with code {ended.returncode}"
    print(
        f"{ended.stdout}\n{', '.join(fields)}: {why}, so they are checked when stage {config.stage_name!r} begins",
        file=sys.stderr,
        flush=True,
    )
