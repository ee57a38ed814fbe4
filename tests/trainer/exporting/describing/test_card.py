"""The card of an exported model says how it was made, what was measured, and how to serve it."""

import json

from alignment_api.results.evaluation import Estimate, EvaluationReport, MeasuredModel, MeasuredTask, Score
from alignment_api.results.export import ExportReport, Fidelity, Size
from alignment_trainer.exporting.describing.card import card_of
from alignment_trainer.exporting.original import Ancestor
from exports import export_config
from huggingface_hub import ModelCard

SFT = {
    "name": "sft",
    "sft": {
        "datasets": [{"uri": "hf://HuggingFaceH4/ultrachat_200k"}],
        "maxLength": 128,
        "optimization": {"learningRate": 1e-3, "globalBatchSize": 8, "epochs": 1},
    },
}
EXAM = {"name": "exam", "evaluate": {"models": [{"stage": "sft"}], "tasks": [{"name": "arc", "benchmark": "arc_easy"}]}}
REPORT = ExportReport(
    quantization="Int4",
    model="sft",
    weights="b" * 64,
    written_weights="c" * 64,
    output="workspace://job/out/model",
    before=Size(all_bytes=1000, linear_bytes=800, dtypes={"F32": 3}),
    after=Size(all_bytes=250, linear_bytes=110, dtypes={"U8": 2, "BF16": 1}),
    original=Fidelity(perplexity=Estimate(value=4.0, error=0.1, count=12)),
    rounded=Fidelity(perplexity=Estimate(value=4.01, error=0.1, count=12), divergence=Estimate(value=1e-5, count=12)),
    written=Fidelity(
        perplexity=Estimate(value=4.2, error=0.1, count=12),
        divergence=Estimate(value=0.012, error=0.001, count=12),
        agreement=Estimate(value=0.97, error=0.005, count=12),
    ),
    tokens=400,
)
ANCESTORS = [
    Ancestor(
        "sft",
        {
            "kind": "sft",
            "rows": {"ultrachat_200k": {"available": 200, "used": 150}},
            "revisions": {"ultrachat_200k": "f" * 40},
            "weights": {"start": "a" * 64, "made": "b" * 64},
        },
    )
]


def measured(root, weights="b" * 64):
    folder = root / "job/exam"
    folder.mkdir(parents=True)
    score = Score(
        task="arc",
        metric="accuracy",
        model="sft",
        better="Higher",
        is_main=True,
        estimate=Estimate(value=0.75, error=0.02, count=400),
    )
    report = EvaluationReport(
        models=[MeasuredModel(name="sft", weights=weights), MeasuredModel(name="base", weights="1" * 64)],
        tasks=[MeasuredTask(name="arc", measure="Benchmark", rows=400, settings={})],
        scores=[score, score.model_copy(update={"model": "base"})],
        differences=[],
    )
    (folder / "report.json").write_text(json.dumps(report.dump()))
    (folder / "DONE").write_text("x")


def test_all_that_was_measured_and_chosen_is_on_the_card(tmp_path):
    measured(tmp_path)
    config = export_config(tmp_path, before=[SFT, EXAM], quantization="Int4", destinations=["hf://me/mine"])
    card = ModelCard(card_of(config, REPORT, ANCESTORS, ["hf://me/mine"]))
    (result,) = card.data.eval_results
    assert (result.metric_value, result.metric_args) == (0.75, {"prompts": 400, "standard_error": 0.02})
    assert card.data.datasets == ["HuggingFaceH4/ultrachat_200k"]
    assert card.data.tags == ["alignment-operator", "int4"]
    for line in (
        "vllm serve me/mine",
        "`pip install bitsandbytes`",
        "| this | 4.2 ± 0.1 | 0.012 ± 0.001 | 0.97 ± 0.005 |",
        "| original in bfloat16 | 4.01 ± 0.1 | 1e-05 | - |",
        "| stage | task | metric | value | prompts |",
        "| exam | arc | accuracy | 0.75 ± 0.02 | 400 |",
        f"| sft | ultrachat_200k | {'f' * 40} | 200 | 150 |",
        "| sft | sft | bbbbbbbbbbbb |",
        "| sft.optimization.learningRate | 0.001 | the job |",
        "| sft.packing | True | default |",
    ):
        assert line in card.text, card.text


def test_scores_of_other_weights_are_left_out(tmp_path):
    measured(tmp_path, weights="0" * 64)
    card = ModelCard(card_of(export_config(tmp_path, before=[SFT, EXAM], quantization="Int4"), REPORT, ANCESTORS, []))
    assert card.data.eval_results is None
    assert "## Scores" not in card.text


def test_without_a_proof_the_card_claims_none(tmp_path):
    report = REPORT.model_copy(
        update={"original": None, "rounded": None, "written": None, "notes": ["only its form was checked"]}
    )
    card = card_of(export_config(tmp_path, quantization="Int4"), report, [], [])
    assert "Against the original" not in card and "- only its form was checked" in card
    assert "vllm serve FOLDER" in card
