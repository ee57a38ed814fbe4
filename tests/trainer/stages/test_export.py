"""A stage that exports: what it writes, what it finds of it in a fresh process, and how a later attempt continues."""

import json
from pathlib import Path

import pytest
from alignment_trainer.checks import preflight
from alignment_trainer.failures import UnfaithfulExport
from alignment_trainer.stages import export
from alignment_trainer.workspace.stage_folder import claim
from exports import PROOF, export_config


def run(config):
    preflight.check(config)
    claim(config)
    export.run(config)
    return json.loads((Path(config.paths.stage) / "report.json").read_text())


@pytest.mark.parametrize(("quantization", "share", "dtype"), [("None", 1.0, "F32"), ("Int8", 0.257, "I8")])
def test_each_format_is_written_and_proven(own_workspace, quantization, share, dtype):
    config = export_config(own_workspace, quantization=quantization, proof=dict(PROOF))
    report = run(config)
    folder = Path(config.paths.stage) / "model"
    assert report["after"]["linearBytes"] / report["before"]["linearBytes"] == pytest.approx(share, abs=0.01)
    assert dtype in report["after"]["dtypes"]
    assert report["tokens"] == 400
    divergence, floor = report["written"]["divergence"]["value"], report["rounded"]["divergence"]["value"]
    assert (divergence == 0) if quantization == "None" else (0 < divergence < 0.01)
    assert 0 < floor < 1e-4
    assert report["output"] == "workspace://job/out/model"
    assert (folder.parent / "DONE").read_text() == config.input_hash


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
    assert (stage / "model" / "model.safetensors").exists() and (stage / "report.json").exists()
