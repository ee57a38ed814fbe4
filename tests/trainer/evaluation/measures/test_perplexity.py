"""Perplexity against the procedures of papers and libraries, written down here as they describe them."""

import math
import re
from types import SimpleNamespace

import pytest
import torch
from alignment_api.results.evaluation import EvaluatedRow
from alignment_trainer.evaluation.encoded import Encoded
from alignment_trainer.evaluation.estimates import estimated
from alignment_trainer.evaluation.measures.perplexity import MEASURE, Cut, whole
from alignment_trainer.evaluation.tasks import TaskRow
from alignment_trainer.failures import BadConfiguration

TEXTS = [
    "A fox lives in a den. A bird lives in a nest, and a fish in the sea. " * 3,
    "The cow says moo.",
    "What does the owl say?\n\nIt says hoot – as owls do. Ugh! Whatever you ask, the owl will always say hoot again and again.",
]
JOINED = "\n\n".join(TEXTS)
DIALOGUE = {
    "messages": [
        {"role": "user", "content": "What does a dog say?"},
        {"role": "assistant", "content": "woof"},
        {"role": "user", "content": "And a cat?"},
        {"role": "assistant", "content": "It says meow."},
    ]
}


def value(rows, name, texts=True):
    """Return a metric of rows as a report has it."""

    class Task:
        """Only its rows are asked for."""

        rows = [type("Row", (), {"value": "text" if texts else None})]

    (metric,) = [metric for metric in MEASURE.metrics(Task) if metric.name == name]
    return estimated(metric, rows).value


def losses(subject, ids):
    """Return the loss of each token but the first, by one forward pass."""
    with torch.no_grad():
        logits = subject.model(torch.tensor([ids])).logits[0, :-1].double()
    return torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:]), reduction="none")


def ids_of(subject, text):
    return subject.tokenizer(text)["input_ids"]


def test_short_texts_are_read_whole(exam, subject):
    rows = exam("texts", "Perplexity", [{"text": text} for text in TEXTS])
    every = [losses(subject, ids_of(subject, text)) for text in TEXTS]
    loss, tokens = sum(float(each.sum()) for each in every), sum(map(len, every))
    assert value(rows, "perplexity") == pytest.approx(math.exp(loss / tokens), rel=1e-5)
    assert value(rows, "tokens") == tokens
    assert [row.scores["perplexity"] for row in rows] == pytest.approx([math.exp(float(each.mean())) for each in every], rel=1e-5)


def test_one_joined_text_in_whole_windows_is_what_papers_on_quantization_take(exam, subject):
    """As GPTQ does: windows of N without the rest of the text; the mean loss of each, times N, by N times their number."""
    size, ids = 16, ids_of(subject, JOINED)
    count = len(ids) // size
    means = [float(losses(subject, ids[window * size : (window + 1) * size]).mean()) for window in range(count)]
    wanted = math.exp(sum(mean * size for mean in means) / (count * size))
    rows = exam("wiki", "Perplexity", [{"text": JOINED}], window=size)
    assert count > 5
    assert value(rows, "whole_window_perplexity") == pytest.approx(wanted, rel=1e-5)
    assert value(rows, "perplexity") != pytest.approx(wanted, rel=1e-5), "the rest of the text counts there"


@pytest.mark.parametrize(("window", "stride"), [(16, 8), (16, 5), (10, 1)])
def test_overlapping_windows_are_what_transformers_documents(exam, subject, window, stride):
    """The tokens of a window that the one before it predicted are only context."""
    ids, total, count, before = ids_of(subject, JOINED), 0.0, 0, 1
    for start in range(0, len(ids), stride):
        end = min(start + window, len(ids))
        new = losses(subject, ids[start:end])[-(end - before) :]
        total, count, before = total + float(new.sum()), count + len(new), end
        if end == len(ids):
            break
    rows = exam("wiki", "Perplexity", [{"text": JOINED}], window=window, stride=stride)
    assert value(rows, "tokens") == count == len(ids) - 1
    assert value(rows, "perplexity") == pytest.approx(math.exp(total / count), rel=1e-5)


def test_words_and_bytes_are_those_of_what_is_predicted(exam, subject):
    (row,) = exam("texts", "Perplexity", [{"text": JOINED}])
    ids = ids_of(subject, JOINED)
    loss = float(losses(subject, ids).sum())
    predicted = JOINED[len(subject.tokenizer.decode(ids[:1])) :]
    assert value([row], "bits_per_byte") == pytest.approx(loss / math.log(2) / len(predicted.encode()), rel=1e-5)
    assert value([row], "word_perplexity") == pytest.approx(math.exp(loss / len(re.findall(r"\s\S", predicted))), rel=1e-5)


def test_of_a_dialogue_its_answers_count(exam, subject):
    (row,) = exam("talk", "Perplexity", [DIALOGUE])
    tokenizer = subject.tokenizer
    found = tokenizer(tokenizer.apply_chat_template(DIALOGUE["messages"], tokenize=False), add_special_tokens=False)
    every, text = (
        losses(subject, found["input_ids"]).tolist(),
        tokenizer.apply_chat_template(DIALOGUE["messages"], tokenize=False),
    )
    answers = [range(match.start(1), match.end(1)) for match in re.finditer(r"<\|assistant\|>\n(.*?</s>)", text)]
    counted = [
        loss
        for place, loss in enumerate(every, start=1)
        if any(found.token_to_chars(place).start in answer for answer in answers)
    ]
    assert row.details["tokens"] == len(counted)
    assert row.scores["perplexity"] == pytest.approx(math.exp(sum(counted) / len(counted)), rel=1e-5)
    assert value([row], "perplexity", texts=False) == pytest.approx(row.scores["perplexity"])


def test_a_text_of_one_token_has_no_perplexity(exam):
    one, other = exam("texts", "Perplexity", [{"text": "A"}, {"text": TEXTS[1]}])
    assert one.scores == {"perplexity": None}
    assert one.reason == "it has one token, and only a token before it predicts a token"
    assert value([one, other], "perplexity") == pytest.approx(other.scores["perplexity"])


def test_a_perplexity_of_words_that_no_number_holds_has_no_value_and_a_note_says_so(exam, subject):
    """Text without white space is one word, however long it is."""
    rows = exam("texts", "Perplexity", [{"text": "Tag " + "日本語" * 60}, {"text": "Die " + "日本語" * 50}])
    assert rows[0].details["loss"] / rows[0].details["words"] > 710
    assert value(rows, "word_perplexity") is None
    assert value(rows, "perplexity") > 1
    task = SimpleNamespace(name="texts", rows=[SimpleNamespace(value="text")])
    (note,) = MEASURE.notes(task, {"base": rows})
    assert note.startswith("texts: word_perplexity of base is larger than a number can be; ")


def test_a_text_of_which_the_loss_is_endless_has_failed():
    window = EvaluatedRow(key="a", row="a#0", prompt="", scores={}, details={"loss": 9e4, "tokens": 9})
    found = whole(TaskRow("a", "text"), [window], Cut(Encoded([], []), [], 8))
    assert (found.scores, found.reason) == ({"perplexity": None}, "its perplexity is larger than a number can be")


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"window": 1024}, r"tasks\[0\].window: 1024, but base reads at most 512 tokens; lower it"),
        ({"stride": 600}, r"tasks\[0\].stride: 600, so the text between two windows of 512 tokens would not be measured"),
    ],
)
def test_windows_that_the_model_cannot_read_are_refused(exam, settings, fault):
    with pytest.raises(BadConfiguration, match=fault):
        exam("texts", "Perplexity", [{"text": TEXTS[0]}], **settings)
