"""A model whose weights are broken has no score in any measure by likelihood: the best of options without a number is none."""

import copy

import pytest
import torch
from alignment_trainer.evaluation.likelihood import NOT_FINITE

CHOICES = {"question": "What is the capital of Peru?", "choices": ["Lima", "Rome"], "answer": "Lima"}
PAIR = {"prompt": "What does a dog say?", "chosen": "woof", "rejected": "meow"}


@pytest.fixture
def subject(subject):
    broken = copy.deepcopy(subject.model)
    with torch.no_grad():
        broken.get_input_embeddings().weight.fill_(torch.nan)
    return subject._replace(student=subject.student._replace(model=broken))


@pytest.mark.parametrize(
    ("measure", "row"), [("MultipleChoice", CHOICES), ("Perplexity", {"text": "A dog says woof."}), ("Preferences", PAIR)]
)
def test_a_likelihood_that_is_no_number_is_a_failure(exam, measure, row):
    (found,) = exam("broken", measure, [row])
    assert set(found.scores.values()) == {None}
    assert found.reason == NOT_FINITE
