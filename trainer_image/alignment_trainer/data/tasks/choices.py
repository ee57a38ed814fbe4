"""Reads a question with options, of which a model shall find the right one."""

from alignment_trainer.forms.form import Form, Row, form_of, shown_columns
from alignment_trainer.forms.media import refuse_media
from alignment_trainer.forms.multiple_choice import Choices, choices_of
from alignment_trainer.reading.bad_row import BadRow

_FORMS: tuple[Form[Choices], ...] = (
    Form("multiple choice", ("question", "choices"), lambda row: choices_of(row, "question", ("answerKey", "answer"))),
    Form("query and choices", ("query", "choices"), lambda row: choices_of(row, "query", ("gold",))),
)


def read_choices(row: Row) -> Choices:
    """Read a row with its options and the right one; raise BadRow where it has none."""
    refuse_media(row)
    form = form_of(row, _FORMS)
    if form is None:
        raise BadRow(
            f"has no question with choices; it needs question, choices and answer (or answerKey), or query, choices and gold, "
            f"but has {shown_columns(row)}"
        )
    return form.read(row)
