import pytest
from alignment_trainer.data.cleaning import answers_nothing, speaks_of_itself, truecased, truecased_row
from alignment_trainer.forms.examples import Dialogue, Pair
from dialogue_rows import dialogue_of
from pair_rows import pair_of

ASK = {"role": "user", "content": "Why?"}
GOOD = {"role": "assistant", "content": "Because."}
BAD = {"role": "assistant", "content": "Go away."}
EMPTY = {"role": "assistant", "content": ""}
BLANK = {"role": "assistant", "content": " \n\t\u00a0"}


@pytest.mark.parametrize(
    ("read", "row"),
    [
        (dialogue_of, {"messages": [ASK, EMPTY]}),
        (dialogue_of, {"messages": [ASK, GOOD, ASK, BLANK]}),
        (dialogue_of, {"messages": [ASK, EMPTY, ASK, GOOD]}),
        (dialogue_of, {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": ""}]}),
        (dialogue_of, {"instruction": "a", "output": " "}),
        (dialogue_of, {"prompt": "a", "completion": ""}),
        (dialogue_of, {"prompt": "a", "completion": " \n"}),
        (dialogue_of, {"prompt": [ASK], "completion": [EMPTY]}),
        (dialogue_of, {"prompt": [ASK, BLANK, ASK], "completion": [GOOD]}),
        (pair_of, {"prompt": "a", "chosen": "", "rejected": "b"}),
        (pair_of, {"prompt": "a", "chosen": "b", "rejected": " "}),
        (pair_of, {"prompt": "a", "chosen": "b", "rejected": "b"}),
        (pair_of, {"prompt": [ASK], "chosen": [EMPTY], "rejected": [BAD]}),
        (pair_of, {"prompt": [ASK, EMPTY, ASK], "chosen": [GOOD], "rejected": [BAD]}),
        (pair_of, {"prompt": [ASK], "chosen": [GOOD], "rejected": [GOOD]}),
        (pair_of, {"prompt": "Why?", "chosen": [ASK, GOOD], "rejected": [ASK, BLANK]}),
        (pair_of, {"chosen": [ASK, GOOD], "rejected": [ASK, GOOD]}),
    ],
)
def test_rows_with_empty_or_identical_answers(read, row):
    assert answers_nothing(read(row))


@pytest.mark.parametrize(
    ("read", "row"),
    [
        (dialogue_of, {"messages": [{"role": "system", "content": ""}, {**ASK, "content": " "}, GOOD]}),
        (dialogue_of, {"prompt": "", "completion": " ."}),
        (dialogue_of, {"messages": [ASK, {"role": "assistant", "tool_calls": [{"function": {"name": "add"}}]}]}),
        (dialogue_of, {"question": "a", "choices": ["", "b"], "answer": 0}),
        (pair_of, {"prompt": "", "chosen": "b", "rejected": "b "}),
        (pair_of, {"chosen": [{**ASK, "content": ""}, GOOD], "rejected": [{**ASK, "content": ""}, BAD]}),
    ],
)
def test_rows_with_answers(read, row):
    assert not answers_nothing(read(row))


@pytest.mark.parametrize(
    ("text", "corrected"),
    [
        ("how are you today?", "How are you today?"),
        ("how are you? i hope i'm not late.", "How are you? I hope I'm not late."),
        ("I am fine. and you, my friend?", "I am fine. And you, my friend?"),
        ("CAN YOU TELL ME A STORY?", "Can you tell me a story?"),
        ("I DO NOT KNOW WHAT I WANT! Please help.", "I do not know what I want! Please help."),
        ("First line.\n\nwhat comes after it?", "First line.\n\nWhat comes after it?"),
        ("well, i think so. it is what i said.", "Well, I think so. It is what I said."),
        ("to jest kot i pies.", "To jest kot i pies."),
        ("was it él? über den wolken ist es schön.", "Was it él? Über den wolken ist es schön."),
    ],
)
def test_sentences_in_the_wrong_case_are_corrected(text, corrected):
    assert truecased(text) == corrected
    assert truecased(corrected) == corrected


@pytest.mark.parametrize(
    "text",
    [
        "How are you? I am fine.",
        "the capital of France is Paris.",
        "iPhone and iPad are names.",
        "NASA, ESA and JAXA",
        "DO NOT PANIC",
        "so it goes",
        "yes.",
        "- milk and bread and butter\n- eggs and more of it.",
        "See the list, e.g. the first item. It is short.",
        "We met at 5 p.m. and went home. Then we slept.",
        "Well... i would not say so, John.",
        "x = compute(y); return x.",
        "```\nfor each item in the list.\n```",
        "    indented words are often code.",
        "visit example.com/page for more of it.",
        "use snake_case in all names.",
        "Roses are red,\nviolets are blue and so on.",
        "",
    ],
)
def test_text_that_may_be_right_is_left_unchanged(text):
    assert truecased(text) == text


def test_only_messages_of_people_and_assistants_are_corrected():
    small = "this is a small sentence."
    dialogue = Dialogue(None, [{"role": role, "content": small} for role in ("system", "user", "assistant", "tool")])
    assert [message["content"][0] for message in truecased_row(dialogue).answer] == ["t", "T", "T", "t"]
    assert truecased_row(Dialogue(small, small)) == Dialogue(small, small)
    pair = Pair(*([{"role": "user", "content": small}] for _ in range(3)))
    assert {part[0]["content"] for part in truecased_row(pair).parts} == {"This is a small sentence."}


@pytest.mark.parametrize(
    ("answer", "speaks"),
    [
        ("As an AI language model, I cannot eat.", True),
        ("I'm just a language model.", True),
        ("I am an artificial intelligence.", True),
        ("Well, I don't have personal opinions, but here are some.", True),
        ("I do not have feelings or emotions.", True),
        ("I cannot feel emotions.", True),
        ("I don’t have any preferences.", True),
        ("As an airline pilot, I fly.", False),
        ("I do not have the time.", False),
        ("People have opinions and feelings.", False),
        ("A language model predicts words.", False),
        ("I have no idea, but my opinion is this.", False),
    ],
)
def test_answers_that_speak_of_being_an_ai(answer, speaks):
    ask, said = {"role": "user", "content": "Why?"}, {"role": "assistant", "content": answer}
    fine = [{"role": "assistant", "content": "Because."}]
    assert speaks_of_itself(Dialogue(None, [ask, said])) == speaks
    assert speaks_of_itself(Dialogue("Why?", answer)) == speaks
    assert speaks_of_itself(Pair([ask], [said], fine)) == speaks
    # A rejected answer may speak of being an AI, and so may the user.
    assert not speaks_of_itself(Pair([ask], fine, [said]))
    assert not speaks_of_itself(Dialogue(answer, "Because."))
    assert not speaks_of_itself(Dialogue(None, [{**said, "role": "user"}, *fine]))
