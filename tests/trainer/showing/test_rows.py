"""What `alignment show-data` says of one row."""

import pytest
from alignment_api.spec.data import Columns
from alignment_trainer.data.preparation import Preparation
from alignment_trainer.failures import BadData
from alignment_trainer.forms.columns import mapped
from alignment_trainer.forms.rows import read_dialogue, read_pair
from alignment_trainer.reading.bad_row import BadRow
from alignment_trainer.reading.sources import PlacedRow
from alignment_trainer.showing.rows import row_lines

ASK = {"role": "user", "content": "Why?"}
GOOD = {"role": "assistant", "content": "Because."}
WORDS = ["[Why?]", " Because.", "</s>", "\n"]


class NoControlTokens:
    def are_written_in(self, row):
        return any("</s>" in str(part) for part in row.parts)


def tokens_of(row):
    return {"input_ids": [0, 1, 2, 3], "labels": [-100, 1, 2, -100]}, None


def tokens_of_a_pair(row):
    return {"prompt_ids": [0], "chosen_ids": [1, 2], "rejected_ids": [2]}, "unended"


def shown(values, read=read_dialogue, tokenize=tokens_of, cleaning=(), fault=None):
    preparation = Preparation(read, tokenize, NoControlTokens(), cleaning, None)
    row = PlacedRow("chat.jsonl:7", values, fault)
    return list(row_lines(row, preparation, lambda ids: "".join(WORDS[token] for token in ids), False))


def test_a_dialogue():
    tool = {"name": "add", "parameters": {}}
    assert shown({"messages": [ASK, GOOD], "id": 3, "tools": [tool]}) == [
        "chat.jsonl:7  form: messages; ignored: id",
        "  tools: add",
        "  user: Why?",
        "  assistant: Because.",
        "  text: 4 tokens, 2 of them learned",
        "    [Why?]⟦ Because.</s>⟧⏎",
    ]


def test_a_pair():
    row = {"prompt": "Why?", "chosen": " Because.", "rejected": ""}
    assert shown({**row, "rejected": " No."}, read_pair, tokens_of_a_pair) == [
        "chat.jsonl:7  form: prompt and two answers",
        "  prompt: Why?",
        "  chosen:  Because.",
        "  rejected:  No.",
        "  prompt: 1 tokens",
        "    [Why?]",
        "  chosen: 2 tokens, 2 of them learned",
        "    ⟦ Because.</s>⟧",
        "  rejected: 1 tokens, 1 of them learned",
        "    ⟦</s>⟧",
        "  shortened to maxLength, without the end of an answer",
    ]


def test_a_row_that_is_read_through_columns():
    row = mapped({"q": "Why?", "a": "Because.", "id": 3}, Columns.parse({"prompt": "q", "answer": "a"}))
    assert shown(row)[0] == "chat.jsonl:7  form: columns, read as messages; ignored: id"


LEFT_OUT = [
    ([ASK, {**GOOD, "content": " "}], "left out because an answer is empty, or both answers are the same", ()),
    ([ASK, {**GOOD, "content": "As an AI, no."}], "removed because the answer speaks of being an AI", ("DropRefusals",)),
    ([ASK, {**GOOD, "content": "</s>"}], "left out because their text would be read as control tokens", ()),
]


@pytest.mark.parametrize(("messages", "reason", "cleaning"), LEFT_OUT)
def test_a_row_that_is_left_out_has_its_reason_and_no_tokens(messages, reason, cleaning):
    lines = shown({"messages": messages}, cleaning=cleaning)
    assert lines[-1] == f"  {reason}"
    assert not any("tokens," in line for line in lines)


def test_a_label_leaves_a_row_out():
    lines = shown({"prompt": "Why?", "completion": "Go away.", "label": False})
    assert lines == ["chat.jsonl:7  left out because their label says that the answer is bad"]


def test_a_long_message_is_shortened_and_its_line_breaks_are_signs():
    lines = shown({"messages": [{**ASK, "content": "a\n" * 200}, GOOD]})
    assert lines[1] == f"  user: {'a⏎' * 80}… (400 characters)"


@pytest.mark.parametrize(("values", "fault"), [({}, BadRow("is not valid JSON")), ({"text": "a"}, None)])
def test_a_bad_row_is_a_fault_with_its_place(values, fault):
    with pytest.raises(BadData, match=r"^chat.jsonl:7: (is not valid JSON|has text)"):
        shown(values, fault=fault)
