"""Preference rows in the shapes of public datasets are read as their format defines, left out, or refused in one sentence."""

import pytest
from alignment_trainer.forms.examples import Pair
from alignment_trainer.forms.left_out import LeftOut
from alignment_trainer.forms.pairs.table import PAIR_FORMS
from alignment_trainer.forms.rows import read_pair
from alignment_trainer.reading.bad_row import BadRow
from pair_rows import ASK, BAD, GOOD, KIND, KIND_PAIR, LONG_PAIR, MORE, PAIR, ROWS, TEXTS, TOOL, pair_of, user


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_row_is_read_as_its_form_defines_and_what_is_not_read_is_named(row):
    read = read_pair(row.row)
    assert (read.form, read.example, read.unread) == (row.form, row.pair, row.unread)


def test_each_form_has_a_row():
    assert {row.form for row in ROWS.values()} | {"UltraFeedback"} == {form.name for form in PAIR_FORMS}


def completion(response, *ratings, **others):
    aspects = ("instruction_following", "honesty", "truthfulness", "helpfulness")
    rated = {aspect: {"Rating": rating, "Rationale": "So."} for aspect, rating in zip(aspects, ratings, strict=True)}
    return {"annotations": rated, "custom_system_prompt": "Be brief.", "model": "m", "response": response, **others}


def ultrafeedback(*completions):
    return {"source": "evol_instruct", "instruction": "Why?", "models": ["m"], "completions": list(completions)}


class TestUltraFeedback:
    def test_the_answer_with_the_best_mean_is_chosen_and_the_faulty_overall_score_is_not_used(self):
        row = ultrafeedback(
            completion("Go away.", "1", "1", "1", "1", overall_score=10.0),
            completion("Because.", "4", "4", "3", "4", overall_score=8),
        )
        assert pair_of(row) == PAIR

    def test_an_aspect_without_a_rating_does_not_count(self):
        row = ultrafeedback(completion("Go away.", "4", "3", "4", "4"), completion("Because.", "N/A", "4", "N/A", "4"))
        assert pair_of(row) == PAIR

    def test_an_answer_without_any_rating_is_not_used(self):
        rated = completion("Because.", "4", "4", "4", "4"), completion("Go away.", "1", "2", "1", "1")
        for position in range(3):
            completions = list(rated)
            completions.insert(position, completion("Never.", "N/A", "N/A", "N/A", "N/A"))
            assert pair_of(ultrafeedback(*completions)) == PAIR

    def test_the_other_answer_is_drawn_from_those_below_and_always_the_same_one(self):
        answers = [completion(f"Answer {rating}.", *rating * 4) for rating in "31425"]
        rows = [{**ultrafeedback(*answers), "instruction": f"Why {number}?"} for number in range(40)]
        pairs = [pair_of(row) for row in rows]
        assert {pair.chosen[0]["content"] for pair in pairs} == {"Answer 5."}
        assert {pair.rejected[0]["content"] for pair in pairs} == {f"Answer {rating}." for rating in "1234"}
        assert [pair_of({**row, "source": "flan"}) for row in rows] == pairs

    def test_the_other_answer_is_never_as_good(self):
        row = ultrafeedback(
            *(completion(text, *rating * 4) for text, rating in (("Because.", "5"), ("So.", "5"), ("Go away.", "1")))
        )
        assert pair_of(row) == PAIR


def test_numbers_may_be_texts_as_csv_has_them():
    row = {"question": "Why?", "answer_0": "Go away.", "answer_1": "Because.", "score_0": "-0.5", "score_1": "0.5"}
    assert pair_of(row) == PAIR


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (ultrafeedback(completion("A", "3", "3", "3", "3"), completion("B", "3", "3", "3", "3")), "undecided"),
        (ultrafeedback(completion("A", "3", "3", "3", "3"), completion("B", "N/A", "N/A", "N/A", "N/A")), "undecided"),
        (ultrafeedback(), "undecided"),
        ({"instruction": "Why?", "generations": ["A", "B"], "ratings": [None, 3.0]}, "undecided"),
        ({"context": [ASK], "response1": "A", "response2": "B", "overall_preference": 0}, "undecided"),
        ({"question": "Why?", "answer_0": "A", "answer_1": "B", "score_0": 0.0, "score_1": 0.0}, "undecided"),
        ({"conversation_a": [ASK, GOOD], "conversation_b": [ASK, BAD], "winner": "tie (bothbad)"}, "undecided"),
        ({"chosen": "\n\nHuman: Why?\n\nAssistant: A", "rejected": "\n\nHuman: How?\n\nAssistant: B"}, "unpaired"),
        # The human's second turn differs.
        (
            {
                "chosen": "\n\nHuman: Why?\n\nAssistant: A\n\nHuman: B\n\nAssistant: C",
                "rejected": "\n\nHuman: Why?\n\nAssistant: A\n\nHuman: D\n\nAssistant: C",
            },
            "unpaired",
        ),
        ({"chosen": "\n\nHuman: Why?\n\nHuman: A\n\nAssistant: B", "rejected": "\n\nHuman: Why?\n\nAssistant: B"}, "unpaired"),
        ({"chosen": "\n\nHuman: Why?\n\nAssistant: A\n\nHuman: B", "rejected": "\n\nHuman: Why?\n\nAssistant: B"}, "unpaired"),
        ({"chosen": "\n\nHuman: Why?\n\nAssistant: A", "rejected": "Human error."}, "unpaired"),
        ({"chosen": [ASK, GOOD, ASK, GOOD], "rejected": [ASK, GOOD, user("No?"), BAD]}, "unpaired"),
    ],
)
def test_rows_without_a_better_answer_to_one_prompt_are_left_out(row, reason):
    with pytest.raises(LeftOut) as left_out:
        pair_of(row)
    assert left_out.value.reason == reason


@pytest.mark.parametrize(
    ("row", "pair"),
    [
        # Only one answer begins with the words of the prompt, or the word goes on.
        ({"prompt": "Why", "chosen": "Why not?", "rejected": "No."}, Pair("Why", "Why not?", "No.")),
        ({"prompt": "A", "chosen": "An ox", "rejected": "An ass"}, Pair("A", "An ox", "An ass")),
        ({"prompt": "", "chosen": "An ox", "rejected": "An ass"}, Pair("", "An ox", "An ass")),
        # The answers begin with the white space before them.
        ({"chosen": "Tell me. Yes", "rejected": "Tell me. Yesterday"}, Pair("Tell me.", " Yes", " Yesterday")),
        ({"chosen": "Tell me.", "rejected": "Tell me. Yes"}, Pair("Tell me.", "", " Yes")),
        ({"chosen": "问：为什么？答：因为", "rejected": "问：为什么？答：走开"}, Pair("问：为什么？答：", "因为", "走开")),
        ({"chosen": "So it is.", "rejected": "So it is."}, Pair("So it is.", "", "")),
        # Dialogues that part earlier have answers of several turns.
        ({"chosen": [ASK, GOOD, ASK, BAD], "rejected": [ASK, BAD]}, Pair([ASK], [GOOD, ASK, BAD], [BAD])),
        ({"prompt": " Why?\n", "chosen": [ASK, GOOD], "rejected": [ASK, BAD]}, PAIR),
        ({"prompt": "\n\nHuman: Why?\n\nAssistant:", "chosen": [ASK, GOOD], "rejected": [ASK, BAD]}, PAIR),
        ({"system": "Be mean.", "prompt": [KIND, ASK], "chosen": [GOOD], "rejected": [BAD]}, KIND_PAIR),
        ({"system": "Be kind.", "chosen": [ASK, GOOD], "rejected": [ASK, BAD]}, KIND_PAIR),
        ({"history": [["Why?", "It rained."]], "prompt": "And then?", **TEXTS}, LONG_PAIR),
        (
            {"history": [["Why?", "It rained."]], "prompt": [KIND, MORE[2]], "chosen": [GOOD], "rejected": [BAD]},
            Pair([KIND, *MORE], [GOOD], [BAD]),
        ),
    ],
)
def test_where_the_answers_begin(row, pair):
    assert pair_of(row) == pair


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"text": "Why?"}, "prompt, chosen and rejected, or the columns of another form in docs/data.md, but has text"),
        ({"messages": [ASK, GOOD]}, r"is a dialogue with one answer \(messages\); name the dataset in a stage of kind sft"),
        (
            {"prompt": "Why?", "completion": "Because."},
            r"has one answer \(completion\); name the dataset in a stage of kind sft, or give all its rows a label",
        ),
        ({"prompt": [ASK], "images": ["a.png"], "chosen": [GOOD], "rejected": [BAD]}, "has images, and only text can be learned"),
        ({"prompt": "Why?", "tools": [TOOL], **TEXTS}, "has tools, but prompt, chosen and rejected are texts"),
        ({"prompt": [ASK], "chosen": [{**GOOD, "weight": 0}], "rejected": [BAD]}, "chosen has a message with weight 0"),
        ({"prompt": [ASK], "chosen": {**GOOD, "weight": 0}, "rejected": BAD}, "chosen has a message with weight 0"),
        (
            {
                "chosen": [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "So."}],
                "rejected": [{"from": "human", "value": "Why?"}, {"from": "bard", "value": "No.", "weight": 0}],
            },
            "rejected has a message with weight 0",
        ),
        ({"chosen": [ASK, GOOD], "rejected": [ASK, {**BAD, "weight": 2}]}, "the weight of message 2 is 2; use 1"),
        ({"prompt": [ASK], "chosen": "b", "rejected": [BAD]}, "chosen and rejected must both be texts, or both"),
        ({"prompt": [ASK], "chosen": [user("How?"), GOOD], "rejected": [BAD]}, "chosen begins with a message of role user"),
        ({"prompt": "How?", "chosen": [ASK, GOOD], "rejected": [ASK, BAD]}, "prompt is not a message that chosen and rejected"),
        ({"chosen": "Because.", "rejected": "Go away."}, "do not begin with the same words; add prompt"),
        ({"chosen": "Yes", "rejected": "Yeah"}, "do not begin with the same words; add prompt"),
        ({"system": 3, "question": "Why?", **TEXTS}, "system is not text"),
        ({"instruction": "Why?", "history": ["a"], **TEXTS}, "history must be a list of earlier turns"),
        ({"prompt": "Why?", "response_0": "a", "response_1": "b", "better_response_id": 2}, "better_response_id is 2; use one"),
        ({"history": "Why?", "human_ref_A": "a", "human_ref_B": "b", "labels": True}, "labels is True; use one of 1, 0"),
        ({"conversation_a": [ASK], "conversation_b": [ASK], "winner": "me"}, "winner is 'me'; use one of model_a, model_b, tie"),
        ({"context": [ASK], "response1": "a", "response2": "b", "overall_preference": "b"}, "overall_preference is 'b'"),
        ({"context": [ASK], "response1": "a", "response2": "b", "overall_preference": True}, "overall_preference is True"),
        (
            {"question": "Why?", "answer_0": "a", "answer_1": "b", "score_0": float("inf"), "score_1": float("inf")},
            "score_0 is inf, which is no number",
        ),
        ({"prompt": "Why?", "answers": [{"answer": "a", "rank": None}]}, r"answers\[0\].rank is None, which is no number"),
        ({"prompt": "Why?", "answers": ["a"]}, "answers must be a list of objects"),
        (ultrafeedback({"response": "a", "annotations": None}), r"completions\[0\].annotations must be an object"),
        (ultrafeedback(completion("a", "good", "1", "1", "1")), r"instruction_following.Rating is 'good'"),
        ({"instruction": "Why?", "generations": ["a"], "ratings": [1, 2]}, "two lists of the same length"),
    ],
)
def test_faults(row, fault):
    with pytest.raises(BadRow, match=fault):
        pair_of(row)
