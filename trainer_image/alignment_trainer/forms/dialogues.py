"""The forms of rows for supervised fine-tuning."""

from alignment_trainer.forms.examples import Dialogue
from alignment_trainer.forms.form import Form, Row, texts_or_messages
from alignment_trainer.forms.messages import Message, conversation_of, messages_of, text_of, whole_text
from alignment_trainer.forms.multiple_choice import multiple_choice_of
from alignment_trainer.reading.bad_row import BadRow


def _messages(row: Row) -> Dialogue:
    return _answered(messages_of(row["messages"], "messages"), "messages")


def _conversation(row: Row) -> Dialogue:
    return _answered(conversation_of(row["conversations"], "conversations"), "conversations")


def _answered(messages: list[Message], column: str) -> Dialogue:
    if all(message["role"] != "assistant" for message in messages):
        raise BadRow(f"{column} has no message with role assistant, so there is nothing to learn from it")
    return Dialogue(None, messages)


def _multiple_choice(row: Row) -> Dialogue:
    return Dialogue(None, multiple_choice_of(row))


def _instruction(row: Row) -> Dialogue:
    """Read Alpaca's columns: instruction, input and output."""
    if row.get("output") is None:
        raise BadRow("has instruction but no output; add the output or remove the row")
    question = text_of(row, "instruction")
    given = whole_text(row.get("input") or "", "input")
    system = whole_text(row.get("system") or "", "system")
    messages = [
        *([{"role": "system", "content": system}] if system else []),
        {"role": "user", "content": f"{question}\n\n{given}" if given else question},
        {"role": "assistant", "content": whole_text(row["output"], "output")},
    ]
    return Dialogue(None, messages)


def _completion(row: Row) -> Dialogue:
    return Dialogue(*texts_or_messages(row, ("prompt", "completion")))


DIALOGUE_FORMS = (
    Form("messages", ("messages",), _messages),
    Form("conversations", ("conversations",), _conversation),
    Form("multiple choice", ("question", "choices"), _multiple_choice, ("answer", "answerKey")),
    Form("Alpaca", ("instruction",), _instruction, ("output", "input", "system")),
    Form("completion", ("prompt", "completion"), _completion),
)
