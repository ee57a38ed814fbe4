"""What a model answers, with small models of random weights."""

import pytest
import torch
from alignment_trainer.asking.answering import AT_ONCE, greedy_answers
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig

SIZES = {"vocab_size": 40, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
CPU = torch.device("cpu")


def model_of(family, **more):
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **SIZES, **more))


def test_a_mixture_of_experts_with_a_load_balancing_loss_answers_too():
    model = model_of("mixtral", num_key_value_heads=2, output_router_logits=True)
    assert len(greedy_answers(model, [[5, 6, 7], [8]], 0, [1], CPU)) == 2
    assert model.config.output_router_logits


def test_an_answer_ends_at_each_of_the_end_tokens():
    model = model_of("llama")
    ((first, *more),) = greedy_answers(model, [[5, 6, 7]], 0, [1], CPU)
    assert more
    assert greedy_answers(model, [[5, 6, 7]], 0, [1, first], CPU) == [[first]]


def test_prompts_of_different_lengths_get_the_answers_that_they_get_alone():
    model = model_of("llama")
    prompts = [[5, 6, 7, 9], [8]]
    alone = [greedy_answers(model, [prompt], 0, [1], CPU)[0] for prompt in prompts]
    assert greedy_answers(model, prompts, 0, [1], CPU) == alone


def test_answers_consume_no_random_numbers():
    model = model_of("llama")
    before = torch.get_rng_state()
    greedy_answers(model, [[5, 6, 7]], 0, [1], CPU)
    assert torch.equal(torch.get_rng_state(), before)


def test_an_answer_fits_into_what_the_model_can_read():
    model = model_of("llama", max_position_embeddings=8)
    assert len(greedy_answers(model, [[5, 6, 7]], 0, [99], CPU)[0]) == 5


@pytest.mark.parametrize(
    "own",
    [
        {"num_return_sequences": 2, "num_beams": 2},
        {"num_beams": 3},
        {"stop_strings": ["."]},
        {"repetition_penalty": 5.0},
        {"no_repeat_ngram_size": 1},
        {"suppress_tokens": [5, 6, 7, 8, 9]},
    ],
    ids=lambda own: next(iter(own)),
)
@pytest.mark.parametrize("has_adapter", [False, True])
def test_generation_settings_of_the_model_change_no_answer(own, has_adapter):
    def answered(settings):
        base = model_of("llama")
        base.generation_config = GenerationConfig(**settings)
        model = get_peft_model(base, LoraConfig(target_modules="all-linear")) if has_adapter else base
        found = greedy_answers(model, [[5, 6, 7], [8]], 0, [1], CPU)
        assert base.generation_config.to_diff_dict().items() >= settings.items()
        return found

    assert answered(own) == answered({})


def test_more_prompts_than_are_answered_at_once_keep_their_order():
    model = model_of("llama")
    prompts = [[number, number + 1] for number in range(5, 5 + 2 * AT_ONCE - 1)]
    widths = []
    model.register_forward_pre_hook(lambda _, __, given: widths.append(len(given["input_ids"])), with_kwargs=True)
    found = greedy_answers(model, prompts, 0, [1], CPU)
    assert set(widths) == {AT_ONCE, AT_ONCE - 1}
    assert found == [greedy_answers(model, [prompt], 0, [1], CPU)[0] for prompt in prompts]
