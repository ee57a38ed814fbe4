"""When the policy is asked, and that asking has no effect on training."""

import json
import shutil
from types import SimpleNamespace

import pytest
from alignment_trainer.asking import ask_policy
from alignment_trainer.asking.ask_policy import AskPolicy
from alignment_trainer.asking.drawing import MOST_OF_JOB, MOST_OF_STAGE
from alignment_trainer.asking.prompts import Prompt
from alignment_trainer.asking.rendering import Rendered
from alignment_trainer.workspace.samples import read_samples
from transformers import TrainerControl, TrainerState, TrainingArguments


def rows_of(root, stage):
    return list(read_samples(root / "job" / stage / "samples.jsonl"))


@pytest.mark.parametrize(
    ("starts_from_base", "answered", "asked"),
    [
        # Step 0 of a later stage shows nothing that the end of the stage before has not shown.
        (True, set(), [0, 4, 6]),
        (False, set(), [4, 6]),
        (True, {0, 4}, [6]),
    ],
)
def test_steps_at_which_the_policy_is_asked(monkeypatch, starts_from_base, answered, asked):
    monkeypatch.setattr(ask_policy, "end_ids", lambda tokenizer: [1])
    monkeypatch.setattr(ask_policy, "greedy_answers", lambda model, prompts, *_: [[7] for _ in prompts])
    prompts = [Rendered(Prompt(key="k", stage="sft", prompt="Is it?", reference="Yes."), [5])]
    tokenizer = SimpleNamespace(pad_token_id=0, decode=lambda ids, **_: f" {ids[0]} ")
    written = []
    policy = AskPolicy(prompts, tokenizer, SimpleNamespace(append=written.extend), answered, starts_from_base)
    arguments, state, control = TrainingArguments(use_cpu=True), TrainerState(max_steps=6), TrainerControl()
    policy.on_evaluate(arguments, state, control, model=None)
    for state.global_step in (3, 4, 6):
        if state.global_step == 4:
            policy.on_evaluate(arguments, state, control, model=None)
        policy.on_save(arguments, state, control, model=None)
    assert [(row.step, row.key, row.prompt, row.reference, row.policy) for row in written] == [
        (step, "k", "Is it?", "Yes.", "7") for step in asked
    ]


def test_both_stages_answer_the_same_prompts(finished):
    sft, dpo = rows_of(finished, "sft"), rows_of(finished, "dpo")
    stored = json.loads((finished / "job" / "prompts.json").read_text())["prompts"]
    keys = [prompt["key"] for prompt in stored]
    assert [prompt["stage"] for prompt in stored] == ["sft"] * MOST_OF_STAGE + ["dpo"] * MOST_OF_STAGE
    assert len(set(keys)) == MOST_OF_JOB
    assert [(row.step, row.key) for row in sft] == [(step, key) for step in (0, 8, 16, 24) for key in keys]
    assert [(row.step, row.key) for row in dpo] == [(step, key) for step in (4, 8) for key in keys]
    for row in (*sft, *dpo):
        assert row.prompt and row.prompt not in row.policy
        is_pair = keys.index(row.key) >= MOST_OF_STAGE
        assert [bool(row.reference), bool(row.chosen), bool(row.rejected)] == [not is_pair, is_pair, is_pair]


def test_what_is_learned_shows_in_the_answers(finished):
    first, *_, last = [row for row in rows_of(finished, "sft") if row.reference]
    assert (first.step, last.step) == (0, 24)
    assert first.policy != last.policy
    # An answer that ends, and does not run on into the next turn.
    assert 0 < len(last.policy) < 4 * len(last.reference)
    assert "<|user|>" not in last.policy


@pytest.mark.parametrize("sharding", ["None", "ZeRO2", "ZeRO3"])
def test_asking_has_no_effect_on_the_weights(finished, tmp_path, trainer, sharding):
    digests = []
    for every_steps, asked in ((1, {0, 1, 2}), (1000, {0, 2})):
        root = tmp_path / str(every_steps)
        shutil.copytree(finished / "inputs", root / "inputs")
        # A model that has learned to end its answers: under ZeRO-3 each of their tokens costs many collectives.
        shutil.copytree(finished / "job" / "sft" / "model", root / "inputs" / "learned")
        changes = {
            "model__uri": "workspace://inputs/learned",
            "compute__sharding": sharding,
            "sft__optimization__maxSteps": 2,
            "sft__evaluation": {"everySteps": every_steps},
            # Dropout draws random numbers; asking must not consume any of them.
            "sft__adapter": {"lora": {"rank": 4, "dropout": 0.2}},
        }
        result = trainer.train(trainer.config(root, **changes), root)
        assert result.code == 0, result.output
        assert {found.step for found in rows_of(root, "sft")} == asked
        digests.append(json.loads((root / "job" / "sft" / "manifest.json").read_text())["weights"]["made"])
    assert digests[0] == digests[1]
