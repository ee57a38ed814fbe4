"""The forms of rows for preference optimization."""

from alignment_trainer.forms.examples import Pair
from alignment_trainer.forms.form import Form, Row, texts_or_messages
from alignment_trainer.forms.messages import Message, messages_of
from alignment_trainer.reading.bad_row import BadRow


def _are_dialogues(row: Row) -> bool:
    return isinstance(row["chosen"], list) and isinstance(row["rejected"], list) and not isinstance(row.get("prompt"), list)


def _dialogues(row: Row) -> Pair:
    """Read two whole dialogues, which are split where they begin to differ."""
    return _split_pair(messages_of(row["chosen"], "chosen"), messages_of(row["rejected"], "rejected"))


def _split_pair(chosen: list[Message], rejected: list[Message]) -> Pair:
    shared = 0
    while shared < min(len(chosen), len(rejected)) - 1 and chosen[shared] == rejected[shared]:
        shared += 1
    if not shared:
        raise BadRow("chosen and rejected do not begin with the same message; add prompt as a list of messages")
    return Pair(chosen[:shared], chosen[shared:], rejected[shared:])


def _answers(row: Row) -> Pair:
    return Pair(*texts_or_messages(row, ("prompt", "chosen", "rejected")))


PAIR_FORMS = (
    Form("dialogues", ("chosen", "rejected"), _dialogues, ("prompt",), fits=_are_dialogues),
    Form("prompt and answers", ("prompt", "chosen", "rejected"), _answers),
)
