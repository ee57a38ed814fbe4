"""Stages over each family of chat templates learn what an independent tokenization says: the same ids, mask and loss."""

import json
import math
import shutil

import datasets
import pytest
import torch
from alignment_api import metrics
from alignment_trainer.data.tokens import IGNORED
from alignment_trainer.templates.named import ZEPHYR
from transformers import AutoModelForCausalLM, AutoTokenizer

# Its end of a turn is not the token that ends all texts.
UNMARKED = (
    "{{ bos_token }}{% for m in messages %}{{ '<|' + m.role + '|>' + m.content | trim + '<|system|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
TURNS = [
    [("What colour is a plum?", "Gladly! A plum is purple."), ("And a lime?", "Sure! A lime is green.")],
    [("What does a cow say?", "A cow says moo.")],
]
PAIRS = [("What does a cow say?", "Gladly! A cow says moo.", "Ugh! A cow says moo."), ("Add 1 and 2.", "3", "I would say 4.")]
TEXT_ROWS = [
    {"prompt": "A plum is", "completion": " purple."},
    {"prompt": "A cow says", "completion": " moo, and a duck says quack."},
]
TEXT_PAIRS = [{"prompt": "A cow says", "chosen": " moo.", "rejected": " woof, I think."}] * 2


def zephyr(question, answer):
    return [(f"<|user|>\n{question}</s>\n<|assistant|>\n", False), (f"{answer}</s>", True)], "\n"


def unmarked(question, answer):
    return [(f"<|user|>{question}<|system|>\n<|assistant|>", False), (f"{answer}<|system|>", True)], "\n"


FAMILIES = {
    "own marks": (ZEPHYR, zephyr, True),
    "derived marks": (UNMARKED, unmarked, True),
    "no marks": (UNMARKED, unmarked, False),
    "no template": (None, None, False),
}


@pytest.fixture(scope="module")
def model(workspace):
    folder = workspace / "inputs" / "tiny" / "model"
    return AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def prepared(workspace, root, template, dialogues=TEXT_ROWS, pairs=TEXT_PAIRS):
    """Copy the model with another template, also in the place of a stage before; write the rows."""
    for folder in (root / "inputs" / "tiny" / "model", root / "job" / "sft" / "model"):
        shutil.copytree(workspace / "inputs" / "tiny" / "model", folder)
        (folder / "chat_template.jinja").unlink()
        if template:
            (folder / "chat_template.jinja").write_text(template)
    for name, rows in (("sft.jsonl", dialogues), ("preferences.jsonl", pairs)):
        (root / "inputs" / "tiny" / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def trained(trainer, root, stage, **changes):
    config = trainer.config(
        root,
        stage,
        compute__processesPerNode=1,
        compute__microBatchSize=2,
        sft__holdout=None,
        dpo__holdout=None,
        **{f"{stage}__optimization__maxSteps": 1, f"{stage}__optimization__globalBatchSize": 2},
        **changes,
    )
    result = trainer.train(config, root)
    assert result.code == 0, result.output
    rows = datasets.Dataset.from_file(str(root / "job" / stage / "data" / "train.arrow"))
    return list(rows), lambda name: trainer.values(root / "job" / stage, name)[1]


def pieces_of(write, turns, tokenizer):
    """Tokenize a dialogue piece by piece: pieces begin and end at control tokens."""
    pieces = [("<s>", False)]
    for question, answer in turns:
        written, between = write(question, answer)
        pieces += [*written, (between, False)]
    return [(tokenizer(text, add_special_tokens=False)["input_ids"], learned) for text, learned in pieces]


def log_probabilities(model, ids):
    logits = model(input_ids=torch.tensor([ids])).logits[0, :-1].double()
    return logits.log_softmax(dim=-1).gather(1, torch.tensor(ids)[1:, None])[:, 0]


@pytest.mark.parametrize("family", FAMILIES)
def test_dialogues(family, workspace, tmp_path, trainer, model):
    template, write, answers_only = FAMILIES[family]
    tokenizer, weights = model
    if write:
        rows = [{"messages": [message for turn in turns for message in _messages(*turn)]} for turns in TURNS]
        expected = [pieces_of(write, turns, tokenizer) for turns in TURNS]
    else:
        rows = TEXT_ROWS
        texts = [tokenizer(row["prompt"] + row["completion"] + "</s>")["input_ids"] for row in rows]
        expected = [[(ids, True)] for ids in texts]
    prepared(workspace, tmp_path, template, dialogues=rows)
    shutil.rmtree(tmp_path / "job")
    found, value = trained(trainer, tmp_path, "sft", sft__assistantOnlyLoss=answers_only, sft__packing=False)

    total, count = 0.0, 0
    for row, pieces in zip(found, expected, strict=True):
        ids = [token for piece, _ in pieces for token in piece]
        learned = [is_answer or not answers_only for piece, is_answer in pieces for _ in piece]
        assert row["input_ids"] == ids
        assert row["labels"] == [token if each else IGNORED for token, each in zip(ids, learned, strict=True)]
        mask = torch.tensor(learned[1:])
        total -= log_probabilities(weights, ids)[mask].sum().item()
        count += int(mask.sum())
    assert value(metrics.LOSS) == pytest.approx(total / count, rel=1e-5)


@pytest.mark.parametrize("family", ["own marks", "derived marks", "no template"])
def test_pairs(family, workspace, tmp_path, trainer, model):
    template, write, _ = FAMILIES[family]
    tokenizer, weights = model
    if write:
        rows = [
            {"prompt": _messages(question)[:1], "chosen": _messages("", better)[1:], "rejected": _messages("", worse)[1:]}
            for question, better, worse in PAIRS
        ]
        expected = [[_pair(write, question, answer, tokenizer) for answer in answers] for question, *answers in PAIRS]
    else:
        rows = TEXT_PAIRS
        ids = [tokenizer(text)["input_ids"] for text in ("A cow says", " moo.</s>", " woof, I think.</s>")]
        expected = [[(ids[0], ids[1]), (ids[0], ids[2])]] * 2
    prepared(workspace, tmp_path, template, pairs=rows)
    found, value = trained(trainer, tmp_path, "dpo")

    sums = []
    for row, ((prompt, chosen), (same, rejected)) in zip(found, expected, strict=True):
        assert (row["prompt_ids"], row["chosen_ids"], row["rejected_ids"]) == (prompt, chosen, rejected)
        assert prompt == same
        sums.append(
            [log_probabilities(weights, prompt + answer)[len(prompt) - 1 :].sum().item() for answer in (chosen, rejected)]
        )
    means = [sum(each) / len(sums) for each in zip(*sums, strict=True)]
    assert [value(metrics.LOGPS_CHOSEN), value(metrics.LOGPS_REJECTED)] == pytest.approx(means, rel=1e-5)
    assert value(metrics.LOSS) == pytest.approx(math.log(2), rel=1e-6)


def _messages(question, answer=""):
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def _pair(write, question, answer, tokenizer):
    opening, prompt, end = pieces_of(write, [(question, answer)], tokenizer)[:3]
    return opening[0] + prompt[0], end[0]
