"""Reads rows that compare two answers: which of them is better is a label, a score or a column's name."""

from collections.abc import Callable
from typing import Any

from alignment_trainer.forms.examples import Pair
from alignment_trainer.forms.form import Form, Row
from alignment_trainer.forms.left_out import LeftOut
from alignment_trainer.forms.messages import messages_of
from alignment_trainer.forms.numbers import number_of
from alignment_trainer.forms.pairs.shared_start import answered, said, split_dialogues
from alignment_trainer.forms.texts import whole_text
from alignment_trainer.reading.bad_row import BadRow


def _preferred_id(row: Row) -> Pair:
    return _ordered(row, "prompt", ("response_0", "response_1"), _one_of(row, "better_response_id", {0: True, 1: False}))


def _upvoted(row: Row) -> Pair:
    return _ordered(row, "history", ("human_ref_A", "human_ref_B"), _one_of(row, "labels", {1: True, 0: False}))


def _pairs_of_stack_exchange(row: Row) -> Pair:
    return _ordered(row, "question", ("response_j", "response_k"), True)


def _scored(row: Row) -> Pair:
    difference = number_of(row["score_0"], "score_0") - number_of(row["score_1"], "score_1")
    question = row["question"]["full_text"] if isinstance(row["question"], dict) else row["question"]
    return _ordered({**row, "question": question}, "question", ("answer_0", "answer_1"), _first_if(difference))


def _strength(row: Row) -> Pair:
    first = _first_if(-number_of(row["overall_preference"], "overall_preference"))
    prompt = messages_of(row["context"], "context")
    better, worse = _sorted(row, ("response1", "response2"), first)
    return Pair(prompt, answered(better), answered(worse))


def _battle(row: Row) -> Pair:
    winners = {"model_a": True, "model_b": False, "tie": None, "tie (bothbad)": None}
    is_first = _one_of(row, "winner", winners)
    dialogues = [messages_of(row[column], column) for column in ("conversation_a", "conversation_b")]
    if is_first is None:
        raise LeftOut("undecided")
    return split_dialogues(*(dialogues if is_first else reversed(dialogues)))


def _ordered(row: Row, prompt: str, answers: tuple[str, str], first: bool) -> Pair:
    asked = said(whole_text(row[prompt], prompt))
    better, worse = _sorted(row, answers, first)
    return Pair(asked, answered(better), answered(worse))


def _sorted(row: Row, answers: tuple[str, str], first: bool) -> tuple[str, str]:
    one, other = (whole_text(row[column], column) for column in answers)
    return (one, other) if first else (other, one)


def _first_if(difference: float) -> bool:
    if not difference:
        raise LeftOut("undecided")
    return difference > 0


def _one_of(row: Row, column: str, values: dict[Any, Any]) -> Any:
    value = row[column]
    if isinstance(value, bool) or not isinstance(value, int | str) or value not in values:
        raise BadRow(f"{column} is {value!r:.40}; use one of {', '.join(map(str, values))}")
    return values[value]


def _form(name: str, read: Callable[[Row], Pair], columns: str) -> Form[Pair]:
    return Form(name, tuple(columns.split()), read)


COMPARED_FORMS = (
    _form("PKU-SafeRLHF", _preferred_id, "prompt response_0 response_1 better_response_id"),
    _form("SHP", _upvoted, "history human_ref_A human_ref_B labels"),
    _form("paired answers of Stack Exchange", _pairs_of_stack_exchange, "question response_j response_k"),
    _form("WebGPT comparisons", _scored, "question answer_0 answer_1 score_0 score_1"),
    _form("HelpSteer3", _strength, "context response1 response2 overall_preference"),
    _form("Chatbot Arena", _battle, "conversation_a conversation_b winner"),
)
