"""Which pairs the answers of teacher and student make."""

import pytest
from alignment_trainer.endpoints.question import Answer, Unanswered
from alignment_trainer.synthesis.rounds.pairs import Dropped, PairPolicy, StudentPair, cleaned, pair_of

QUESTION = "Why is the sky blue at noon?"
MESSAGES = ({"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION})
DROP, KEEP = PairPolicy(False, ("<end>",)), PairPolicy(True, ("<end>",))
NOBODY = Unanswered("Timeout", "The server was silent.")


def said(text, finish="stop"):
    return Answer(text, finish, 5, 5)


def pair(chosen, rejected, *remarks):
    return StudentPair(chosen, rejected, remarks)


@pytest.mark.parametrize(
    ("teacher", "student", "policy", "expected"),
    [
        pytest.param(said("Blue light."), said("Magic."), DROP, pair("Blue light.", "Magic."), id="a pair"),
        pytest.param(NOBODY, said("Magic."), DROP, Dropped("teacherUnanswered"), id="no teacher"),
        pytest.param(said("Blue."), NOBODY, DROP, Dropped("studentUnanswered"), id="no student"),
        pytest.param(said("Blue", "length"), said("Magic."), DROP, Dropped("teacherCut"), id="the teacher is cut"),
        pytest.param(said("Blue."), said("Mag", "length"), DROP, Dropped("studentCut"), id="the student is cut"),
        pytest.param(said("B", "length"), said("M", "length"), DROP, Dropped("teacherCut"), id="one reason counts"),
        pytest.param(said("Blue."), said("Mag", "length"), KEEP, pair("Blue.", "Mag", "studentCutKept"), id="a cut one is kept"),
        pytest.param(said("Blue."), said("M", "content_filter"), DROP, Dropped("studentCut"), id="another end is a cut"),
        pytest.param(said(" \n"), said("Magic."), DROP, Dropped("teacherEmpty"), id="the teacher says nothing"),
        pytest.param(said("Blue."), said("<end>"), DROP, Dropped("studentEmpty"), id="the student says only an end token"),
        pytest.param(
            said("Blue  light."), said("blue LIGHT."), DROP, Dropped("identical"), id="identical but for case and spaces"
        ),
        pytest.param(said("Blue.</s>"), said("Blue."), DROP, Dropped("identical"), id="identical but for an end token"),
        pytest.param(said("ﬁne"), said("fine"), DROP, Dropped("identical"), id="identical but for a ligature"),
        pytest.param(said(QUESTION), said("Magic."), DROP, Dropped("teacherEcho"), id="only an echo"),
        pytest.param(
            said("Blue."),
            said(f"{QUESTION}\nAnswer: Magic."),
            DROP,
            pair("Blue.", "Magic.", "studentEchoStripped"),
            id="an echo before an answer",
        ),
        pytest.param(
            said("Blue.<|im_end|>\n"),
            said("Magic.<end>"),
            DROP,
            pair("Blue.", "Magic.", "teacherEndStripped", "studentEndStripped"),
            id="both end alike",
        ),
    ],
)
def test_pairs(teacher, student, policy, expected):
    assert pair_of(MESSAGES, teacher, student, policy) == expected


@pytest.mark.parametrize(
    ("text", "question", "rest"),
    [
        ("why is the sky blue, at noon ? Because.", QUESTION, "Because."),
        ("Why is the sky blue at night?", QUESTION, None),
        ("Why is the sky", QUESTION, None),
        ("Hello there", "Hello", None),
        ("STRASSENBAHNEN WO? Dort.", "Straßenbahnen wo", "Dort."),
        ("def add(a, b):\n    return a + b", "def add(a, b):", None),
    ],
)
def test_an_echo_is_found_by_its_letters(text, question, rest):
    found = cleaned(text, question, ())
    assert (found.text, found.was_echo) == ((rest, True) if rest is not None else (text, False))


def test_several_written_end_tokens_are_all_removed():
    assert cleaned("Yes.<end> </s></s>", "?", ("<end>",)).text == "Yes."
