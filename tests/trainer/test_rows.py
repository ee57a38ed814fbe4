import pytest
from alignment_trainer.rows import BadRow, Dialogue, Pair, dialogue_of, pair_of

ASK = {"role": "user", "content": "Why?"}
GOOD = {"role": "assistant", "content": "Because."}
BAD = {"role": "assistant", "content": "Go away."}


@pytest.mark.parametrize(
    ("row", "dialogue"),
    [
        ({"messages": [ASK, GOOD]}, Dialogue(None, [ASK, GOOD])),
        ({"prompt": "Why?", "completion": " Because."}, Dialogue("Why?", " Because.")),
        ({"prompt": [ASK], "completion": [GOOD], "extra": 1}, Dialogue([ASK], [GOOD])),
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
            "no prompt and no completion; it needs messages, or prompt and completion, and has text",
        ),
        (dialogue_of, {"messages": []}, "messages must be a list of messages"),
        (dialogue_of, {"messages": [ASK]}, "no answer of the role assistant"),
        (dialogue_of, {"messages": [{"role": "human", "content": "a"}]}, r"messages\[0\].role is 'human'; use one of"),
        (dialogue_of, {"messages": [{"role": "user"}]}, r"messages\[0\].content is no text"),
        (dialogue_of, {"prompt": "a", "completion": ""}, "completion is empty"),
        (
            pair_of,
            {"prompt": "a", "chosen": "b"},
            "no rejected; it needs prompt, chosen and rejected, and has chosen, prompt",
        ),
        (pair_of, {"prompt": "a", "chosen": "b", "rejected": "b"}, "chosen and rejected are the same"),
        (pair_of, {"prompt": "a", "chosen": [GOOD], "rejected": [BAD]}, "share no first message"),
        (pair_of, {"prompt": [ASK], "chosen": "b", "rejected": [BAD]}, "must all be texts, or all lists of messages"),
    ],
)
def test_faults(read, row, fault):
    with pytest.raises(BadRow, match=fault):
        read(row)
