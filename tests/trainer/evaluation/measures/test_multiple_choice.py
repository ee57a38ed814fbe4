"""Multiple choice by likelihood: the same choices as a forward pass of each whole text gives, one by one."""

import math

import pytest
import torch
from alignment_trainer.evaluation.measures.multiple_choice import chosen
from alignment_trainer.forms.multiple_choice import Choices

COLOURS = Choices("Which colour is the sky?", ("red", "blue", "green and yellow"), right=1)


@pytest.mark.parametrize(
    ("likelihoods", "accuracy", "normalized", "answer"),
    [
        ([-9.0, -2.0, -8.0], 1, 1, "B. blue"),
        # Per character the long option wins: -8/16 against -2.4/4.
        ([-9.0, -2.4, -8.0], 1, 0, "B. blue"),
        ([-1.0, -1.2, -30.0], 0, 1, "A. red"),
        ([-1.0, -9.0, -9.0], 0, 0, "A. red"),
    ],
)
def test_the_choice_is_the_likeliest_answer(likelihoods, accuracy, normalized, answer):
    row = chosen("quiz.jsonl:3", COLOURS, likelihoods)
    assert row.scores == {"accuracy": accuracy, "accuracy_normalized": normalized}
    assert (row.row, row.answer, row.reference) == ("quiz.jsonl:3", answer, "B. blue")
    assert row.prompt == "Which colour is the sky?\n\nA. red\nB. blue\nC. green and yellow"


def test_likelihoods_are_those_of_whole_texts(exam, subject):
    """Computed here from the text that the chat template writes, without padding and for one option at a time."""
    rows = [
        {"question": "What is the capital of Peru?", "choices": ["Lima", "Rome", "Oslo"], "answer": "Lima"},
        {"question": "What?", "choices": ["This", "That long story of the sea"], "answer": "B"},
    ]
    measured = exam("quiz", "MultipleChoice", rows)
    for row, found in zip(rows, measured, strict=True):
        likelihoods = [alone(subject, row, index) for index in range(len(row["choices"]))]
        best = max(range(len(likelihoods)), key=lambda index: likelihoods[index])
        right = 0 if row["answer"] == "Lima" else 1
        assert found.scores["accuracy"] == float(best == right)
        assert math.isclose(found.details["likelihood"], likelihoods[right], rel_tol=1e-4)


def alone(subject, row, index):
    """Return the log-likelihood of an option's letter and text after the question, by one forward pass."""
    lettered = [f"{'ABC'[place]}. {text}" for place, text in enumerate(row["choices"])]
    asked = [{"role": "user", "content": "\n".join([row["question"] + "\n", *lettered])}]
    tokenizer = subject.tokenizer
    before = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    start = len(tokenizer(before, add_special_tokens=False)["input_ids"])
    ids = tokenizer(before + lettered[index], add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        logits = subject.model(torch.tensor([ids])).logits[0].log_softmax(-1)
    return float(sum(logits[place - 1, ids[place]] for place in range(start, len(ids))))
