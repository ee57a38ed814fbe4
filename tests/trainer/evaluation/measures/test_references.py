"""BLEU and ROUGE of answers: equal to what sacreBLEU says of the whole corpus, and to longest common subsequences by hand."""

import numpy as np
import pytest
from alignment_trainer.data.tasks.references import Referenced
from alignment_trainer.endpoints.question import Answer, Unanswered
from alignment_trainer.evaluation.estimates import Estimates, estimated
from alignment_trainer.evaluation.measures.references import METRICS, compared
from alignment_trainer.evaluation.measures.words import Words
from alignment_trainer.evaluation.tasks import TaskRow
from rouge_score.tokenizers import DefaultTokenizer
from sacrebleu.metrics import BLEU

BLEU_METRIC, ROUGE_1, ROUGE_2, ROUGE_L = METRICS
PAIRS = [
    ("the cat sat on the mat today", ("the cat sat on the mat", "a cat was on the mat today")),
    ("there is a dog in the garden", ("a dog is in the garden", "there is a dog in our garden")),
    ("no", ("yes it is", "of course")),
    ("the sea is blue and cold", ("the sea is cold and blue", "the water is blue and cold")),
]


def row(number, text, references):
    asked = Referenced(({"role": "user", "content": f"Question {number}?"},), tuple(references))
    return compared(TaskRow(f"talk.jsonl:{number}", asked), Answer(text, "stop", 3, 4))


ROWS = [row(number, *pair) for number, pair in enumerate(PAIRS)]


def test_bleu_is_that_of_the_whole_corpus():
    expected = BLEU().corpus_score([text for text, _ in PAIRS], list(map(list, zip(*(found for _, found in PAIRS), strict=True))))
    found = estimated(BLEU_METRIC, ROWS)
    assert abs(found.value - expected.score) < 1e-9
    assert found.low < found.value < found.high
    assert (found.count, found.failed) == (4, 0)


def test_bleu_of_many_drawn_corpora_is_that_of_each():
    drawn = [[0, 1, 2, 3], [3, 3, 1, 0], [2, 2, 2, 2]]
    sums = [np.sum([BLEU_METRIC.corpus.statistics(ROWS[place]) for place in places], axis=0) for places in drawn]
    expected = [
        BLEU().corpus_score([PAIRS[place][0] for place in places], [[PAIRS[place][1][at] for place in places] for at in (0, 1)])
        for places in drawn
    ]
    assert BLEU_METRIC.corpus.value(np.array(sums).T) == pytest.approx([found.score for found in expected])


def test_rouge_is_the_harmonic_mean_of_shared_words():
    (found,) = [row(0, "a b c d", ["a c d e f"])]
    # 3 of 4 and 3 of 5 words are shared, and also in this order; of pairs of words only "c d", of 3 and of 4.
    assert found.scores["rouge_1"] == found.scores["rouge_l"] == pytest.approx(2 * 3 / (4 + 5))
    assert found.scores["rouge_2"] == pytest.approx(2 * 1 / (3 + 4))


@pytest.mark.parametrize(
    ("answer", "reference", "shared"),
    [
        ("你好 世界", "你好 世界", 1),
        ("你好世界", "你好,朋友", 2 * 2 / (4 + 4)),
        ("привет мир", "Привет, друг", 2 * 1 / (2 + 2)),
        ("नमस्ते दुनिया", "नमस्ते भारत", 2 * 1 / (2 + 2)),
        ("안녕 세상", "안녕 친구", 2 * 1 / (2 + 2)),
        ("Ein Café", "ein cafe", 2 * 1 / (2 + 2)),
    ],
)
def test_words_of_any_script_are_compared(answer, reference, shared):
    assert row(0, answer, [reference]).scores["rouge_1"] == pytest.approx(shared)


@pytest.mark.parametrize(
    "text", [text for answer, others in PAIRS for text in (answer, *others)] + ["It's 3.5 o'clock -- U.S. time!"]
)
def test_words_of_english_are_those_of_rouge_score(text):
    assert Words().tokenize(text) == DefaultTokenizer().tokenize(text)


def test_the_best_of_several_references_counts():
    assert row(0, "yes it is", ["no", "yes it is"]).scores["rouge_l"] == 1


def test_an_answer_that_failed_is_counted_and_never_0():
    asked = Referenced(({"role": "user", "content": "Question 9?"},), ("yes",))
    failed = compared(TaskRow("talk.jsonl:9", asked), Unanswered("UnreadablePrompt", "it is too long"))
    assert failed.reason == "it is too long"
    for metric in METRICS:
        found, alone = estimated(metric, [*ROWS, failed]), estimated(metric, ROWS)
        assert (found.value, found.error, found.count, found.failed) == (alone.value, alone.error, 4, 1)
        both = {"one": [*ROWS, failed], "other": [*ROWS, failed]}
        assert Estimates(metric, both).difference("one", "other").failed == 1
