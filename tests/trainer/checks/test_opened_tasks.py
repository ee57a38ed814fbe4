"""Tasks that libraries read are opened before the stages that they wait for have run."""

import json

import pytest
from alignment_trainer.checks.preflight import check, check_job
from alignment_trainer.failures import BadData
from benchmark_rows import write_benchmark
from evaluated_jobs import SFT, copy_models, exam_config, task, write_rows

TASKS = [
    {"name": "arc", "benchmark": "arc_challenge", "dataset": {"uri": "workspace://benchmarks/arc"}},
    {"name": "few", "benchmark": "gsm8k", "fewShot": 9, "dataset": {"uri": "workspace://benchmarks/gsm8k"}},
    task("texts", "Perplexity"),
]
FIELD = "spec.stages[1].evaluate.tasks"
FAULTS = (
    f"{FIELD}[0].dataset: row 3 of arc_challenge lacks what the task reads (",
    f"{FIELD}[1]: gsm8k shows 9 worked examples, and its rows have only 6; add rows, or lower fewShot",
    f"{FIELD}[2].dataset: in 2 of 2 rows no token is predicted, such as texts.jsonl:1, more than maximumFailedShare",
)


@pytest.fixture
def config(workspace, tmp_path):
    copy_models(workspace, tmp_path)
    file = write_benchmark(tmp_path / "benchmarks/arc", "arc_challenge") / "test.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    rows[2]["answerKey"] = "none of them"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_benchmark(tmp_path / "benchmarks/gsm8k", "gsm8k")
    write_rows(tmp_path, "texts", [{"text": "a"}, {"text": "."}])
    return exam_config(tmp_path, TASKS)


def test_the_first_stage_and_the_command_find_what_the_stage_itself_would_refuse(config):
    begun = config.model_copy(update={"stage_name": SFT["name"]})
    for found in (check, check_job):
        with pytest.raises(BadData) as refused:
            found(begun)
        sentences = str(refused.value).splitlines()
        assert len(sentences) == len(FAULTS)
        assert all(sentence.startswith(fault) for sentence, fault in zip(sentences, FAULTS, strict=True)), sentences
    # The stage opens its rows itself.
    check(config)
