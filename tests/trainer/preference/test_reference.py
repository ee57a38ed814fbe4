"""The reference's values: computed once, reused, and never mistaken for those of other weights."""

import json
import math
import shutil

import numpy
import pytest
import torch
from alignment_api import metrics
from alignment_api.exit_codes import ExitCode
from alignment_api.names import MANIFEST_FILE
from alignment_trainer.model_folder.weights import weights_digest
from alignment_trainer.preference.reference import FORWARD_FILES, _keep, _read, program_of, reference_of
from alignment_trainer.settings.training import training_settings
from safetensors.torch import load_file, save_file

VALUES = numpy.array([[-1.5, -2.5], [-3.0, -4.0]], dtype=numpy.float32)


def test_two_jobs_may_cache_the_same_values_at_once(tmp_path):
    for _ in range(2):
        _keep(tmp_path / "reference" / "key", VALUES, {"weights": "w"})
    assert numpy.array_equal(_read(tmp_path / "reference" / "key"), VALUES)
    assert [path.name for path in (tmp_path / "reference").iterdir()] == ["key"]


@pytest.mark.parametrize("damage", ["cut off", "flipped", "without a manifest"])
def test_damaged_values_are_computed_again(tmp_path, capsys, damage):
    kept = tmp_path / "key"
    _keep(kept, VALUES, {})
    content = bytearray((kept / "values.npy").read_bytes())
    if damage == "without a manifest":
        (kept / "manifest.json").unlink()
    else:
        content[-1] ^= 1
        (kept / "values.npy").write_bytes(content[:-1] if damage == "cut off" else content)
    assert _read(kept) is None
    assert "is damaged: the reference's values are computed again" in capsys.readouterr().err
    assert not kept.exists()


@pytest.mark.parametrize(
    ("file", "change", "is_another"),
    [
        ("config.json", {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0}}, True),
        ("config.json", {"sliding_window": 8}, True),
        ("adapter_config.json", {"lora_alpha": 32}, True),
        ("generation_config.json", {"temperature": 0.5}, False),
    ],
)
def test_values_are_named_by_everything_the_model_computes_with(own_workspace, trainer, file, change, is_another):
    config, start = trainer.config(own_workspace, "dpo"), own_workspace / "inputs" / "tiny" / "model"
    before = reference_of(config, training_settings(config), start, "weights", "template", packs=True)
    written = json.loads((start / file).read_text()) if (start / file).exists() else {}
    (start / file).write_text(json.dumps({**written, **change}))
    after = reference_of(config, training_settings(config), start, "weights", "template", packs=True)
    assert (before.identity != after.identity) is is_another


def test_values_depend_on_the_source_of_the_forward_and_not_on_how_they_are_cached():
    names = {path.name for path in FORWARD_FILES}
    assert {"attention.py", "head.py", "layout.py", "model.py", "padded.py", "measurements.py", "exact_means.py"} <= names
    assert "reference.py" not in names
    assert all(path.is_file() for path in FORWARD_FILES)


SOURCE = 'def double(x):\n    """Return twice x."""\n    return 2 * x\n'


@pytest.mark.parametrize(
    ("changed", "is_another"),
    [
        (SOURCE.replace("twice x", "the double of x"), False),
        (SOURCE.replace("2 * x", "2 * x  # exact in binary"), False),
        (SOURCE.replace("2 * x", "x * 2"), True),
        (SOURCE.replace("2 * x", "2.0 * x"), True),
    ],
    ids=["a docstring", "a comment", "another order", "another number"],
)
def test_only_what_is_computed_counts_as_another_forward(changed, is_another):
    assert (program_of(changed) != program_of(SOURCE)) is is_another


@pytest.fixture
def after_dpo(finished, tmp_path):
    """A workspace after SFT and DPO, with DPO's folder removed so that it runs again."""
    for folder in ("inputs", "job", ".cache/reference"):
        shutil.copytree(finished / folder, tmp_path / folder)
    shutil.rmtree(tmp_path / "job" / "dpo")
    return tmp_path


def kept(root):
    """Return the folders of values, and when each was written."""
    return {path.name: path.stat().st_mtime_ns for path in (root / ".cache" / "reference").iterdir()}


def test_another_beta_reuses_the_cached_values(after_dpo, tmp_path, trainer):
    before = kept(after_dpo)
    assert len(before) == 2, "one for the rows that are trained on, one for those held out"
    result = trainer.train(trainer.config(after_dpo, "dpo", dpo__beta=0.5), tmp_path)
    assert result.code == 0, result.output
    assert kept(after_dpo) == before
    assert trainer.values(after_dpo / "job" / "dpo", metrics.LOSS)[1] == pytest.approx(math.log(2), abs=5e-6)


def add_to_norm(root, number):
    """Change the weights that DPO starts from, and their hash in the manifest."""
    model = root / "job" / "sft" / "model"
    weights = load_file(model / "model.safetensors")
    weights["model.norm.weight"] += torch.full_like(weights["model.norm.weight"], number)
    (model / "model.safetensors").unlink()
    save_file(weights, model / "model.safetensors", {"format": "pt"})
    manifest = model.parent / MANIFEST_FILE
    document = json.loads(manifest.read_text())
    document["weights"]["made"] = weights_digest(model)
    manifest.write_text(json.dumps(document))


def test_changed_weights_under_the_same_path_get_new_values(after_dpo, tmp_path, trainer):
    before = kept(after_dpo)
    add_to_norm(after_dpo, 0.5)
    result = trainer.train(trainer.config(after_dpo, "dpo"), tmp_path)
    assert result.code == 0, result.output
    assert len(kept(after_dpo).keys() - before.keys()) == 2
    assert trainer.values(after_dpo / "job" / "dpo", metrics.LOSS)[1] == pytest.approx(math.log(2), abs=5e-6)


@pytest.mark.parametrize("batching", ["Packed", "Padded"])
def test_weights_that_overflow_end_the_stage_with_a_sentence(after_dpo, tmp_path, trainer, batching):
    before = kept(after_dpo)
    # Each number is finite, but sums of their products are not.
    add_to_norm(after_dpo, 3e38)
    result = trainer.train(trainer.config(after_dpo, "dpo", dpo__batching=batching), tmp_path)
    assert result.code == ExitCode.DEFECT
    assert "the model that the stage starts from gives no finite log-probability for " in result.termination.message
    assert "Traceback" not in result.output
    assert kept(after_dpo) == before
