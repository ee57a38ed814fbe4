"""Reward accuracy and margin: of hand-made likelihoods, and of whole texts, one forward pass each."""

from types import SimpleNamespace

import pytest
import torch
from alignment_api.resolving.validation import read_job, resolve_job
from alignment_api.results.evaluation import EvaluatedRow
from alignment_api.spec.stage_model import StageModel
from alignment_trainer.asking.prompts import readable
from alignment_trainer.evaluation.measures import preferences
from alignment_trainer.evaluation.measures.preferences import MEASURE, beta_of, rewarded
from alignment_trainer.forms.examples import Pair
from builders import a_document, a_training
from pair_rows import ROWS


def row(chosen, rejected, lengths=(1, 1), reason=None):
    """Return a row as a model measured it."""
    names = ("chosen_likelihood", "rejected_likelihood", "chosen_tokens", "rejected_tokens")
    details = {} if reason else dict(zip(names, (chosen, rejected, *lengths), strict=True))
    return EvaluatedRow(key="k", row="pairs.jsonl:1", prompt="q", scores={}, reason=reason, details=details)


@pytest.mark.parametrize(
    ("model", "reference", "lengths", "accuracy", "margin", "normalized", "ties"),
    [
        # It made the better answer likelier, and the worse one less likely.
        ((-3, -9), (-5, -5), (1, 1), 1, 0.1 * 6, 1, 0),
        # Likelier than the worse one, but it was so before.
        ((-3, -5), (-1, -5), (1, 1), 0, 0.1 * -2, 0, 0),
        # Both became less likely, the worse one more so.
        ((-9, -9), (-5, -3), (1, 1), 1, 0.1 * 2, 1, 0),
        # Nothing moved.
        ((-5, -3), (-5, -3), (4, 2), 0, 0, 0, 1),
        # Both gained the same: a tie, and wrong; per token the shorter one gained more.
        ((-3, -2), (-5, -4), (2, 4), 0, 0, 1, 1),
        # The longer answer gained more, but less for each token.
        ((-4, -4), (-8, -6), (8, 2), 1, 0.1 * 2, 0, 0),
    ],
)
def test_a_reward_is_what_an_answer_gained_over_the_reference(model, reference, lengths, accuracy, margin, normalized, ties):
    found = rewarded(row(*model, lengths), row(*reference, lengths), beta=0.1)
    assert found.scores == {
        "reward_accuracy": accuracy,
        "reward_margin": pytest.approx(margin),
        "normalized_accuracy": normalized,
        "ties": ties,
        "chosen_tokens": lengths[0],
        "rejected_tokens": lengths[1],
    }
    assert found.details["reference_chosen_likelihood"] == reference[0]


@pytest.mark.parametrize("failed", ["model", "reference"])
def test_a_row_that_one_of_them_cannot_read_has_no_score(failed):
    rows = {"model": row(-1, -2), "reference": row(-1, -2), failed: row(0, 0, reason="it is too long")}
    found = rewarded(rows["model"], rows["reference"], beta=0.1)
    assert set(found.scores.values()) == {None}
    assert found.reason == "it is too long"


def test_likelihoods_are_those_of_whole_texts(exam, subject):
    """Computed here from the text that the chat template writes, without padding and for one answer at a time."""
    rows = [
        {"prompt": "What does a dog say?", "chosen": "A dog says woof.", "rejected": "Woof!"},
        {"prompt": "Where does a fox live, and who else lives there?", "chosen": "In a den.", "rejected": "Who knows? I do not."},
    ]
    for given, found in zip(messages(rows), exam("pairs", "Preferences", messages(rows)), strict=True):
        for name in ("chosen", "rejected"):
            likelihood, tokens = alone(subject, given["prompt"], given[name])
            assert found.details[f"{name}_likelihood"] == pytest.approx(likelihood, rel=1e-4)
            assert found.scores[f"{name}_tokens"] == tokens


def test_the_base_has_no_reward(exam):
    (found,) = exam("pairs", "Preferences", messages([{"prompt": "Hi", "chosen": "Hello.", "rejected": "What?"}]))
    assert set(found.scores) == {"chosen_tokens", "rejected_tokens"}


def test_all_forms_that_dpo_reads_are_measured(exam):
    """Except for tools, which the template of this model does not write."""
    wanted = [given for given in ROWS.values() if not given.pair.tools]
    found = exam("pairs", "Preferences", [given.row for given in wanted])
    assert [each.reason for each in found] == [None] * len(wanted)
    for each, given in zip(found, wanted, strict=True):
        assert (each.reference, each.answer) == (readable(given.pair.chosen), readable(given.pair.rejected))


def test_a_pair_that_the_template_cannot_write_is_no_wrong_one(exam):
    (given,) = [given for name, given in ROWS.items() if name == "LLaMA-Factory, ShareGPT with tools"]
    (found,) = exam("pairs", "Preferences", [given.row])
    assert found.scores["reward_accuracy"] is None
    assert found.reason.startswith("the chat template does not write tools")


def test_a_pair_that_is_too_long_is_no_wrong_one(exam):
    rows = messages([{"prompt": "Hi", "chosen": "Hello. " * 400, "rejected": "What?"}])
    (found,) = exam("pairs", "Preferences", rows)
    assert found.scores["reward_accuracy"] is None
    assert found.reason == "it has more tokens than the 512 that the model reads"


def messages(rows):
    """Return rows of texts as dialogues."""
    roles = {"prompt": "user", "chosen": "assistant", "rejected": "assistant"}
    return [{name: [{"role": roles[name], "content": text}] for name, text in row.items()} for row in rows]


def alone(subject, prompt, answer):
    """Return the log-likelihood of an answer with its end token, by one forward pass, and its number of tokens."""
    tokenizer = subject.tokenizer
    before = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
    start = len(tokenizer(before, add_special_tokens=False)["input_ids"])
    ids = tokenizer(f"{before}{answer[0]['content']}</s>", add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        logits = subject.model(torch.tensor([ids])).logits[0].log_softmax(-1)
    return float(sum(logits[place - 1, ids[place]] for place in range(start, len(ids)))), len(ids) - start


SFT, DPO = {"name": "sft", "sft": a_training()}, {"name": "dpo", "dpo": a_training(beta=0.3)}
BETAS = {
    "the job's own model": ([SFT], {"base": True}, 1),
    "supervised": ([SFT], {"stage": "sft"}, 1),
    "on pairs": ([SFT, DPO], {"stage": "dpo"}, 0.3),
    "an export of that": ([DPO, {"name": "small", "export": {}}], {"stage": "small"}, 0.3),
    "supervised afterwards": ([DPO, SFT], {"stage": "sft"}, 1),
}


@pytest.mark.parametrize(("stages", "model", "beta"), BETAS.values(), ids=BETAS)
def test_beta_is_that_of_the_training_which_made_the_model(stages, model, beta):
    spec = resolve_job(read_job(a_document(stages=stages))).spec
    assert beta_of(SimpleNamespace(spec=spec), StageModel.model_validate(model)) == beta


ALL = [SFT, DPO, {"name": "small", "export": {}}]
EXAM = {"name": "exam", "evaluate": {"tasks": [{"name": "pairs", "measure": "Preferences", "dataset": {"uri": "workspace://p"}}]}}


def exam_of(stages, models):
    """Return the task of a stage that measures models."""
    exam = {**EXAM, "evaluate": {**EXAM["evaluate"], "models": models}}
    spec = resolve_job(read_job(a_document(stages=[*stages, exam]))).spec
    return SimpleNamespace(name="pairs", config=SimpleNamespace(spec=spec, stage=spec.stages[-1]))


NAMED = {
    "base": ({"base": True}, "pairs: no training made base, so it has no reference and no reward"),
    "sft": ({"stage": "sft"}, "pairs: the reference of sft is base, and beta is 1"),
    "dpo": ({"stage": "dpo"}, "pairs: the reference of dpo is sft, and beta is 0.3"),
    "small": ({"stage": "small"}, "pairs: the reference of small is sft, and beta is 0.3"),
}


@pytest.mark.parametrize("name", NAMED)
def test_the_reference_is_what_the_last_training_of_a_model_started_from(name):
    model, note = NAMED[name]
    before = {"base": row(-5, -5), "sft": row(-3, -9), "dpo": row(-4, -8), "small": row(-4, -8)}
    task = exam_of(ALL, [model])
    (found,) = MEASURE.finish(task, name, {each: [one] for each, one in before.items()})
    margin = {"base": None, "sft": 6, "dpo": -0.6, "small": -0.6}[name]
    assert found.scores.get("reward_margin") == (margin and pytest.approx(margin))
    assert list(MEASURE.notes(task, {name: [found]})) == [note]


def test_the_references_are_measured_each_once_and_the_settings_name_no_model():
    few, many = exam_of(ALL, [{"stage": "dpo"}]), exam_of(ALL, [{"base": True}, {"stage": "dpo"}, {"stage": "small"}])
    assert [(one.stage, one.base) for one in MEASURE.others(few)] == [("sft", None)]
    assert [(one.stage, one.base) for one in MEASURE.others(many)] == [(None, True), ("sft", None)]
    assert MEASURE.settings(few) == MEASURE.settings(many)


def test_pairs_without_a_prompt_are_not_rows_of_one_prompt():
    keys = {preferences._row(f"pairs.jsonl:{n}", Pair("", f"{n} is {n}.", "Ugh!")).key for n in range(3)}
    assert len(keys) == 3
