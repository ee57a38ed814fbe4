"""Shows the first rows of every dataset of a stage, with the stage's own tokenizer and settings."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from alignment_api.run_config import RunConfig

from alignment_trainer.data.selection import Selection, evaluation_index
from alignment_trainer.data.stage_form import StageForm
from alignment_trainer.failures import BadData
from alignment_trainer.model_folder.start import start_name
from alignment_trainer.models.load_faults import loading
from alignment_trainer.models.tokenizer import load_tokenizer
from alignment_trainer.settings.training import Settings, training_settings
from alignment_trainer.showing.rows import row_lines


class Line(NamedTuple):
    """One line of what is shown; a fault would end the job."""

    text: str
    is_fault: bool = False


class Reading(NamedTuple):
    """How a kind of stage reads its rows."""

    folder: Path
    """The files of its tokenizer."""
    needs_answers: bool
    """Whether its loss needs to know which tokens are answers."""
    form: Callable[[RunConfig, Settings, Any], StageForm]


def stage_lines(config: RunConfig, reading: Reading, rows: int, in_colour: bool) -> Iterator[Line]:
    """Show the first rows of each dataset that a stage trains or evaluates on."""
    settings = training_settings(config)
    with loading("its tokenizer", start_name(config)):
        tokenizer = load_tokenizer(reading.folder, settings.chat_template, reading.needs_answers)
    form = reading.form(config, settings, tokenizer)
    decode = partial(tokenizer.decode, clean_up_tokenization_spaces=False)
    evaluations = evaluation_index(config, settings, Selection({}, {}, {}))
    held_out = (settings.holdout.datasets if settings.holdout else None) or []
    for field, datasets in (("datasets", settings.datasets), ("holdout.datasets", held_out)):
        for index, dataset in enumerate(datasets):
            yield Line(f"{config.stage_name}: {settings.path}.{field}[{index}]: {dataset.source}")
            index_of = evaluations if field == "datasets" else None
            preparation = form.preparation(tuple(dataset.cleaning or ()), index_of)
            for row in islice(form.reader.find(dataset, config.paths).rows(), rows):
                try:
                    yield from map(Line, row_lines(row, preparation, decode, in_colour))
                except BadData as fault:
                    yield Line(str(fault), is_fault=True)
                yield Line("")
