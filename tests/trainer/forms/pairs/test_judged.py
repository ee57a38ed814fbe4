"""Rows that a judge has scored: all answers with their scores, in both forms in which UltraFeedback has them."""

import pytest
from alignment_trainer.forms.pairs.judged import Scored, judged_answers
from alignment_trainer.reading.bad_row import BadRow

ALL = {"InstructionFollowing": 5, "Truthfulness": 4, "Honesty": 3, "Helpfulness": 2}
ALL_RATED = {"instruction_following": "5", "truthfulness": "4", "honesty": "3", "helpfulness": "2"}


def completion(ratings=ALL_RATED, is_list=False, **others):
    annotations = {aspect: {"Rating": rating, "Rationale": "It says 1 and 10."} for aspect, rating in ratings.items()}
    if is_list:
        annotations = {aspect: [annotation] for aspect, annotation in annotations.items()}
    return {"model": "small", "response": "Oink.", "annotations": annotations, **others}


def row(*completions):
    return {"source": "farm", "instruction": "A pig says?", "models": ["small"], "completions": list(completions)}


def scored(aspects=ALL, overall=None, **about):
    return Scored("small", "Oink.", aspects, overall, about)


@pytest.mark.parametrize("is_list", [False, True], ids=["objects", "lists of objects"])
@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (completion, scored()),
        (lambda **form: completion({**ALL_RATED, "honesty": "N/A"}, **form), scored({**ALL, "Honesty": None})),
        (lambda **form: completion({"honesty": "3"}, **form), scored({"Honesty": 3})),
        (lambda **form: completion({}, **form), scored({})),
        (lambda **form: completion({**ALL_RATED, "honesty": "4.5"}, **form), scored({**ALL, "Honesty": 4.5})),
        (lambda **form: completion({**ALL_RATED, "overall": "8"}, **form), scored(overall=8)),
        (lambda **form: completion({**ALL_RATED, "overall": "N/A"}, **form), scored()),
        (lambda **form: completion(overall_score=7.5, **form), scored()),
        (lambda **form: completion(principle="honesty", **form), scored(principle="honesty")),
    ],
    ids=[
        "all",
        "one is N/A",
        "only one",
        "none",
        "a half",
        "overall",
        "overall is N/A",
        "overall of UltraFeedback",
        "a principle",
    ],
)
def test_scores(given, wanted, is_list):
    wanted = Scored(
        wanted.model, wanted.text, {name: score for name, score in wanted.aspects.items() if score}, wanted.overall, wanted.about
    )
    assert judged_answers(row(given(is_list=is_list), given(is_list=is_list))) == [wanted, wanted]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"prompt": "Why?", "chosen": "a", "rejected": "b"}, "has no instruction and completions, as judged rows"),
        ({"instruction": " ", "completions": []}, "instruction is empty"),
        (row("Oink."), "completions must be a list of objects"),
        (row({"response": 1, "annotations": {}}), r"completions\[0\]\.response is not text"),
        (row({"response": "Oink."}), r"completions\[0\]\.annotations must be an object with instruction_following"),
        (row(completion({"honesty": "4/5"})), r"completions\[0\]\.annotations\.honesty\.Rating is '4/5', which is no number"),
    ],
)
def test_faults(given, sentence):
    with pytest.raises(BadRow, match=sentence):
        judged_answers(given)


def test_an_order_by_overall_needs_a_judgement_of_the_whole_answer():
    with pytest.raises(BadRow, match=r"has no annotations.overall, .* set score to MeanOfAspects"):
        judged_answers(row(completion(overall_score=10.0)), needs_overall=True)
    assert judged_answers(row(completion({"overall": "9"})), needs_overall=True)[0].overall == 9
