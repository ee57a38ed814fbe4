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


def scored(aspects=ALL, overall=None, missing=None, **about):
    return Scored("small", "Oink.", aspects, overall, about, missing or {})


WITHOUT_HONESTY = scored({name: score for name, score in ALL.items() if name != "Honesty"}, missing={"Honesty": "NotApplicable"})


@pytest.mark.parametrize("is_list", [False, True], ids=["objects", "lists of objects"])
@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (completion, scored()),
        (lambda **form: completion({**ALL_RATED, "honesty": "N/A"}, **form), WITHOUT_HONESTY),
        (lambda **form: completion({"honesty": "3"}, **form), scored({"Honesty": 3})),
        (lambda **form: completion({}, **form), scored({})),
        (lambda **form: completion({**ALL_RATED, "honesty": "4.5"}, **form), scored({**ALL, "Honesty": 4.5})),
        (lambda **form: completion({**ALL_RATED, "overall": "8"}, **form), scored(overall=8)),
        (lambda **form: completion({**ALL_RATED, "overall": "N/A"}, **form), scored(missing={"Overall": "NotApplicable"})),
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
    assert judged_answers(row(given(is_list=is_list), given(is_list=is_list))) == [wanted, wanted]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"prompt": "Why?", "chosen": "a", "rejected": "b"}, "has no instruction and completions, as judged rows"),
        ({"instruction": " ", "completions": []}, "instruction is empty"),
        (row("Oink."), "completions must be a list of objects"),
        (row({"response": 1, "annotations": {}}), r"completions\[0\]\.response is not text"),
        (row({"response": "Oink."}), r"completions\[0\]\.annotations must be an object with instruction_following"),
    ],
)
def test_faults(given, sentence):
    with pytest.raises(BadRow, match=sentence):
        judged_answers(given)


def test_an_order_by_overall_needs_a_judgement_of_the_whole_answer():
    with pytest.raises(BadRow, match=r"has no annotations.overall, .* set score to MeanOfAspects"):
        judged_answers(row(completion(overall_score=10.0)), needs_overall=True)
    assert judged_answers(row(completion({"overall": "9"})), needs_overall=True)[0].overall == 9


@pytest.mark.parametrize(
    ("rating", "reason"),
    [
        *((written, "NotApplicable") for written in ("N/A", " n/a")),
        *((written, "NoRating") for written in ("", None)),
        *((written, "WrongValue") for written in ("4/5", "N/A.", "nan", True, {})),
        *((written, "OutOfRange") for written in ("0", "-3", "99", 5.5)),
    ],
)
def test_an_odd_rating_is_a_missing_score_with_a_reason(rating, reason):
    (answer,) = judged_answers(row(completion({**ALL_RATED, "honesty": rating})))
    assert (answer.aspects, answer.missing) == (WITHOUT_HONESTY.aspects, {"Honesty": reason})


def test_several_ratings_of_one_aspect_are_none():
    annotations = {"honesty": [{"Rating": "1"}, {"Rating": "2"}], "helpfulness": []}
    (answer,) = judged_answers(row({"response": "Oink.", "annotations": annotations}))
    assert (answer.aspects, answer.missing) == ({}, {"Honesty": "WrongValue", "Helpfulness": "WrongValue"})


def test_the_reason_that_an_earlier_stage_gave_is_kept():
    annotations = {"overall": {"Rating": "N/A", "Missing": "SeveralVerdicts"}}
    (answer,) = judged_answers(row({"response": "Oink.", "annotations": annotations}), needs_overall=True)
    assert answer.missing == {"Overall": "SeveralVerdicts"}
