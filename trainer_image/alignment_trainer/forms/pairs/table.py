"""The forms of rows for preference optimization; the first one that fits a row applies."""

from alignment_trainer.forms.examples import Pair
from alignment_trainer.forms.form import Form
from alignment_trainer.forms.pairs.chosen import CHOSEN_FORMS
from alignment_trainer.forms.pairs.compared import COMPARED_FORMS
from alignment_trainer.forms.pairs.rated import RATED_FORMS

PAIR_FORMS: tuple[Form[Pair], ...] = (*CHOSEN_FORMS, *COMPARED_FORMS, *RATED_FORMS)

NO_PAIRS = (
    (("messages",), "is a dialogue with one answer (messages); name the dataset in a stage of kind sft"),
    (("conversations",), "is a dialogue with one answer (conversations); name the dataset in a stage of kind sft"),
    (("instruction", "output"), "has one answer (output); name the dataset in a stage of kind sft"),
    (
        ("prompt", "completion"),
        "has one answer (completion); name the dataset in a stage of kind sft, or give all its rows a label",
    ),
)
"""What rows are that fit no form, by the columns that tell: the first that fits is the sentence."""
