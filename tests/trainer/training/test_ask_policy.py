"""The policy's answers during training are written to a file, and have no effect on training."""

import json
import shutil
from types import SimpleNamespace

import pytest
import torch
from alignment_trainer.training.ask_policy import AskPolicy, Prompt, prompt_of
from alignment_trainer.workspace.samples import PROMPTS, Sample, Samples, drawn_rows, read_samples
from transformers import AutoConfig, AutoModelForCausalLM, TrainerControl, TrainerState, TrainingArguments


def sample(step, text="yes"):
    return Sample(step=step, prompt="Is it?", reference="Yes.", policy=text)


def written(stage):
    return [(found.step, found.policy) for found in read_samples(stage / "samples.jsonl")]


def test_a_step_that_is_evaluated_twice_is_written_once(tmp_path):
    Samples(tmp_path, 2).append([sample(5, "a"), sample(5, "b")])
    again = Samples(tmp_path, 2)
    again.append([sample(5, "c"), sample(5, "d")])
    again.append([sample(10, "e"), sample(10, "f")])
    assert written(tmp_path) == [(5, "a"), (5, "b"), (10, "e"), (10, "f")]


@pytest.mark.parametrize("torn", ["", '{"step": 10, "pro', "not even close"])
def test_an_unfinished_step_is_written_again(tmp_path, torn):
    Samples(tmp_path, 2).append([sample(5, "a"), sample(5, "b")])
    Samples(tmp_path, 2).append([sample(10, "lost")])
    with (tmp_path / "samples.jsonl").open("a") as file:
        file.write(torn)
    Samples(tmp_path, 2).append([sample(10, "c"), sample(10, "d")])
    assert written(tmp_path) == [(5, "a"), (5, "b"), (10, "c"), (10, "d")]


@pytest.mark.parametrize("rows", [1, 3, 4, 1000])
def test_the_same_rows_are_asked_every_time(rows):
    drawn = drawn_rows(rows, seed=42)
    assert drawn == drawn_rows(rows, seed=42)
    assert len(set(drawn)) == min(PROMPTS, rows)
    assert set(drawn) <= set(range(rows))


@pytest.mark.parametrize(
    ("labels", "prompt", "reference"),
    [
        ([-100, -100, 3, 4], [1, 2], [3, 4]),
        ([-100, 2, 3, -100], [1], [2, 3]),
        ([-100, 2, -100, 4], [1], [2]),
    ],
)
def test_a_dialogue_is_asked_up_to_its_first_answer(labels, prompt, reference):
    assert prompt_of({"input_ids": [1, 2, 3, 4], "labels": labels}) == (prompt, {"reference": reference})


def test_a_mixture_of_experts_with_a_load_balancing_loss_answers_too():
    torch.manual_seed(0)
    sizes = {"vocab_size": 40, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    configuration = AutoConfig.for_model("mixtral", **sizes, num_key_value_heads=2, output_router_logits=True)
    model = AutoModelForCausalLM.from_config(configuration)
    tokenizer = SimpleNamespace(pad_token_id=0, eos_token_id=1, decode=lambda ids, **_: " ".join(map(str, ids)))
    asked = AskPolicy([Prompt([5, 6, 7], {}), Prompt([8], {})], tokenizer, [1], None)
    control = asked.on_evaluate(TrainingArguments(use_cpu=True), TrainerState(), TrainerControl(), model=model)
    assert control is None
    assert model.config.output_router_logits


def test_an_answer_ends_at_each_of_the_end_tokens():
    torch.manual_seed(0)
    sizes = {"vocab_size": 40, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", **sizes))
    tokenizer = SimpleNamespace(pad_token_id=0, eos_token_id=1, decode=lambda ids, **_: " ".join(map(str, ids)))

    def answer(ends):
        samples = []
        asked = AskPolicy([Prompt([5, 6, 7], {})], tokenizer, ends, SimpleNamespace(append=samples.extend))
        asked.on_evaluate(TrainingArguments(use_cpu=True), TrainerState(), TrainerControl(), model=model)
        return samples[0].policy.split()

    first, *more = answer([1])
    assert more
    assert answer([1, int(first)]) == [first]


def test_a_row_without_a_prompt_is_not_asked():
    assert prompt_of({"input_ids": [1, 2], "labels": [1, 2]}) is None
    assert prompt_of({"prompt_ids": [], "chosen_ids": [1], "rejected_ids": [2]}) is None


def test_pairs_show_both_answers(finished):
    found = list(read_samples(finished / "job" / "dpo" / "samples.jsonl"))
    assert [found[0].step, found[-1].step, len(found)] == [0, 8, 3 * PROMPTS]
    assert all(entry.prompt and entry.chosen and entry.rejected and entry.reference is None for entry in found)
    # The same prompts at every step, and none of them in an answer.
    assert len({entry.prompt for entry in found}) <= PROMPTS
    assert not any(entry.prompt in entry.policy for entry in found)


def test_what_is_learned_shows_in_the_answers(finished):
    *_, last = read_samples(finished / "job" / "sft" / "samples.jsonl")
    first = next(iter(read_samples(finished / "job" / "sft" / "samples.jsonl")))
    assert last.step == 24
    assert first.policy != last.policy
    # An answer that ends, and does not run on into the next turn.
    assert 0 < len(last.policy) < 4 * len(last.reference)
    assert "<|user|>" not in last.policy


@pytest.mark.parametrize("sharding", ["None", "ZeRO2", "ZeRO3"])
def test_asking_has_no_effect_on_the_weights(finished, tmp_path, trainer, sharding):
    digests = []
    for every_steps, asked in ((1, {0, 1, 2, 3, 4}), (1000, {0, 4})):
        root = tmp_path / str(every_steps)
        shutil.copytree(finished / "inputs", root / "inputs")
        # A model that has learned to end its answers: under ZeRO-3 each of their tokens costs many collectives.
        shutil.copytree(finished / "job" / "sft" / "model", root / "inputs" / "learned")
        changes = {
            "model__uri": "workspace://inputs/learned",
            "compute__sharding": sharding,
            "sft__optimization__maxSteps": 4,
            "sft__evaluation": {"everySteps": every_steps},
            # Dropout draws random numbers; asking must not consume any of them.
            "sft__adapter": {"lora": {"rank": 4, "dropout": 0.2}},
        }
        result = trainer.train(trainer.config(root, **changes), root)
        assert result.code == 0, result.output
        stage = root / "job" / "sft"
        assert {found.step for found in read_samples(stage / "samples.jsonl")} == asked
        digests.append(json.loads((stage / "manifest.json").read_text())["weights"]["made"])
    assert digests[0] == digests[1]
