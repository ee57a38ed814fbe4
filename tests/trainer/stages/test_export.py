"""A stage that exports: what it writes, what it finds of it in a fresh process, and how a later attempt continues."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
import torch
from alignment_api.names import BASE_MODEL_FILE
from alignment_trainer.checks import preflight
from alignment_trainer.exporting.original import find_original
from alignment_trainer.failures import BadData, BrokenExport, UnfaithfulExport
from alignment_trainer.model_folder.fitness import fault_of
from alignment_trainer.models.tokenizer import load_tokenizer
from alignment_trainer.settings.export import export_settings
from alignment_trainer.stages import export
from alignment_trainer.synthesis.student import load_student
from alignment_trainer.workspace.stage_folder import claim, is_done
from exports import PROOF, export_config, stage_config
from forked_programs import forked_programs
from mlflow import MlflowClient
from safetensors.torch import load_file, save_file

PATIENCE_SECONDS = 60


def run(config):
    preflight.check(config)
    claim(config)
    with forked_programs():
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


SFT = {
    "datasets": [{"uri": "workspace://inputs/tiny/sft.jsonl", "maxExamples": 8}],
    "optimization": {"learningRate": 1e-2, "warmup": {"steps": 0}, "maxSteps": 2, "globalBatchSize": 2},
    "maxLength": 128,
    "precision": "Float32",
}


@pytest.mark.parametrize(
    ("adapter", "quantization"),
    [({"lora": {"rank": 4}}, "W8A16"), ({"lora": {"rank": 4}, "quantization": "NF4"}, "FP8")],
    ids=["LoRA", "QLoRA"],
)
def test_what_an_adapter_has_learned_is_exported(own_workspace, trainer, adapter, quantization):
    before = [{"name": "sft", "sft": {**SFT, "adapter": adapter}}]
    result = trainer.train(stage_config(own_workspace, before, "sft"), own_workspace)
    assert result.code == 0, result.output
    config = export_config(own_workspace, before=before, quantization=quantization, proof={**PROOF, "maximumTokens": 100})
    report = run(config)
    manifest = json.loads((own_workspace / "job/sft/manifest.json").read_text())
    assert report["weights"] == manifest["weights"]["made"] != manifest["weights"]["start"]
    assert 0 < report["written"]["divergence"]["value"] < 0.01
    base = own_workspace / "job" / BASE_MODEL_FILE
    base.write_text(json.dumps({**json.loads(base.read_text()), "digest": "0" * 64}))
    with pytest.raises(
        BadData, match=r"stage 'sft' was trained from weights with the hash \w+, and those of 'base' have 0{12} now"
    ):
        export.run(config)


# The first process waits in the middle of a copy until it is killed.
SLOW_COPY = """
import time
from alignment_trainer.exporting.copying import workspace
workspace.advancing = lambda *_: time.sleep(600)
"""


def test_a_compressed_export_that_is_killed_while_it_writes_proves_and_copies_is_completed(own_workspace, trainer):
    config = export_config(
        own_workspace,
        processes=2,
        quantization="GPTQ",
        calibration={"uri": "workspace://inputs/tiny/sft.jsonl", "maxExamples": 16},
        proof={**PROOF, "maximumTokens": 100},
        destinations=["workspace://served"],
    )
    stage = Path(config.paths.stage)
    for begun in (stage / ".model", stage / "proof/request.json", own_workspace / ".served"):
        killed = []

        def kill(ranks, begun=begun, killed=killed):
            if begun.exists() and not killed:
                killed.extend(ranks)
                for rank in ranks:
                    os.kill(rank, signal.SIGKILL)

        result = trainer.train(config, own_workspace, kill, before=SLOW_COPY)
        assert killed and result.code, result.output
        assert not (stage / "DONE").exists()
        # The kernel takes a moment to end a process that holds much memory.
        limit = time.monotonic() + PATIENCE_SECONDS
        while children(killed):
            assert time.monotonic() < limit
            time.sleep(0.1)
    weights = stage / "model/model.safetensors"
    before = weights.stat().st_mtime_ns, (stage / "proof/proven.json").stat().st_mtime_ns
    result = trainer.train(config, own_workspace)
    assert result.code == 0, result.output
    assert (weights.stat().st_mtime_ns, (stage / "proof/proven.json").stat().st_mtime_ns) == before
    report = json.loads((stage / "report.json").read_text())
    assert report["after"]["linearBytes"] / report["before"]["linearBytes"] == pytest.approx(0.129, abs=0.01)
    assert 0 < report["written"]["divergence"]["value"] < 0.01
    listed = json.loads((own_workspace / "served/export.json").read_text())["files"]
    for folder in (stage / "model", own_workspace / "served"):
        assert {path.name for path in folder.iterdir()} == {*listed, "export.json"}
    assert not [path for path in own_workspace.rglob(".*") if path.name in (".model", ".served")]


def children(processes):
    """Return the processes that were started by some others, and still run."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            variables = (process / "environ").read_text()
        except OSError:
            continue
        if any(f"ALIGNMENT_LAUNCHER_PID={number}\0" in variables for number in processes):
            found.append(int(process.name))
    return found
