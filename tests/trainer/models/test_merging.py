"""An adapter is merged tensor by tensor, with the same bits as PEFT's merge of the whole model, in the memory of one shard."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from alignment_api.memory.estimate import merging_bytes
from alignment_api.memory.shape import shape_of
from alignment_api.memory.workload import AdapterSize, Workload
from alignment_trainer.failures import BadConfiguration
from alignment_trainer.models import merging
from alignment_trainer.models.adapters import linear_layers
from alignment_trainer.models.loading import load_model
from forked_ranks import place, run_program
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.conversion_mapping import register_checkpoint_conversion_mapping
from transformers.core_model_loading import Concatenate, WeightConverter

SIZES = {"vocab_size": 96, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
GATED = {"intermediate_size": 64, "num_key_value_heads": 2}
FAMILIES = {
    "mistral": GATED,
    "llama": {**GATED, "attention_bias": True},
    "qwen2": {**GATED, "tie_word_embeddings": True},
    "qwen3": {**GATED, "head_dim": 8},
    "gemma": {**GATED, "head_dim": 8},
    "phi": {"intermediate_size": 64},
    "bloom": {},
    "mixtral": {**GATED, "num_local_experts": 2},
}
CPU = torch.device("cpu")


def tiny(family):
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **SIZES, **FAMILIES[family]))


def settings(precision="Float32", quantized=False, targets=None):
    adapter = SimpleNamespace(quantized=quantized, target_modules=targets)
    return SimpleNamespace(
        precision=precision, adapter=adapter, sharding="None", max_length=16, path="spec.stages[0].sft", seed=0
    )


def adapt(base, folder, targets=None, dtype=torch.float32):
    """Save an adapter with random weights."""
    adapted = get_peft_model(
        base, LoraConfig(r=4, lora_alpha=8, target_modules=targets or linear_layers(base), task_type="CAUSAL_LM")
    )
    torch.manual_seed(1)
    for name, weight in adapted.named_parameters():
        if "lora_" in name:
            weight.data = (torch.randn(weight.shape) * 0.1).to(dtype)
    adapted.save_pretrained(folder)


def by_peft(start, adapter, wanted, target):
    """Merge with PEFT, with the whole model in memory."""
    model = load_model(start, wanted)
    if wanted.adapter.quantized:
        model = model.dequantize()
    merged = PeftModel.from_pretrained(model.to(torch.float32), adapter).merge_and_unload()
    merged.to(torch.float32 if wanted.precision == "Float32" else torch.bfloat16).save_pretrained(target)


def merged(root, wanted):
    merging.check(root / "base", wanted)
    (root / "ours").mkdir()
    merging.merge(root / "base", root / "adapter", wanted, root / "ours", CPU)
    by_peft(root / "base", root / "adapter", wanted, root / "peft")
    return root / "ours", root / "peft"


def assert_same(ours, theirs):
    states = []
    for folder in (ours, theirs):
        model, report = AutoModelForCausalLM.from_pretrained(folder, dtype="auto", output_loading_info=True)
        assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
        states.append(model.state_dict())
    assert states[0].keys() == states[1].keys()
    for name, tensor in states[1].items():
        assert states[0][name].dtype == tensor.dtype
        assert torch.equal(states[0][name], tensor), name
    for file in ("config.json", "generation_config.json"):
        assert json.loads((ours / file).read_text()) == json.loads((theirs / file).read_text())


@pytest.mark.parametrize("quantized", [False, True], ids=["lora", "qlora"])
@pytest.mark.parametrize("precision", ["Float32", "BFloat16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_merged_model_equals_pefts(tmp_path, family, precision, quantized):
    base = tiny(family)
    base.save_pretrained(tmp_path / "base", max_shard_size="40KB")
    assert len(list((tmp_path / "base").glob("model-*.safetensors"))) > 1
    adapt(base, tmp_path / "adapter", dtype=torch.bfloat16 if quantized else torch.float32)
    assert_same(*merged(tmp_path, settings(precision, quantized)))


def without_prefix(weights):
    return {name.removeprefix("transformer."): tensor for name, tensor in weights.items()}


def with_a_stranger(weights):
    return {**weights, "rotary.inv_freq": torch.ones(3)}


def with_a_head(weights):
    return {**weights, "lm_head.weight": weights["model.embed_tokens.weight"].clone()}


def in_16_bit(weights):
    return {name: tensor.to(torch.float16) for name, tensor in weights.items()}


@pytest.mark.parametrize(
    ("family", "change", "targets"),
    [
        ("bloom", without_prefix, None),
        ("llama", with_a_stranger, ["q_proj", "v_proj"]),
        ("qwen2", with_a_head, ["layers.1.mlp.up_proj"]),
        ("mistral", in_16_bit, ["o_proj"]),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
@pytest.mark.parametrize("quantized", [False, True], ids=["lora", "qlora"])
def test_files_of_other_names_and_formats(tmp_path, family, change, targets, quantized):
    base = tiny(family)
    base.save_pretrained(tmp_path / "base")
    file = tmp_path / "base" / "model.safetensors"
    weights = change(load_file(file))
    file.unlink()
    save_file(weights, file, {"format": "pt"})
    adapt(base, tmp_path / "adapter", targets)
    assert_same(*merged(tmp_path, settings("BFloat16", quantized, targets)))


@pytest.mark.parametrize("change", ["a part is missing", "a part is of no layer"])
def test_an_unmerged_layer_is_an_error(tmp_path, change):
    base = tiny("mistral")
    base.save_pretrained(tmp_path / "base")
    adapt(base, tmp_path / "adapter")
    file = tmp_path / "adapter" / "adapter_model.safetensors"
    parts = load_file(file)
    first = parts.pop(next(iter(parts)))
    if change == "a part is of no layer":
        parts["base_model.model.model.layers.9.lora_A.weight"] = first
    file.unlink()
    save_file(parts, file, {"format": "pt"})
    (tmp_path / "ours").mkdir()
    with pytest.raises(AssertionError, match="the adapter's file and its layers differ in"):
        merging.merge(tmp_path / "base", tmp_path / "adapter", settings(), tmp_path / "ours", CPU)


def test_a_layer_built_from_several_tensors_is_refused_before_training(tmp_path):
    base = tiny("mistral")
    base.save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    weights = load_file(file)
    for name in [name for name in weights if "k_proj" in name]:
        for half, part in zip(("k_a", "k_b"), weights.pop(name).chunk(2), strict=True):
            weights[name.replace("k_proj", half)] = part.contiguous()
    file.unlink()
    save_file(weights, file, {"format": "pt"})
    put = WeightConverter(["self_attn.k_a.weight", "self_attn.k_b.weight"], "self_attn.k_proj.weight", [Concatenate(dim=0)])
    register_checkpoint_conversion_mapping("mistral", [put], overwrite=True)
    try:
        with pytest.raises(BadConfiguration, match=r"adapter: model.layers.0.self_attn.k_proj is built from several"):
            merging.check(tmp_path, settings())
        merging.check(tmp_path, settings(targets=["q_proj"]))
    finally:
        register_checkpoint_conversion_mapping("mistral", [], overwrite=True)


PEAK = """
import sys, torch
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import test_merging as here
from alignment_trainer.models import merging
root, how, quantized = Path(sys.argv[1]), sys.argv[3], sys.argv[4] == "qlora"
torch.set_num_threads(1)

def now(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1]) * 1024

def merge(name):
    folder, wanted = root / name, here.settings("BFloat16", quantized)
    target = folder / f"{how}-{quantized}"
    target.mkdir()
    if how == "ours":
        merging.merge(folder / "base", folder / "adapter", wanted, target, here.CPU)
    else:
        here.by_peft(folder / "base", folder / "adapter", wanted, target)

merge("small")
Path("/proc/self/clear_refs").write_text("5")
before = now("VmRSS")
merge("large")
print(now("VmHWM") - before)
"""
SHARD = 64 << 20
WORK = Workload(False, 512, False, False, True, "AdamW", None, 1, 1, "None", "None", False)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A small model to load all libraries with, and one with several shards, each much larger than a tensor, with adapters."""
    root = tmp_path_factory.mktemp("models")
    for name, layers, width in (("small", 1, 64), ("large", 32, 512)):
        sizes = {"vocab_size": 8000, "hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": 4}
        configuration = AutoConfig.for_model("mistral", **sizes, intermediate_size=4 * width, num_key_value_heads=4)
        model = AutoModelForCausalLM.from_config(configuration, dtype=torch.bfloat16)
        model.save_pretrained(root / name / "base", max_shard_size="64MB")
        adapt(model, root / name / "adapter")
    assert len(list((root / "large" / "base").glob("model-*.safetensors"))) >= 4
    return root


def peak(root, how, kind):
    here = Path(__file__).parent
    command = [sys.executable, "-c", PEAK, str(root), str(here), how, kind]
    # This module imports others of tests/.
    paths = os.pathsep.join([str(here.parents[1]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": paths}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert ended.returncode == 0, ended.stderr
    return int(ended.stdout.split()[-1])


@pytest.mark.parametrize("kind", ["lora", "qlora"])
def test_the_peak_of_memory_is_below_one_shard(models, kind):
    shape = shape_of(json.loads((models / "large" / "base" / "config.json").read_text()))
    beside = AdapterSize(rank=4, layers=None, drops=False, is_quantized=kind == "qlora")
    # The estimate, plus memory that the allocator keeps between the pieces.
    expected = 1.25 * merging_bytes(shape, WORK._replace(adapter=beside))
    assert expected < SHARD
    assert peak(models, "ours", kind) < expected
    shutil.rmtree(models / "small" / f"ours-{kind == 'qlora'}")
    shutil.rmtree(models / "large" / f"ours-{kind == 'qlora'}")


LEFT = """
import gc
from datetime import timedelta
from pathlib import Path
from alignment_api.run_config import RunConfig
from accelerate import PartialState
from alignment_trainer.training import deepspeed
from alignment_trainer.training import publishing
from alignment_trainer.settings.training import training_settings
from alignment_trainer.stages import dpo, sft
config = RunConfig.model_validate_json(Path(ARGUMENTS[0]).read_text())
publish = publishing.publish

def probe(config, trained):
    gc.collect()
    import torch
    print("left:", sum(type(each).__name__ == "MistralForCausalLM" for each in gc.get_objects()))
    print("tensors:", sum(type(each) in (torch.Tensor, torch.nn.Parameter) and each.numel() > 1000 for each in gc.get_objects()))
    publish(config, trained)

publishing.publish = probe
deepspeed.prepare_environment(training_settings(config))
PartialState(cpu=True, timeout=timedelta(seconds=60))
Path(config.paths.stage).mkdir(parents=True)
{"sft": sft, "dpo": dpo}[config.stage.kind].run(config)
print("published:", (Path(config.paths.stage) / "DONE").exists())
"""


@pytest.mark.parametrize(
    ("stage", "changes"),
    [
        ("sft", {}),
        ("sft", {"compute__sharding": "ZeRO2"}),
        ("sft", {"compute__sharding": "ZeRO3"}),
        ("dpo", {"dpo__batching": "Packed"}),
        ("dpo", {"dpo__batching": "Padded"}),
    ],
    ids=["sft", "ZeRO2", "ZeRO3", "packed pairs", "padded pairs"],
)
def test_the_trainer_is_freed_before_the_model_is_published(finished, tmp_path, trainer, stage, changes):
    for folder in ("inputs", "job"):
        shutil.copytree(finished / folder, tmp_path / folder)
    shutil.rmtree(tmp_path / "job" / stage)
    short = {"learningRate": 1e-3, "warmup": {"steps": 0}, "maxSteps": 1, "globalBatchSize": 2}
    common = {"compute__processesPerNode": 1, "compute__microBatchSize": 2, f"{stage}__adapter": {"lora": {"rank": 4}}}
    config = trainer.config(tmp_path, stage, **common, **{f"{stage}__optimization": short}, **changes)
    written = tmp_path / "run.json"
    written.write_text(config.model_dump_json(by_alias=True, exclude_none=True))
    log = tmp_path / "log"
    code = run_program(LEFT, (str(written),), place(0, 1, port=0), log, seconds=300)
    assert code == 0, log.read_text()
    lines = [line for line in log.read_text().splitlines() if line.startswith(("left:", "tensors:", "published:"))]
    assert lines == ["left: 0", "tensors: 0", "published: True"]
