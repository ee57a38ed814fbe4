"""Every model family that recipes name trains with SFT and then DPO, all weights or an adapter."""

import json
import math
import shutil
import signal
from pathlib import Path

import pytest
import torch
from alignment_api import metrics
from alignment_api.memory.shape import PACKED_FAMILIES
from alignment_trainer.failures import BadConfiguration
from alignment_trainer.models.adapters import linear_layers, lora
from alignment_trainer.models.loading import check_packing
from alignment_trainer.settings.training import training_settings
from alignment_trainer.stages import dpo, sft
from transformers import AutoConfig, AutoModelForCausalLM

PAGES = {"sft": sft, "dpo": dpo}
ADAPTER = {"lora": {"rank": 4, "dropout": 0.1}}
# Real Qwen2 has more rows than its tokenizer has tokens too.
ROWS = 832
SIZES = {"vocab_size": ROWS, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
GATED = {"intermediate_size": 64, "num_key_value_heads": 2}
GATED_LAYERS = ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]

FAMILIES = {
    "mistral": ({**GATED, "sliding_window": None}, GATED_LAYERS),
    "llama": (GATED, GATED_LAYERS),
    "qwen2": ({**GATED, "tie_word_embeddings": True}, GATED_LAYERS),
    "phi": ({"intermediate_size": 64}, ["dense", "fc1", "fc2", "k_proj", "q_proj", "v_proj"]),
    "bloom": ({}, ["dense", "dense_4h_to_h", "dense_h_to_4h", "query_key_value"]),
}
PADDED = (
    "spec.stages[1].dpo.batching: pairs are padded, since packing has not been shown to give the same numbers "
    "for models of the family {}"
)
COMPARED = (metrics.LOSS, metrics.GRADIENT_NORM, metrics.LOGPS_CHOSEN, metrics.LOGPS_REJECTED)
PACKING = ["mistral", "llama", "qwen2", "phi"]


def tiny(family):
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **SIZES, **FAMILIES[family][0]))


@pytest.fixture(scope="module", params=FAMILIES)
def family(request, workspace, tmp_path_factory):
    """The family's name, and a workspace with a tiny model of that family."""
    root = tmp_path_factory.mktemp(request.param)
    shutil.copytree(workspace / "inputs", root / "inputs")
    tiny(request.param).save_pretrained(root / "inputs" / "tiny" / "model")
    return request.param, root


def short(trainer, root, stage, family, adapter, **more):
    changes = {
        "compute__processesPerNode": 1,
        "compute__microBatchSize": 2,
        "sft__packing": family in PACKING,
        **{f"{kind}__adapter": adapter for kind in PAGES if adapter},
    }
    for kind, file in (("sft", "sft"), ("dpo", "preferences")):
        changes |= {
            f"{kind}__datasets": [{"uri": f"workspace://inputs/tiny/{file}.jsonl", "maxExamples": 8}],
            f"{kind}__holdout": None,
            f"{kind}__optimization": {"learningRate": 1e-2, "warmup": {"steps": 0}, "maxSteps": 2, "globalBatchSize": 2},
        }
    return trainer.config(root, stage, **changes | more)


@pytest.fixture(autouse=True)
def signals():
    """Restore the SIGTERM handler: training replaces it, and runs in the tests' own process here."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("adapter", [None, ADAPTER], ids=["full", "lora"])
def test_sft_and_dpo_train(family, adapter, tmp_path, trainer, capsys):
    name, source = family
    shutil.copytree(source / "inputs", tmp_path / "inputs")
    first_loss = {"sft": pytest.approx(math.log(ROWS), rel=0.1), "dpo": pytest.approx(math.log(2), rel=1e-5)}
    for kind, page in PAGES.items():
        config = short(trainer, tmp_path, kind, name, adapter)
        stage = Path(config.paths.stage)
        stage.mkdir(parents=True)
        page.run(config)
        manifest = json.loads((stage / "manifest.json").read_text())
        assert manifest["steps"] == 2
        assert manifest["weights"]["made"] != manifest["weights"]["start"]
        assert manifest["adaptedLayers"] == (FAMILIES[name][1] if adapter else None)
        assert trainer.values(stage, metrics.LOSS)[1] == first_loss[kind]
    assert_whole(tmp_path / "job" / "dpo" / "model", tmp_path / "inputs" / "tiny" / "model")
    lines = [line for line in capsys.readouterr().err.splitlines() if "padded" in line]
    assert lines == ([] if name in PACKED_FAMILIES else [PADDED.format(name)])


@pytest.mark.parametrize("adapter", [None, ADAPTER], ids=["full", "lora"])
def test_two_processes_that_pack_learn_the_same_as_one_that_pads(family, adapter, tmp_path, trainer):
    name, source = family
    before = tmp_path / "before"
    shutil.copytree(source / "inputs", before / "inputs")
    config = short(trainer, before, "sft", name, adapter)
    Path(config.paths.stage).mkdir(parents=True)
    sft.run(config)
    learned = []
    for processes, micro_batch, batching in ((2, 1, "Packed"), (1, 2, "Padded")):
        root = tmp_path / batching
        shutil.copytree(before, root)
        shared_out = {"compute__processesPerNode": processes, "compute__microBatchSize": micro_batch, "dpo__batching": batching}
        result = trainer.train(short(trainer, root, "dpo", name, adapter, **shared_out), root)
        assert result.code == 0, result.output
        learned.append({metric: trainer.values(root / "job" / "dpo", metric) for metric in COMPARED})
    for metric, padded in learned[1].items():
        assert sorted(padded) == [1, 2]
        assert learned[0][metric] == pytest.approx(padded, rel=5e-5), metric
    assert learned[0][metrics.LOSS][1] == pytest.approx(learned[1][metrics.LOSS][1], abs=1e-6)


def assert_whole(made: Path, base: Path) -> None:
    model, report = AutoModelForCausalLM.from_pretrained(made, output_loading_info=True)
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert model.num_parameters() == AutoModelForCausalLM.from_pretrained(base).num_parameters()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_linear_layers_are_found_without_the_head(family):
    assert linear_layers(tiny(family)) == FAMILIES[family][1]


@pytest.mark.parametrize("target", ["lm_head", "embed_tokens", "c_attn"])
def test_a_layer_that_cannot_be_adapted_is_refused(workspace, trainer, target):
    settings = training_settings(
        trainer.config(workspace, sft__adapter={"lora": {"rank": 4, "targetModules": ["q_proj", target]}})
    )
    with pytest.raises(BadConfiguration) as refused:
        lora(settings, tiny("mistral"))
    assert str(refused.value) == (
        f"spec.stages[0].sft.adapter.lora.targetModules: the model has no linear layer {target}; "
        "use some of down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj, or leave targetModules out"
    )


@pytest.mark.parametrize("family", PACKING)
def test_packed_examples_do_not_attend_to_each_other(family, workspace, trainer):
    model = tiny(family).eval()
    check_packing(model, training_settings(trainer.config(workspace)))
    examples = [torch.arange(5, 25), torch.arange(100, 130)]
    positions = torch.cat([torch.arange(len(example)) for example in examples])[None]
    with torch.no_grad():
        packed = model(input_ids=torch.cat(examples)[None], position_ids=positions, use_cache=False).logits[0]
        apart = torch.cat([model(input_ids=example[None]).logits[0] for example in examples])
    torch.testing.assert_close(packed, apart, atol=1e-5, rtol=0)


def test_a_family_whose_packed_examples_would_is_refused(workspace, trainer):
    with pytest.raises(
        BadConfiguration, match=r"^spec.stages\[0\].sft.packing: bloom models would attend across packed examples"
    ):
        check_packing(tiny("bloom"), training_settings(trainer.config(workspace)))
