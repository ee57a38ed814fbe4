"""What an export needs is missed before any stage starts."""

import json
from importlib import util

import pytest
from alignment_trainer.checks import exports
from alignment_trainer.checks.preflight import check
from alignment_trainer.failures import BadConfiguration, BadData
from exports import PROOF, export_config


def narrow(root):
    path = root / "inputs/tiny/model/config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "hidden_size": 96}))


@pytest.mark.parametrize("quantization", ["W8A16", "W4A16"])
def test_groups_of_weights_must_fit(own_workspace, quantization):
    config = export_config(own_workspace, quantization=quantization)
    assert exports.check_export(config) is None
    narrow(own_workspace)
    with pytest.raises(
        BadConfiguration,
        match=rf"quantization: {quantization} rounds weights in groups of 128, and model.layers.0.self_attn.q_proj has 96 inputs",
    ):
        exports.check_export(config)
    assert exports.check_export(export_config(own_workspace, quantization="FP8")) is None


def test_4_bit_on_a_cpu_needs_whole_blocks(own_workspace):
    narrow(own_workspace)
    config = export_config(own_workspace, quantization="Int4")
    with pytest.raises(
        BadConfiguration, match=r"on a CPU bitsandbytes computes in 4 bit only with inputs .* by 64, and \S+ has 96"
    ):
        exports.check_export(config)
    on_gpu = config.compute.model_copy(update={"gpus_per_node": 1})
    assert exports.check_export(config.model_copy(update={"compute": on_gpu})) is None


def test_a_family_without_linear_layers_is_refused_where_only_they_are_rounded(own_workspace):
    path = own_workspace / "inputs/tiny/model/config.json"
    path.write_text(json.dumps({"model_type": "gpt2", "n_embd": 128, "n_layer": 1, "n_head": 2, "vocab_size": 128}))
    with pytest.raises(BadConfiguration, match=r"quantization: FP8 rounds linear layers, and models of the family gpt2 have"):
        exports.check_export(export_config(own_workspace, quantization="FP8"))
    assert exports.check_export(export_config(own_workspace, quantization="Int8")) is None


@pytest.mark.parametrize("quantization", ["Int8", "W4A16"])
def test_experts_are_not_rounded(own_workspace, quantization):
    path = own_workspace / "inputs/tiny/model/config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "model_type": "mixtral", "num_local_experts": 4}))
    with pytest.raises(
        BadConfiguration, match=rf"the model is a mixture of experts, of which {quantization} would .* choose None"
    ):
        exports.check_export(export_config(own_workspace, quantization=quantization))
    assert exports.check_export(export_config(own_workspace, quantization="None")) is None


def test_a_missing_package_is_named_with_how_to_build_the_image(own_workspace, monkeypatch):
    monkeypatch.setattr(exports, "find_spec", lambda name: None if name == "llmcompressor" else util.find_spec(name))
    assert exports.check_export(export_config(own_workspace, quantization="Int4")) is None
    with pytest.raises(BadConfiguration, match=r"FP8 needs the package llmcompressor.*--build-arg EXTRAS=compression"):
        exports.check_export(export_config(own_workspace, quantization="FP8"))


@pytest.mark.parametrize(
    ("destination", "sentence"),
    [
        ("hf://me/model", r"destinations\[0\]: hf://me/model needs a token .* spec.hubTokenSecret"),
        ("s3://bucket/model", r"destinations\[0\]: s3://bucket/model needs credentials .* spec.s3CredentialsSecret"),
        ("workspace://inputs/tiny", r"destinations\[0\]: workspace://inputs/tiny exists and was not exported"),
        ("workspace://models/new", None),
    ],
)
def test_destinations_are_checked(own_workspace, monkeypatch, tmp_path, destination, sentence):
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    config = export_config(own_workspace, destinations=[destination])
    if sentence is None:
        assert exports.check_export(config) is None
    else:
        with pytest.raises(BadConfiguration, match=sentence):
            exports.check_export(config)


def test_the_texts_of_an_export_are_read_before(own_workspace):
    (own_workspace / "bad.jsonl").write_text('{"messages": 1}\n')
    config = export_config(own_workspace, proof={**PROOF, "dataset": {"uri": "workspace://bad.jsonl"}})
    with pytest.raises(BadData, match=r"bad.jsonl:1: messages .*export.proof.dataset.uri\)"):
        check(config)
