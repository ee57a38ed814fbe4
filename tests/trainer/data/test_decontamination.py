import pytest
from alignment_trainer.data.decontamination import EvaluationIndex, texts_of, words_of

QUESTION = "Which of the seven planets that are named here has the largest number of moons?"
"""15 words."""


def index(*rows, ngram_words=4, overlap=0.5):
    made = EvaluationIndex(ngram_words, overlap)
    for number, row in enumerate(rows):
        assert made.add(f"set-{number}", row)
    return made


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ([QUESTION], "set-0"),
        (["Tell me: which of the SEVEN planets, that are named here, has the largest number of moons?!"], "set-0"),
        (["Nothing of the kind.", "I heard " + QUESTION], "set-0"),
        # Eight of fifteen words match, in one sequence or in two; seven are fewer than half.
        (["which of the seven planets that are named"], "set-0"),
        (["which of the seven. And the largest number of"], "set-0"),
        (["which of the seven planets that are"], None),
        # Words match, but never four in sequence.
        (["moons of number largest the has here named are that planets seven the of which"], None),
        # Two texts are not joined to an n-gram that neither contains.
        (["which of the seven planets", "that are named here"], "set-0"),
        (["which of the", "seven planets that", "are named here"], None),
        (["of the seven"], None),
        ([""], None),
        ([], None),
    ],
)
def test_half_of_the_words_in_ngrams_make_a_text_contaminated(texts, found):
    assert index({"question": QUESTION}).found_in(texts) == found


def test_all_texts_of_a_row_count_but_system_messages():
    row = {
        "id": 7,
        "messages": [{"role": "system", "content": QUESTION}, {"role": "user", "content": "How many legs does a spider have?"}],
        "options": {"text": ["It has eight legs in all.", "None"]},
    }
    assert {"How many legs does a spider have?", "It has eight legs in all.", "None"} <= set(texts_of(row))
    made = index(row)
    assert made.found_in([QUESTION]) is None
    assert made.found_in(["A spider? It has eight legs in all."]) == "set-0"


def test_the_first_set_is_named_and_short_texts_are_not_found():
    assert index({"a": QUESTION}, {"a": QUESTION}).found_in([QUESTION]) == "set-0"
    assert not EvaluationIndex(8, 0.5).add("short", {"question": "What is two plus two?", "answer": 4})


def test_a_larger_overlap_or_longer_ngrams_find_less():
    part = ["which of the seven planets that are named"]
    assert index({"a": QUESTION}, overlap=0.6).found_in(part) is None
    assert index({"a": QUESTION}, ngram_words=9).found_in(part) is None


def test_words_have_no_case_and_no_signs():
    assert words_of("Don't PANIC – it's 42_x, über!") == ["don", "t", "panic", "it", "s", "42", "x", "über"]
