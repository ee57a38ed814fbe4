"""Publishes what a stage has written: the rows, then the manifest, then DONE; each is complete before the next begins."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alignment_api.files import flush_tree, rename_whole, write_whole
from alignment_api.names import DONE_FILE, MANIFEST_FILE, ROWS_FOLDER
from alignment_api.run_config import RunConfig

from alignment_trainer.synthesis.made import LeftOut, Made
from alignment_trainer.synthesis.writing import Report
from alignment_trainer.workspace.hashes import hash_file
from alignment_trainer.workspace.stage_folder import manifest

ROWS_FILE = "part-00000.jsonl"
LEFT_OUT_FILE = "left-out.jsonl"


def publish_rows(config: RunConfig, report: Report, **more: Any) -> None:
    """Write rows, the reasons of prompts without rows, manifest and DONE; `more` is what the manifest says beside the counts."""
    stage = Path(config.paths.stage)
    _write_rows(stage, report.made)
    _write_lines(stage / LEFT_OUT_FILE, _left_out(report.made))
    write_whole(stage / MANIFEST_FILE, json.dumps({**_manifest(config, report), **more}, indent=1))
    write_whole(stage / DONE_FILE, config.input_hash)
    report.made.remove()


def _write_rows(stage: Path, made: Made) -> None:
    target, staged = stage / ROWS_FOLDER, stage / f".{ROWS_FOLDER}"
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir()
    _write_lines(staged / ROWS_FILE, (row for outcome in made.in_order() if not isinstance(outcome, LeftOut) for row in outcome))
    flush_tree(staged)
    shutil.rmtree(target, ignore_errors=True)
    rename_whole(staged, target)


def _write_lines(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


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
