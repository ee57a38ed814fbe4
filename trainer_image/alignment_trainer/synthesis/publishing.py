"""Publishes what a stage has written: the rows, then the manifest, then DONE; each is complete before the next begins."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alignment_api.files import write_folder, write_lines
from alignment_api.names import ROWS_FOLDER
from alignment_api.run_config import RunConfig

from alignment_trainer.synthesis.made import LeftOut, Made
from alignment_trainer.synthesis.writing import Report
from alignment_trainer.workspace.hashes import hash_file
from alignment_trainer.workspace.stage_folder import finish, manifest

ROWS_FILE = "part-00000.jsonl"
LEFT_OUT_FILE = "left-out.jsonl"


def publish_rows(config: RunConfig, report: Report, **more: Any) -> None:
    """Write rows, the reasons of prompts without rows, manifest and DONE; `more` is what the manifest says beside the counts."""
    stage = Path(config.paths.stage)
    _write_rows(stage, report.made)
    write_lines(stage / LEFT_OUT_FILE, _left_out(report.made))
    finish(config, {**_manifest(config, report), **more})
    report.made.remove()


def _write_rows(stage: Path, made: Made) -> None:
    rows = (row for outcome in made.in_order() if not isinstance(outcome, LeftOut) for row in outcome)
    write_folder(stage / ROWS_FOLDER, lambda folder: write_lines(folder / ROWS_FILE, rows))


def _left_out(made: Made) -> Iterator[dict[str, Any]]:
    for outcome in made.in_order():
        if isinstance(outcome, LeftOut):
            yield {"place": outcome.place, "reason": outcome.reason, "detail": outcome.detail}


def _manifest(config: RunConfig, report: Report) -> dict[str, Any]:
    made = report.made
    return manifest(
        config,
        written={"rows": made.written, "sha256": hash_file(Path(config.paths.stage) / ROWS_FOLDER / ROWS_FILE)},
        leftOut=dict(made.left_out),
        asked={**vars(report.asked), "unanswered": dict(report.asked.unanswered)},
    )
