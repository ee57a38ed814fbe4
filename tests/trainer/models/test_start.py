"""A job has one base model: one commit for all attempts and stages, and the same weights at each resume."""

import json
import math
import os
import shutil
import signal
from pathlib import Path

import pytest
import torch
from alignment_trainer.failures import BadConfiguration, BadData
from alignment_trainer.fetching import hub
from alignment_trainer.model_folder.documents import Unfit
from alignment_trainer.model_folder.families import FAMILIES
from alignment_trainer.model_folder.headers import read_headers
from alignment_trainer.model_folder.matching import check_match
from alignment_trainer.model_folder.weights import weights_digest
from alignment_trainer.models import skeleton
from alignment_trainer.models.finite import Scan
from alignment_trainer.models.start import check_model, check_start, start_folder
from alignment_trainer.workspace.base_record import read_base
from alignment_trainer.workspace.checkpoints import Checkpoint, CheckpointManifest
from alignment_trainer.workspace.stage_warnings import recorded_warnings
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, MllamaConfig, MllamaForConditionalGeneration

OLD, NEW = "a" * 40, "b" * 40
BASE = "workspace://inputs/tiny/model"


@pytest.fixture
def branch(monkeypatch):
    """The commit that a branch of the Hub points to; the test moves it."""
    newest = [OLD]
    asked = []

    def commit(wanted, token):
        asked.append(wanted.revision)
        return wanted.revision if hub.is_commit(wanted.revision) else newest[0]

    monkeypatch.setattr(hub, "newest_commit", commit)
    monkeypatch.setattr(hub, "download_model", lambda wanted, commit, token: Path(wanted.name) / commit)
    newest.append(asked)
    return newest


def configured(trainer, root, stage="sft", **model):
    config = trainer.config(root, stage, model={"uri": "hf://team/base", **model})
    Path(config.paths.stage).mkdir(parents=True, exist_ok=True)
    return config


def written(root):
    return json.loads((root / "job" / "base-model.json").read_text())


@pytest.mark.parametrize(("named", "commit"), [(None, OLD), ("main", OLD), ("aaaaaaa", OLD), (NEW, NEW)])
def test_a_model_is_resolved_once(own_workspace, trainer, branch, named, commit):
    model = {"revision": named} if named else {}
    for attempt in range(3):
        assert start_folder(configured(trainer, own_workspace, **model)).name == commit
        branch[0] = f"{attempt}" * 40
    assert branch[1] == [named]
    assert written(own_workspace) == {"uri": "hf://team/base", **({"namedRevision": named} if named else {}), "revision": commit}


@pytest.mark.parametrize("edit", [{"uri": "hf://team/other"}, {"revision": "main"}, {"revision": NEW}])
def test_after_an_edit_the_model_is_resolved_again(own_workspace, trainer, branch, edit):
    start_folder(configured(trainer, own_workspace))
    branch[0] = NEW
    assert start_folder(configured(trainer, own_workspace, **edit)).name == NEW
    assert written(own_workspace)["revision"] == NEW


def test_a_broken_record_is_resolved_again(own_workspace, trainer, branch, capsys):
    config = configured(trainer, own_workspace)
    (own_workspace / "job" / "base-model.json").write_text("{")
    assert start_folder(config).name == OLD
    assert "base-model.json cannot be read; the model is resolved again" in capsys.readouterr().err


def checkpoint(stage):
    return Checkpoint(stage / "checkpoints" / "step-8", CheckpointManifest(step=8, total_steps=24, world_size=1, files={}))


@pytest.fixture
def begun(own_workspace, trainer):
    """A stage that has started from a model on the workspace volume."""
    config = trainer.config(own_workspace)
    stage = Path(config.paths.stage)
    stage.mkdir(parents=True)
    start = start_folder(config)
    return config, stage, start, check_start(config, start, None)


def change(folder):
    """Change one weight."""
    file = folder / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def test_training_resumes_from_the_same_weights(begun):
    config, stage, start, digest = begun
    assert check_start(config, start, checkpoint(stage)) == digest
    assert read_base(config).digest == digest
    assert written(stage.parents[1]) == {"uri": BASE, "digest": digest}


def test_other_weights_are_refused_at_a_resume(begun):
    config, stage, start, digest = begun
    change(start)
    with pytest.raises(BadData) as refused:
        check_start(config, start, checkpoint(stage))
    assert str(refused.value).startswith(f"{start} does not contain the weights that this stage started from (their hash is ")
    assert f"it was {digest[:12]}), so training cannot resume from {stage}/checkpoints/step-8" in str(refused.value)
    assert str(refused.value).endswith(f"restore them, or remove {stage} to start the stage again")


def test_a_stage_without_checkpoint_may_start_from_other_weights(begun):
    config, stage, start, digest = begun
    change(start)
    other = check_start(config, start, None)
    assert other != digest
    assert check_start(config, start, checkpoint(stage)) == other


def test_a_stage_of_an_earlier_version_resumes(begun):
    config, stage, start, digest = begun
    (stage / "start.json").unlink()
    assert check_start(config, start, checkpoint(stage)) == digest
    change(start)
    with pytest.raises(BadData, match="started from"):
        check_start(config, start, checkpoint(stage))


def test_the_files_of_a_commit_never_change(own_workspace, trainer, branch):
    config = configured(trainer, own_workspace)
    start_folder(config)
    start = own_workspace / "inputs" / "tiny" / "model"
    check_start(config, start, None)
    change(start)
    with pytest.raises(
        BadData,
        match=r"does not contain the files that were downloaded from hf://team/base; remove it, and they are downloaded again",
    ):
        check_start(config, start, None)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize(("number", "named"), [(math.nan, "NaN"), (math.inf, "infinity"), (-math.inf, "infinity")])
def test_a_number_that_is_not_finite_is_named_with_its_tensor_and_file(own_workspace, trainer, dtype, number, named):
    folder = own_workspace / "inputs" / "tiny" / "model"
    weights = {name: tensor.to(dtype) for name, tensor in load_file(folder / "model.safetensors").items()}
    weights["model.layers.1.mlp.up_proj.weight"][3, 5] = number
    (folder / "model.safetensors").unlink()
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(BadConfiguration) as refused:
        check_start(trainer.config(own_workspace), folder, None)
    assert str(refused.value) == (
        f"spec.model.uri: {BASE}: {folder}/model.safetensors contains {named} in model.layers.1.mlp.up_proj.weight, so its "
        "loss would be NaN; copy the file again, or name another model"
    )


def test_a_scan_hashes_as_the_files_are_hashed(tmp_path):
    for number, tensors in enumerate(({"a": torch.ones(3)}, {"b": torch.ones(0), "c": torch.ones(5, dtype=torch.int64)}, {})):
        save_file(tensors, tmp_path / f"{number}.safetensors", {"format": "pt"})
    index = {"weight_map": {f"tensor {number}": f"{number}.safetensors" for number in range(3)}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    scan = Scan()
    assert scan.digest(tmp_path) == weights_digest(tmp_path)
    assert scan.found is None


SIZES = {"vocab_size": 32, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}


def saved(folder, tokenizer, family="mixtral", **settings):
    """Save a model of a family whose tensors only transformers knows, with a tokenizer."""
    assert family not in FAMILIES
    known = {**SIZES, "vocab_size": 832, "num_local_experts": 2, "num_key_value_heads": 2, **settings}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **known))
    model.save_pretrained(folder)
    for file in tokenizer.glob("tokenizer*"):
        shutil.copy(file, folder)
    return folder


def test_the_decoder_of_a_model_that_also_reads_images_needs_only_its_own_tensors(tmp_path):
    images = {"hidden_size": 32, "num_hidden_layers": 1, "num_global_layers": 1, "attention_heads": 4, "intermediate_size": 32}
    images |= {"image_size": 28, "patch_size": 14, "intermediate_layers_indices": [0]}
    text = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    text |= {"num_key_value_heads": 2, "vocab_size": 64, "cross_attention_layers": [1], "pad_token_id": 0}
    MllamaForConditionalGeneration(MllamaConfig(text_config=text, vision_config=images)).save_pretrained(tmp_path)
    headers, decoder = read_headers(tmp_path), skeleton.build(tmp_path)
    origins = skeleton.origins(decoder, [header.name for header in headers])
    assert 0 < len(origins) < len(headers)
    check_match(skeleton.wanted(decoder, tmp_path), headers, origins)
    with pytest.raises(Unfit, match="lacks 1 of the"):
        first = next(iter(origins))
        check_match(skeleton.wanted(decoder, tmp_path), headers, {name: origins[name] for name in origins if name != first})


def changed(change):
    def damage(folder):
        weights = load_file(folder / "model.safetensors")
        change(weights)
        save_file(weights, folder / "model.safetensors", {"format": "pt"})

    return damage


def set_in_config(**settings):
    def damage(folder):
        document = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**document, **settings}))

    return damage


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (None, None),
        (set_in_config(num_hidden_layers=3), "lacks 9 of the 30 tensors that its config.json describes, the first is "),
        (set_in_config(num_hidden_layers=1), "tensors that its config.json does not describe, the first is model.layers.1."),
        (changed(lambda weights: weights.pop("lm_head.weight")), "the first is lm_head.weight; copy config.json"),
        (
            changed(lambda weights: weights.update({"v_head.weight": torch.ones(1)})),
            "the first is v_head.weight; copy config.json",
        ),
        (set_in_config(vocab_size=900), "has 2 of 21 tensors with other shapes than its config.json describes"),
        (
            changed(lambda weights: weights.pop("model.layers.0.block_sparse_moe.experts.1.w1.weight")),
            "has 1 of 21 tensors with other shapes than its config.json describes, the first is "
            "model.layers.0.mlp.experts.gate_up_proj, 1152 numbers instead of 1536; copy config.json",
        ),
        (set_in_config(hidden_act="gelu9"), "transformers cannot load its configuration (it does not know 'gelu9')"),
        (set_in_config(num_local_experts="many"), "transformers cannot load its configuration ("),
        # Preflight finds the same in a folder on the workspace volume; a model of the Hub is downloaded first.
        (lambda folder: os.truncate(folder / "model.safetensors", 9), "has a model.safetensors of 9 bytes that is truncated"),
    ],
)
def test_a_model_of_another_family_is_compared_with_what_transformers_builds(own_workspace, trainer, damage, fault):
    folder = saved(own_workspace / "mixtral", own_workspace / "inputs" / "tiny" / "model")
    config = trainer.config(own_workspace, model={"uri": "hf://team/base"})
    if damage is None:
        check_model(config, folder, None)
        return
    damage(folder)
    with pytest.raises(BadConfiguration) as refused:
        check_model(config, folder, None)
    assert str(refused.value).startswith("spec.model.uri: hf://team/base")
    assert fault in str(refused.value)
    assert "; " in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (set_in_config(num_hidden_layers=1), "the first is model.layers.1."),
        (set_in_config(hidden_act="gelu9"), "transformers cannot load its configuration"),
    ],
)
def test_a_stage_that_began_with_a_model_that_is_refused_now_continues_with_a_warning(own_workspace, trainer, damage, fault):
    folder = saved(own_workspace / "mixtral", own_workspace / "inputs" / "tiny" / "model")
    damage(folder)
    config = configured(trainer, own_workspace)
    stage = Path(config.paths.stage)
    check_model(config, folder, checkpoint(stage))
    (warning,) = recorded_warnings(stage)
    assert warning.startswith("spec.stages[0].sft: began with a model that is refused now (spec.model.uri: hf://team/base")
    assert fault in warning
    assert warning.endswith("), and continues from its checkpoint of step 8")


def test_a_damaged_model_is_refused_after_a_checkpoint_too(own_workspace, trainer):
    folder = saved(own_workspace / "mixtral", own_workspace / "inputs" / "tiny" / "model")
    os.truncate(folder / "model.safetensors", 9)
    config = configured(trainer, own_workspace)
    with pytest.raises(BadConfiguration, match=r"has a model.safetensors of 9 bytes that is truncated"):
        check_model(config, folder, checkpoint(Path(config.paths.stage)))


def test_an_attempt_ends_if_its_base_model_was_changed(own_workspace, trainer, tmp_path):
    config, stopped = trainer.config(own_workspace), []

    def stop(ranks):
        if not stopped and any((Path(config.paths.stage) / "checkpoints").glob("step-*")):
            stopped.extend(ranks)
            for rank in ranks:
                os.kill(rank, signal.SIGTERM)

    assert trainer.train(config, tmp_path, stop).termination.reason == "Stopped"
    change(own_workspace / "inputs" / "tiny" / "model")
    result = trainer.train(trainer.config(own_workspace, attempt=2), tmp_path)
    assert (result.code, result.termination.reason) == (65, "BadData")
    assert "does not contain the weights that this stage started from" in result.termination.message
