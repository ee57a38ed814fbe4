"""A stage that measures benchmarks of lm-eval with the network off, from rows on the workspace volume."""

import json
from pathlib import Path

import pytest
from alignment_api.results.evaluation import EvaluationReport
from benchmark_rows import write_benchmark, write_group
from evaluated_jobs import copy_models, exam_config

LEADERBOARD = ["arc_challenge", "hellaswag", "truthfulqa_mc2", "mmlu", "winogrande", "gsm8k"]
TASKS = [
    {"name": "board", "benchmark": "openllm", "dataset": {"uri": "workspace://benchmarks/openllm"}, "limit": 1},
    {"name": "wiki", "benchmark": "wikitext", "dataset": {"uri": "workspace://benchmarks/wikitext"}},
]


def test_the_leaderboard_and_wikitext_are_measured(workspace, tmp_path, trainer, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    copy_models(workspace, tmp_path)
    write_group(tmp_path / "benchmarks/openllm", "openllm")
    write_benchmark(tmp_path / "benchmarks/wikitext", "wikitext")
    config = exam_config(tmp_path, TASKS)
    result = trainer.train(config, tmp_path)
    assert result.code == 0, result.output
    report = EvaluationReport.parse_stored(json.loads((Path(config.paths.stage) / "report.json").read_text()))

    board, wiki = report.tasks
    assert (board.measure, board.rows, wiki.measure, wiki.rows) == ("openllm", 62, "wikitext", 7)
    assert board.settings["few_shot"] == ("arc_challenge 25, hellaswag 10, truthfulqa_mc2 0, mmlu 5, winogrande 5, gsm8k 5")
    assert board.settings["versions"] == (
        "arc_challenge 1.0, hellaswag 1.0, truthfulqa_mc2 3.0, mmlu 1.0, winogrande 1.0, gsm8k 3.0"
    )
    assert (wiki.settings["version"], wiki.settings["split"], wiki.settings["numbers"]) == (
        "2.0",
        "test",
        "float32, softmax in float32",
    )
    main = {score.metric: score.estimate for score in report.scores if score.is_main and score.model == "base"}
    assert [name.partition(".")[0] for name in main] == ["average", *LEADERBOARD, "word_perplexity"]
    tasks = [estimate.value for name, estimate in main.items() if name not in ("average", "word_perplexity")]
    assert main["average"].value == pytest.approx(sum(tasks) / 6)
    assert main["word_perplexity"].error > 0
    # The windows of a document, and what is left of a prompt, depend on it.
    assert (wiki.settings["model_reads"], board.settings["model_reads"]) == ("512", "512")
    # 25 examples are more than the tiny model can read.
    assert any("prompts are longer than base can read" in note for note in report.notes)
