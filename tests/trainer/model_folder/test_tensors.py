"""The table of families has the tensors that transformers saves, and the list of decoders the models that it can load."""

import json
import re
from pathlib import Path

import pytest
import torch
from alignment_trainer.model_folder.configuration import SIZES, check_configuration
from alignment_trainer.model_folder.decoders import DECODERS, ENCODER_DECODERS, READ_BOTH_WAYS
from alignment_trainer.model_folder.families import FAMILIES
from alignment_trainer.model_folder.headers import read_headers
from alignment_trainer.model_folder.matching import check_match, origins_by_name
from alignment_trainer.model_folder.tensors import wanted_tensors

TINY = {"vocab_size": 96, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "pad_token_id": 0}
GROUPED = {"intermediate_size": 48, "num_key_value_heads": 2}
OWN = {"bloom": {}, "gpt2": {"n_positions": 24}}
CHANGES = {
    "as it is": {},
    "tied": {"tie_word_embeddings": True},
    "untied": {"tie_word_embeddings": False},
    "all heads have keys": {"num_key_value_heads": 4},
    "wide heads": {"head_dim": 16},
    "biases": {"attention_bias": True, "mlp_bias": True},
    "norms of heads": {"qk_layernorm": True},
    "inner size": {"n_inner": 40},
}
APPLY = {
    "all heads have keys": set(FAMILIES) - {"bloom", "gpt2"},
    "wide heads": set(FAMILIES) - {"bloom", "gpt2", "phi3", "phi"},
    "biases": {name for name, family in FAMILIES.items() if "attention_bias" in family.adds},
    "norms of heads": {"phi"},
    "inner size": {"gpt2"},
}
CASES = [(family, change) for change in CHANGES for family in FAMILIES if family in APPLY.get(change, FAMILIES)]


def built(family, settings):
    """Return transformers' configuration and its model, without memory for weights."""
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig

    configuration = AutoConfig.for_model(family, **settings)
    with torch.device("meta"):
        return configuration, MODEL_FOR_CAUSAL_LM_MAPPING[type(configuration)](configuration)


def assert_same(config, model):
    wanted = wanted_tensors(config)
    assert wanted.shapes == {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    assert {name for group in wanted.same for name in group} == {
        name for pair in (model.all_tied_weights_keys or {}).items() for name in pair
    }
    assert wanted.prefix == model.base_model_prefix


@pytest.mark.parametrize(("family", "change"), CASES)
def test_a_family_has_the_tensors_of_transformers(family, change):
    settings = {**TINY, **OWN.get(family, GROUPED), **CHANGES[change]}
    configuration, model = built(family, settings)
    check_configuration(configuration.to_dict())
    assert_same(configuration.to_dict(), model)
    # As people write it, with the names that they know from other families.
    assert_same({"model_type": family, **settings}, model)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_config_json_leaves_out_is_as_in_transformers(family):
    configuration, model = built(family, {})
    needed = {name for names in list(SIZES.values())[:4] for name in names} | {"intermediate_size"}
    assert_same({name: value for name, value in configuration.to_dict().items() if name in needed | {"model_type"}}, model)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_saved_model_is_whole(family, tmp_path):
    from transformers import AutoConfig, AutoModelForCausalLM

    AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **TINY, **OWN.get(family, GROUPED))).save_pretrained(
        tmp_path, max_shard_size="20KB"
    )
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    wanted, headers = wanted_tensors(json.loads((tmp_path / "config.json").read_text())), read_headers(tmp_path)
    check_match(wanted, headers, origins_by_name(wanted, headers))


def test_the_page_of_models_names_all_families():
    section = (Path(__file__).parents[3] / "docs" / "models.md").read_text().split("\n## Families\n")[1]
    assert re.findall(r"`(\w+)`", section.split("\n\n")[1]) == sorted(FAMILIES)


def test_the_decoders_are_those_that_transformers_loads():
    from transformers.models.auto import modeling_auto as auto

    written = {*auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES, *auto.MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES}
    loaded = set(auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES) - ENCODER_DECODERS
    assert loaded & set(auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES) == READ_BOTH_WAYS
    assert loaded - READ_BOTH_WAYS == DECODERS
    assert written | set(auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES) >= ENCODER_DECODERS
    assert set(FAMILIES) <= DECODERS
