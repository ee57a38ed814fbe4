"""Opens tasks of a stage before it runs, and writes down their faults: python -m MODULE RUN_CONFIG RESULT FIELD..."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from alignment_trainer.process.lifeline import LAUNCHER_VARIABLE, die_with

if __name__ == "__main__":
    die_with(int(os.environ[LAUNCHER_VARIABLE]))

from alignment_api.run_config import RunConfig

from alignment_trainer.evaluation.measure import measure_of
from alignment_trainer.evaluation.tasks import open_task
from alignment_trainer.failures import BadConfiguration, BadData
from alignment_trainer.model_folder.start import local_base
from alignment_trainer.settings.evaluation import EvaluationSettings, TaskSettings, evaluation_settings


def main(asked: Path, result: Path, fields: list[str]) -> None:
    """Open the tasks of these fields, and write a list of sentences to a file."""
    config = RunConfig.model_validate_json(asked.read_text(encoding="utf-8"))
    settings = evaluation_settings(config)
    tasks = [own for own in settings.tasks if own.path in fields]
    found = [fault for own in tasks for fault in _faults(config, settings, own)]
    result.write_text(json.dumps(found), encoding="utf-8")


def _faults(config: RunConfig, settings: EvaluationSettings, own: TaskSettings) -> Iterator[str]:
    try:
        task, base = open_task(config, settings, own), local_base(config)
        if base:
            yield from measure_of(task).faults(task, base)
    except (BadConfiguration, BadData) as failure:
        yield str(failure)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
