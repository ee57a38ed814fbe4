"""Whether the rows of a perplexity have a token that another one precedes, before a model is loaded."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from alignment_trainer.checks.tasks import window_faults
from alignment_trainer.data.tasks.documents import Document
from alignment_trainer.evaluation.candidates import chat_template
from alignment_trainer.evaluation.encoded import encode
from alignment_trainer.evaluation.tasks import OpenTask
from alignment_trainer.model_folder.documents import COPY, read_object
from alignment_trainer.model_folder.fitness import CONFIGURATION
from alignment_trainer.models.tokenizer import load_tokenizer
from alignment_trainer.reading.bad_row import BadRow
from alignment_trainer.settings.evaluation import TaskSettings
from alignment_trainer.workspace.activity import counted

_BEGINNING = 256
"""So many characters of a longer text show that it has several tokens."""


def perplexity_faults(task: OpenTask, folder: Path) -> Iterator[str]:
    """Yield why a model cannot be measured on the texts of a task: all models of a job have one tokenizer."""
    yield from window_faults(TaskSettings(task.path, task.task), read_object(folder / CONFIGURATION, COPY))
    tokenizer = load_tokenizer(folder, chat_template(task.config), needs_answers=False)
    rows = counted(task.rows, f"looking for short texts in {task.name}", len(task.rows), "rows")
    short = [row.place for row in rows if not _predicts(row.value, tokenizer)]
    share = task.settings.maximum_failed_share
    if len(short) > share * len(task.rows):
        yield (
            f"{task.path}.dataset: in {len(short)} of {len(task.rows)} rows no token is predicted, such as {short[0]}, more than "
            f"maximumFailedShare {share:g}: a text needs two tokens, and a dialogue an answer; correct them, or raise the share"
        )


def _predicts(document: Document, tokenizer: Any) -> bool:
    beginning = document[:_BEGINNING] if isinstance(document, str) else document
    return _has_wanted_token(beginning, tokenizer) or (beginning != document and _has_wanted_token(document, tokenizer))


def _has_wanted_token(document: Document, tokenizer: Any) -> bool:
    try:
        return any(encode(document, tokenizer).counts[1:])
    except (BadRow, TemplateError):
        return False
