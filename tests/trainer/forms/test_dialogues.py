"""Rows in the shapes of public datasets are read as their format defines, or refused in one sentence."""

import re

import pytest
from alignment_trainer.forms.dialogues import DIALOGUE_FORMS
from alignment_trainer.forms.left_out import LeftOut
from alignment_trainer.forms.rows import read_dialogue
from alignment_trainer.reading.bad_row import BadRow
from dialogue_rows import ADD, CALL, MOO, OINK, ROWS, assistant, dialogue_of, turn, user
from pair_rows import pair_of


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_row_is_read_as_its_form_defines(row):
    read = read_dialogue(row.row)
    assert (read.form, read.example) == (row.form, row.dialogue)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_what_is_not_read_is_named_and_what_is_repeated_is_not(row):
    assert read_dialogue(row.row).unread == row.unread


def test_each_form_has_a_row():
    assert {row.form for row in ROWS.values()} == {form.name for form in DIALOGUE_FORMS}


@pytest.mark.parametrize(
    ("messages", "unread"),
    [
        ([{**OINK[0], "id": 1}, OINK[1]], ("messages[].id",)),
        ([OINK[0], {**OINK[1], "reasoning_content": "Pigs oink."}], ("messages[].reasoning_content",)),
        ([OINK[0], {**OINK[1], "id": None}], ()),
    ],
)
def test_keys_of_messages_that_are_not_read_are_named(messages, unread):
    assert read_dialogue({"messages": messages}).unread == unread


def test_a_prompt_that_is_not_in_the_messages_is_named():
    assert read_dialogue({"prompt": "Another one.", "messages": OINK}).unread == ("prompt",)


@pytest.mark.parametrize(("provenance", "unread"), [({"teacher": {"model": "large"}}, ()), ("a book", ("provenance",))])
def test_where_a_written_row_comes_from_is_not_named(provenance, unread):
    assert read_dialogue({"messages": OINK, "provenance": provenance}).unread == unread


def calling(arguments):
    return {"messages": [OINK[0], {**assistant(None), "tool_calls": [{"function": {"name": "add", "arguments": arguments}}]}]}


@pytest.mark.parametrize(
    ("arguments", "read"),
    [
        ('{"a": null}', {"a": None}),
        ({"a": 1, "b": None}, {"a": 1}),
        ("", {}),
        (None, {}),
        ({"a": {"b": None, "c": [1, {"d": None}]}}, {"a": {"c": [1, {}]}}),
    ],
    ids=["nulls of a text stay", "nulls of a table go", "no text", "null", "nulls of a table go everywhere"],
)
def test_arguments_of_a_call_are_an_object(arguments, read):
    assert dialogue_of(calling(arguments)).answer[1]["tool_calls"][0]["function"]["arguments"] == read


def test_a_turn_can_hold_several_calls():
    value = '[{"name": "add", "arguments": {"a": 2, "b": 3}}, {"name": "add", "arguments": "{\\"a\\": 2, \\"b\\": 3}"}]'
    row = {"conversations": [turn("human", "Add."), turn("function_call", value)]}
    assert dialogue_of(row).answer[1]["tool_calls"] == [CALL, CALL]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": "A pig says", "completion": " moo.", "label": False}, "labelled_bad"),
        ({"messages": OINK, "label": False}, "labelled_bad"),
        ({"instruction": "a", "output": "b", "kto_tag": False}, "labelled_bad"),
        ({"prompt": "A pig says", "completion": " moo.", "label": "False"}, "labelled_bad"),
        ({"prompt": {"role": "prompter", "text": "a", "replies": []}}, "nothing_answered"),
        (
            {"prompt": {"role": "prompter", "text": "a", "deleted": True, "replies": [{"role": "assistant", "text": "b"}]}},
            "nothing_answered",
        ),
    ],
)
def test_rows_of_known_forms_that_are_never_learned(row, reason):
    with pytest.raises(LeftOut) as left_out:
        dialogue_of(row)
    assert left_out.value.reason == reason


PICTURED = {"messages": [user("<image>What is it?"), OINK[1]]}
PAIR = {"chosen": "a", "rejected": "b"}

REFUSED = [
    (
        {**PAIR, "prompt": "c"},
        "has answers of which one is better (prompt, chosen, rejected); name the dataset in a stage of kind dpo",
    ),
    ({**PAIR, "instruction": "c", "input": ""}, "has answers of which one is better (instruction, chosen, rejected)"),
    ({"instruction": "a", "completions": [], "models": []}, "has answers of which one is better (instruction, completions)"),
    (
        {**PAIR, "conversations": [turn("human", "a"), turn("gpt", "b"), turn("human", "c")]},
        "ends with a question and has two answers",
    ),
    ({"question_id": 81, "category": "writing", "turns": ["a", "b"]}, "has questions (turns) without answers"),
    ({"question": "a", "mc1_targets": {"b": 1, "c": 0}}, "has options without one answer (mc1_targets)"),
    ({"text": "a"}, "to learn plain text, add columns: {text: text} to the dataset"),
    ({"message_id": "1", "parent_id": "0", "text": "a", "role": "assistant"}, "is one message of a tree"),
    ({"prompt": "a", "canonical_solution": "b"}, "has no completion; it needs messages, conversations, prompt and completion"),
    ({"class": "Vicuna", "data": "a"}, "data must be a list of texts, a question and its answer in turn"),
    ({"data": ["a"]}, "data must be a list of texts"),
    ({"data": ["a", 1]}, "data[1] is not text"),
    ({**PICTURED, "images": ["a.png"]}, "has images, and only text can be learned; remove images, or the row if"),
    ({"messages": [{**OINK[0], "images": ["a.png"]}, OINK[1]]}, "messages[0] has images, and only text can be learned"),
    ({"conversations": [turn("human", "a", image="a.png"), turn("gpt", "b")]}, "conversations[0] has image, and only text"),
    ({"messages": OINK, "image": {"bytes": "a"}}, "has image, and only text can be learned"),
    ({"messages": OINK, "audios": ["a.wav"]}, "has audios, and only text can be learned"),
    ({**PICTURED, "images": []}, "has <image> in a text, and images is empty; remove the mark, or the row"),
    ({"conversations": [turn("human", "<video>a"), turn("gpt", "b")], "videos": None}, "has <video> in a text"),
    (
        {"messages": [user([{"type": "image_url", "image_url": {"url": "a"}}]), OINK[1]]},
        "messages[0].content[0] is of type 'image_url'",
    ),
    ({"messages": [user(["a"]), OINK[1]]}, "messages[0].content[0] is of type None"),
    ({"prompt": "a", "completion": "b", "label": 0}, "label is 0, which may mean false or true; write these, or give"),
    ({"messages": [OINK[0], {**OINK[1], "weight": 0.5}]}, "the weight of message 2 is 0.5; use 1 to learn it, or 0"),
    ({"messages": [{**OINK[0], "tool_calls": [CALL]}, OINK[1]]}, "messages[0] calls a tool, but its role is user"),
    (
        {"messages": [OINK[0], {**assistant(None), "tool_calls": [{"id": "1"}]}]},
        "messages[1].tool_calls[0] is {'id': '1'}; a call",
    ),
    ({"messages": [OINK[0], {**assistant(None), "tool_calls": []}]}, "messages[1].content is not text"),
    (calling("{a"), "messages[1].tool_calls[0].arguments is text that is no valid JSON"),
    (calling("[1]"), "messages[1].tool_calls[0].arguments must be a JSON object"),
    (calling('{"a": "\\ud800"}'), "messages[1].tool_calls[0] contains half of a character"),
    ({"messages": OINK, "tools": "[a"}, "tools is text that is no valid JSON"),
    ({"messages": OINK, "tools": 3}, "tools must be a list of descriptions of tools, or the same as JSON text"),
    ({"messages": OINK, "tools": [{"type": "function"}]}, "tools[0] is {'type': 'function'}; it must be an object with name"),
    ({"messages": OINK, "functions": ["add"]}, "functions[0] is 'add'; it must be an object with name"),
    ({"prompt": "a", "completion": "b", "tools": [ADD]}, "has tools, but prompt and completion are texts"),
    ({"messages": OINK, "system": 3}, "system is not text"),
    ({"instruction": "a", "input": 0, "output": "b"}, "input is not text"),
    (
        {"conversations": [turn("human", "a"), turn("function_call", "add(1)")]},
        "conversations[1].value is text that is no valid JSON",
    ),
    ({"conversations": [turn("human", "a"), turn("function_call", "")]}, "conversations[1].value is empty; a call needs name"),
    (
        {"instruction": "a", "output": "b", "history": ["c"]},
        "history must be a list of earlier turns, each a list of question and",
    ),
    ({"instruction": "a", "output": "b", "history": [["c", None]]}, "history[0][1] is not text"),
    ({"instruction": "a", "instances": []}, "instances must be a list of objects with input and output that is not empty"),
    ({"instruction": "a", "instances": [{"input": "b"}]}, "instances[0].output is not text"),
    ({"question": "a", "answer": True}, "answer is not text"),
    ({"query": "a", "choices": ["b", "c"], "gold": 2}, "gold is 2, but the options are 0 to 1"),
    ({"query": "", "choices": ["b", "c"], "gold": 1}, "query is empty"),
    ({"prompt": {"role": "user", "text": "a", "replies": []}}, "prompt.role is 'user'; use one of prompter, assistant"),
    (
        {"prompt": {"role": "prompter", "text": "a", "replies": [{"role": "assistant", "text": None}]}},
        "prompt.replies[0].text is not text",
    ),
    ({"prompt": {"role": "prompter", "text": "a", "replies": ["b"]}}, "prompt.replies must be a list of messages"),
]


@pytest.mark.parametrize(("row", "sentence"), REFUSED)
def test_rows_that_cannot_be_learned_are_refused_in_a_sentence(row, sentence):
    with pytest.raises(BadRow, match=re.escape(sentence)):
        dialogue_of(row)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"\x1b[2Ja": 1}, r"but has \x1b[2Ja"),
        ({"a\nerror: b\x07": 1}, r"but has a\nerror: b\x07"),
        ({"messages": [{"role": "\x9b2J"}]}, r"messages[0].role is '\x9b2J'"),
        ({"messages": OINK, "tools": [{"name": "\u202ea"}, "\x1b"]}, r"tools[1] is '\x1b'"),
    ],
)
def test_a_fault_holds_no_control_character_of_its_row(row, sentence):
    with pytest.raises(BadRow) as refused:
        dialogue_of(row)
    assert sentence in str(refused.value)
    assert str(refused.value).isprintable()


def test_neither_does_a_column_that_is_not_read():
    messages = [OINK[0], {**OINK[1], "\x07": 1}]
    assert read_dialogue({"messages": messages, "\x1b[2J": 1}).unread == (r"\x1b[2J", r"messages[].\x07")


def test_a_mark_without_a_column_of_images_is_text():
    assert dialogue_of(PICTURED).answer[0]["content"] == "<image>What is it?"


def test_pairs_with_images_are_refused_too():
    with pytest.raises(BadRow, match="has images, and only text can be learned"):
        pair_of({"prompt": "a", **PAIR, "images": ["a.png"]})


def test_a_question_after_the_last_answer_is_no_fault():
    assert dialogue_of({"messages": [*OINK, MOO[0]]}).answer[-1] == MOO[0]
