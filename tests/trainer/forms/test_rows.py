import pytest
from alignment_trainer.forms.examples import Dialogue, Pair
from alignment_trainer.reading.bad_row import BadRow
from dialogue_rows import dialogue_of
from pair_rows import pair_of

ASK = {"role": "user", "content": "Why?"}
GOOD = {"role": "assistant", "content": "Because."}
BAD = {"role": "assistant", "content": "Go away."}


@pytest.mark.parametrize(
    ("row", "dialogue"),
    [
        ({"messages": [ASK, GOOD]}, Dialogue(None, [ASK, GOOD])),
        ({"messages": [{**ASK, "content": ""}, GOOD]}, Dialogue(None, [{**ASK, "content": ""}, GOOD])),
        ({"prompt": "Why?", "completion": " Because."}, Dialogue("Why?", " Because.")),
        ({"prompt": [ASK], "completion": [GOOD], "extra": 1}, Dialogue([ASK], [GOOD])),
        ({"prompt": "Why?", "messages": [ASK, GOOD]}, Dialogue(None, [ASK, GOOD])),
        ({"instruction": "Why?", "input": "", "output": "Because."}, Dialogue(None, [ASK, GOOD])),
        ({"instruction": "Why?", "input": None, "output": "Because.", "system": None}, Dialogue(None, [ASK, GOOD])),
        (
            {"instruction": "Add.", "input": "1, 2", "output": "Because.", "system": "Be kind."},
            Dialogue(None, [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Add.\n\n1, 2"}, GOOD]),
        ),
        (
            {"conversations": [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "Because."}]},
            Dialogue(None, [ASK, GOOD]),
        ),
        (
            {"conversations": [{"from": "user", "value": "Why?"}, {"from": "assistant", "value": "Because."}], "id": 1},
            Dialogue(None, [ASK, GOOD]),
        ),
    ],
)
def test_dialogues(row, dialogue):
    assert dialogue_of(row) == dialogue


@pytest.mark.parametrize(
    ("row", "pair"),
    [
        ({"prompt": "Why?", "chosen": "A", "rejected": "B"}, Pair("Why?", "A", "B")),
        ({"prompt": [ASK], "chosen": [GOOD], "rejected": [BAD]}, Pair([ASK], [GOOD], [BAD])),
        ({"prompt": "Why?", "chosen": [ASK, GOOD], "rejected": [ASK, BAD]}, Pair([ASK], [GOOD], [BAD])),
        ({"chosen": [ASK, GOOD, ASK, GOOD], "rejected": [ASK, GOOD, ASK, BAD]}, Pair([ASK, GOOD, ASK], [GOOD], [BAD])),
    ],
)
def test_pairs(row, pair):
    assert pair_of(row) == pair


@pytest.mark.parametrize(
    ("read", "row", "fault"),
    [
        (
            dialogue_of,
            {"text": "a"},
            "has text, but no question and answer; to learn plain text, add columns: {text: text} to the dataset",
        ),
        (dialogue_of, {"messages": []}, "messages must be a list of messages"),
        (dialogue_of, {"messages": [ASK]}, "no message with role assistant"),
        (dialogue_of, {"messages": [{"role": "human", "content": "a"}]}, r"messages\[0\].role is 'human'; use one of"),
        (dialogue_of, {"messages": [{"role": "user"}]}, r"messages\[0\].content is not text"),
        (dialogue_of, {"messages": [ASK, {**GOOD, "content": None}]}, r"messages\[1\].content is not text"),
        # An empty answer does not hide another fault of the row.
        (dialogue_of, {"messages": [ASK, {**GOOD, "content": ""}, {"role": "bot"}]}, r"messages\[2\].role is 'bot'"),
        (dialogue_of, {"prompt": "a\ud800", "completion": ""}, "prompt contains half of a character"),
        (dialogue_of, {"prompt": "a\ud800", "completion": "b"}, "prompt contains half of a character"),
        (dialogue_of, {"instruction": "a", "output": None}, "has instruction but no output"),
        (dialogue_of, {"instruction": "", "output": "a"}, "instruction is empty"),
        (dialogue_of, {"instruction": "a", "input": 3, "output": "a"}, "input is not text"),
        (dialogue_of, {"conversations": []}, "conversations must be a list of turns"),
        (
            dialogue_of,
            {"conversations": [{"from": "robot", "value": "a"}]},
            r"conversations\[0\].from is 'robot'; use one of human",
        ),
        (dialogue_of, {"conversations": [{"from": "gpt", "value": None}]}, r"conversations\[0\].value is not text"),
        (dialogue_of, {"conversations": [{"from": "human", "value": "a"}]}, "conversations has no message with role assistant"),
        (
            pair_of,
            {"prompt": "a", "chosen": "b"},
            "no rejected; it needs prompt, chosen and rejected, .*, but has chosen, prompt",
        ),
        (pair_of, {"prompt": "a", "chosen": "", "rejected": None}, "has no rejected"),
        (pair_of, {"prompt": "a", "chosen": [], "rejected": [BAD]}, "chosen must be a list of messages"),
        (pair_of, {"chosen": [GOOD], "rejected": [BAD]}, "do not begin with the same message"),
        (pair_of, {"prompt": [ASK], "chosen": "b", "rejected": [BAD]}, "must both be texts, or both be lists of messages"),
    ],
)
def test_faults(read, row, fault):
    with pytest.raises(BadRow, match=fault):
        read(row)


OPTIONS = ["the moon", "the sun"]
ASKED = {"role": "user", "content": "What is hot?\n\nA. the moon\nB. the sun"}
ANSWERED = {"role": "assistant", "content": "B. the sun"}


@pytest.mark.parametrize(
    "columns",
    [
        {"choices": OPTIONS, "answer": 1},
        {"choices": OPTIONS, "answer": "B"},
        {"choices": OPTIONS, "answer": "b"},
        {"choices": OPTIONS, "answer": "the sun"},
        {"choices": OPTIONS, "answer": 1, "subject": "astronomy"},
        {"choices": {"text": OPTIONS, "label": ["A", "B"]}, "answerKey": "B"},
        {"choices": {"text": OPTIONS, "label": ["1", "2"]}, "answerKey": "2"},
        {"choices": {"text": OPTIONS, "label": [1, 2]}, "answerKey": "2", "id": "x"},
    ],
)
def test_options_get_letters_and_the_answer_is_one_of_them(columns):
    assert dialogue_of({"question": "What is hot?", **columns}) == Dialogue(None, [ASKED, ANSWERED])


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ({"choices": OPTIONS}, "has no answer"),
        ({"choices": OPTIONS, "answer": 2}, "answer is 2, but the options are 0 to 1"),
        ({"choices": OPTIONS, "answer": True}, "answer does not name exactly one option"),
        (
            {"choices": OPTIONS, "answer": "C"},
            "answer does not name exactly one option; use its index from 0, one of A, B, or its text",
        ),
        ({"choices": ["a hat", "a hat"], "answer": "a hat"}, "answer does not name exactly one option"),
        ({"choices": ["one"], "answer": 0}, "choices must be 2 to 26 texts"),
        ({"choices": "one, two", "answer": 0}, "choices must be 2 to 26 texts"),
        ({"choices": ["one", 2], "answer": 0}, r"choices\[1\] is not text"),
        ({"choices": {"text": OPTIONS, "label": ["A"]}, "answerKey": "A"}, "choices.label must have one label for each"),
        ({"choices": {"text": OPTIONS, "label": ["A", "A"]}, "answerKey": "A"}, "choices.label must have one label for each"),
        ({"choices": OPTIONS, "answer": 0, "question": ""}, "question is empty"),
    ],
)
def test_faults_of_multiple_choice(columns, fault):
    with pytest.raises(BadRow, match=fault):
        dialogue_of({"question": "What is hot?", **columns})
