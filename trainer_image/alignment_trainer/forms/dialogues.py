"""The forms of rows for supervised fine-tuning."""

from typing import Any

from alignment_trainer.forms.examples import Dialogue
from alignment_trainer.forms.form import Form, Row, has_columns
from alignment_trainer.forms.messages import Message, Text, as_messages, conversation_of, messages_of, unlearned_in
from alignment_trainer.forms.multiple_choice import multiple_choice_of
from alignment_trainer.forms.pairs.shared_start import said
from alignment_trainer.forms.questions import (
    OPENING,
    alpaca,
    dolly,
    is_opened,
    open_orca,
    opened,
    question_and_answer,
    self_instruct,
    texts_in_turn,
)
from alignment_trainer.forms.texts import optional_text, whole_text
from alignment_trainer.forms.tools import TOOL_COLUMNS, tools_of
from alignment_trainer.forms.trees import best_path, is_tree
from alignment_trainer.reading.bad_row import BadRow


def _messages(row: Row) -> Dialogue:
    return _answered(row, "messages", messages_of(row["messages"], "messages"))


def _conversation(row: Row) -> Dialogue:
    return _answered(row, "conversations", conversation_of(row["conversations"], "conversations"))


def _answered(row: Row, column: str, messages: list[Message]) -> Dialogue:
    """Return a dialogue with its tools and weights; a system message of its own replaces that of the column system."""
    if messages[-1]["role"] != "assistant" and has_columns(row, ("chosen", "rejected")):
        raise BadRow("ends with a question and has two answers (chosen, rejected); name the dataset in a stage of kind dpo")
    if all(message["role"] != "assistant" for message in messages):
        raise BadRow(f"{column} has no message with role assistant, so there is nothing to learn from it")
    unlearned = unlearned_in(row[column], messages)
    system = optional_text(row, "system")
    if system and messages[0]["role"] != "system":
        messages = [{"role": "system", "content": system}, *messages]
        unlearned = frozenset(index + 1 for index in unlearned)
    return Dialogue(None, messages, tools_of(row), unlearned)


def _multiple_choice(row: Row) -> Dialogue:
    return Dialogue(None, multiple_choice_of(row, "question", ("answerKey", "answer")))


def _query_and_choices(row: Row) -> Dialogue:
    return Dialogue(None, multiple_choice_of(row, "query", ("gold",)))


def _completion(row: Row) -> Dialogue:
    """Read prompt and completion: two texts, unless the row has more than these, or messages, of which a text is one."""
    prompt, completion = _part(row["prompt"], "prompt"), _part(row["completion"], "completion")
    if isinstance(prompt, str) and isinstance(completion, str) and not is_opened(row):
        if tools_of(row):
            raise BadRow("has tools, but prompt and completion are texts; tools need lists of messages")
        return Dialogue(prompt, completion)
    unlearned = unlearned_in(row["completion"], completion) if isinstance(completion, list) else frozenset()
    asked = opened(row, said(prompt) if isinstance(prompt, str) else prompt)
    return Dialogue(asked, as_messages(completion, "assistant", "completion"), tools_of(row), unlearned)


def _part(value: Any, column: str) -> Text:
    if not isinstance(value, str | list):
        raise BadRow(f"{column} must be a text or a list of messages; correct it")
    return messages_of(value, column) if isinstance(value, list) else whole_text(value, column)


DIALOGUE_FORMS = (
    Form("messages", ("messages",), _messages, ("system", *TOOL_COLUMNS)),
    Form("ShareGPT", ("conversations",), _conversation, ("system", *TOOL_COLUMNS)),
    Form("multiple choice", ("question", "choices"), _multiple_choice, ("answer", "answerKey")),
    Form("query and choices", ("query", "choices", "gold"), _query_and_choices),
    Form("self-instruct", ("instruction", "instances"), self_instruct),
    Form("Alpaca", ("instruction", "output"), alpaca, ("input", *OPENING, *TOOL_COLUMNS)),
    Form("dolly", ("instruction", "response"), dolly, ("context", "system_prompt")),
    Form("OpenOrca", ("question", "response"), open_orca, ("system_prompt",)),
    Form("question and answer", ("question", "answer"), question_and_answer),
    Form("OASST tree", ("prompt",), best_path, fits=is_tree),
    Form("completion", ("prompt", "completion"), _completion, (*OPENING, *TOOL_COLUMNS)),
    Form("UltraChat", ("data",), texts_in_turn),
)

NO_DIALOGUES = (
    (("instruction",), "has instruction but no output; add the output or remove the row"),
    (("turns",), "has questions (turns) without answers, as MT-bench has them; there is nothing to learn from it"),
    (("question", "mc1_targets"), "has options without one answer (mc1_targets): TruthfulQA measures models; "
     "name it in decontamination.datasets"),
    (("message_id", "parent_id", "text"), "is one message of a tree (message_id, parent_id); use the file of whole trees"),
    (("text",), "has text, but no question and answer; to learn plain text, add columns: {text: text} to the dataset"),
)  # fmt: skip
"""What rows are that fit no form, by the columns that tell: the first that fits is the sentence."""
