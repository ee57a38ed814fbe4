"""Which cards stand beside each other, and with which answer each is compared."""

import pytest
from alignment_dashboard.facts.samples import Output, Sample
from alignment_dashboard.pictures.answers.cards import Against, columns

ONE = [Output("base", 0, [], "a", "m"), Output("sft", 50, [], "a", "m"), Output("dpo", 100, [], "a", "m")]
TWO = [
    Output("base of a", 0, [], "a", "m"),
    Output("a", 100, [], "a", "m"),
    Output("base of b", 0, [], "b", "n"),
    Output("b", 100, [], "b", "n"),
]


def notes(outputs: list[Output], answers: tuple[str | None, ...], against: Against) -> list[str]:
    return [column[0].note for column in columns(outputs, Sample("k", "p", answers, {}), against, {})]


@pytest.mark.parametrize(
    ("outputs", "answers", "against", "expected"),
    [
        (
            ONE,
            ("one two", "one two", "one two three four"),
            "previous",
            ["2 words", "2 words, the same as base", "4 words, 2 more, 33% changed from sft, step 50"],
        ),
        (ONE, ("one", "two", "one"), "base", ["1 word", "1 word, 100% changed from base", "1 word, the same as base"]),
        (ONE, ("one", "two", "three"), "nothing", ["1 word", "1 word", "1 word"]),
        # The nearest output that answered takes the place of one that did not.
        (
            ONE,
            ("one two", None, "one"),
            "previous",
            ["2 words", "no answer to this prompt at this step", "1 word, 1 fewer, 33% changed from base"],
        ),
        (ONE, (None, "one", ""), "base", ["no answer to this prompt at this step", "1 word", "0 words"]),
        (
            TWO,
            ("x", "x", "y", "y"),
            "base",
            ["1 word", "1 word, the same as base of a", "1 word", "1 word, the same as base of b"],
        ),
        (
            TWO,
            ("x", "x", "y", "y"),
            "previous",
            ["1 word", "1 word, the same as base of a", "1 word", "1 word, the same as base of b"],
        ),
    ],
)
def test_each_answer_says_what_it_is_compared_with(
    outputs: list[Output], answers: tuple[str | None, ...], against: Against, expected: list[str]
) -> None:
    assert notes(outputs, answers, against) == expected


def test_the_datas_answers_are_below_the_first_outputs() -> None:
    sample = Sample("k", "p", ("x", "y"), {"chosen": "one two", "rejected": "three", "reference": "four"})
    drawn = columns(ONE[:2], sample, "previous", {"a": "#0072B2"})
    assert [[(card.heading, card.colour, card.is_data) for card in column] for column in drawn] == [
        [("base", "", False), ("chosen", "", True), ("reference", "", True)],
        [("sft, step 50", "#0072B2", False), ("rejected", "", True)],
    ]
    assert drawn[0][1].note == "the data's better answer, 2 words"
