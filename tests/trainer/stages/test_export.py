"""A stage that exports: what it writes, what it finds of it in a fresh process, and how a later attempt continues."""

import json
from pathlib import Path

import pytest
import torch
from alignment_trainer.checks import preflight
from alignment_trainer.exporting.original import find_original
from alignment_trainer.failures import BrokenExport, UnfaithfulExport
from alignment_trainer.model_folder.fitness import fault_of
from alignment_trainer.models.tokenizer import load_tokenizer
from alignment_trainer.settings.export import export_settings
from alignment_trainer.stages import export
from alignment_trainer.synthesis.student import load_student
from alignment_trainer.workspace.stage_folder import claim, is_done
from exports import PROOF, export_config
from mlflow import MlflowClient
from safetensors.torch import load_file, save_file


def run(config):
    preflight.check(config)
    claim(config)
    export.run(config)
    return json.loads((Path(config.paths.stage) / "report.json").read_text())


@pytest.mark.parametrize(
    ("quantization", "share", "dtype"), [("None", 1.0, "F32"), ("Int8", 0.257, "I8"), ("W4A16", 0.129, "I32")]
)
def test_each_format_is_written_and_proven(own_workspace, quantization, share, dtype):
    config = export_config(own_workspace, quantization=quantization, proof={**PROOF, "maximumTokens": 100})
    report = run(config)
    assert report["after"]["linearBytes"] / report["before"]["linearBytes"] == pytest.approx(share, abs=0.01)
    assert dtype in report["after"]["dtypes"]
    assert report["tokens"] == 100
    divergence, floor = report["written"]["divergence"]["value"], report["rounded"]["divergence"]["value"]
    assert (divergence == 0) if quantization == "None" else (0 < divergence < 0.01)
    assert 0 < floor < 1e-4
    assert report["output"] == "workspace://job/out/model"
    assert (Path(config.paths.stage) / "DONE").read_text() == config.input_hash
    # What an evaluate stage measures.
    assert fault_of(Path(config.paths.stage) / "model", is_resumed=True) is None
    ids = torch.tensor([[5, 60, 170]])
    exported, original = (
        load_student(folder, "Model", torch.float32).model(ids).logits.detach().flatten()
        for folder in (Path(config.paths.stage) / "model", own_workspace / "inputs/tiny/model")
    )
    # Codes that are taken for weights give other logits altogether.
    assert float(torch.nn.functional.cosine_similarity(exported, original, dim=0)) > 0.95


def test_rows_of_calibration_are_cut_to_what_the_model_reads(own_workspace, monkeypatch):
    (own_workspace / "long.jsonl").write_text(json.dumps({"text": "A fox lives in a den. " * 200}) + "\n")
    config = export_config(own_workspace, quantization="GPTQ", calibration={"uri": "workspace://long.jsonl"})
    monkeypatch.setattr(export, "write_model", lambda *given: list(given[-1]()))
    claim(config)
    original = find_original(config)
    tokenizer = load_tokenizer(original.folder, "Model", needs_answers=False)
    (text,) = export._write(config, export_settings(config), original, tokenizer)
    assert len(text.ids) == 512


def test_a_later_attempt_repeats_nothing_and_finds_a_flipped_byte(own_workspace):
    more = {"destinations": ["workspace://served"], "registeredModel": "mine"}
    config = export_config(own_workspace, quantization="None", **more)
    report = run(config)
    assert (report["registered"], report["destinations"]) == ("mine/1", ["workspace://served"])
    stage = Path(config.paths.stage)
    weights, served = stage / "model/model.safetensors", own_workspace / "served"
    before = weights.stat().st_mtime_ns, served.stat().st_ino, (stage / "proof/proven.json").stat().st_mtime_ns
    (stage / "DONE").unlink()
    assert run(config) == report
    assert before == (weights.stat().st_mtime_ns, served.stat().st_ino, (stage / "proof/proven.json").stat().st_mtime_ns)
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    (stage / "proof/proven.json").unlink()
    with pytest.raises(
        BrokenExport, match=r"has weights with the hash \w+, and \w+ were written, so the volume has changed them"
    ):
        export.run(config)
    assert run(config)["writtenWeights"] == report["writtenWeights"]
    assert len(MlflowClient(config.tracking.uri).search_model_versions("name = 'mine'")) == 1


def test_another_destination_is_a_copy_of_what_was_written(own_workspace):
    config = export_config(own_workspace, quantization="None")
    run(config)
    stage = Path(config.paths.stage)
    weights = stage / "model/model.safetensors"
    before = weights.stat().st_mtime_ns, (stage / "proof/proven.json").stat().st_mtime_ns
    assert is_done(config)
    edited = export_config(own_workspace, quantization="None", destinations=["workspace://served"])
    assert edited.input_hash == config.input_hash and not is_done(edited)
    assert run(edited)["destinations"] == ["workspace://served"]
    assert (own_workspace / "served/model.safetensors").exists() and is_done(edited)
    assert before == (weights.stat().st_mtime_ns, (stage / "proof/proven.json").stat().st_mtime_ns)


def test_a_limit_fails_the_stage_and_keeps_both_models(own_workspace):
    proof = {**PROOF, "maximumTokens": 64, "minimumAgreement": 1.0, "maximumDivergence": 1e-9}
    config = export_config(own_workspace, quantization="Int4", proof=proof)
    with pytest.raises(
        UnfaithfulExport,
        match=r"proof: the Int4 model is too far from the original: it diverges by [0-9.e-]+ nats per token from the original, "
        r"more than maximumDivergence 1e-09; it finds the same token likeliest for 0\.\d+ of the tokens",
    ):
        run(config)
    stage = Path(config.paths.stage)
    assert not (stage / "DONE").exists()
    assert (stage / "model" / "model.safetensors").exists()
    limits = json.loads((stage / "report.json").read_text())["limits"]
    assert [(one["name"], one["limit"], one["isBroken"]) for one in limits] == [
        ("maximumDivergence", 1e-9, True),
        ("minimumAgreement", 1.0, True),
    ]


def test_a_model_that_predicts_no_numbers_ends_without_a_retry(own_workspace):
    weights = own_workspace / "inputs/tiny/model/model.safetensors"
    tensors = load_file(weights)
    # Numbers themselves, but what is computed with them is none.
    tensors["model.norm.weight"].fill_(3e38)
    save_file(tensors, weights, metadata={"format": "pt"})
    config = export_config(own_workspace, quantization="None", proof={**PROOF, "maximumTokens": 64})
    claim(config)
    with pytest.raises(UnfaithfulExport, match="predicts NaN or infinity"):
        export.run(config)
