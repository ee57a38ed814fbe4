"""`alignment results` of a job of a cluster: its reports are files of its runs in MLflow."""

from pathlib import Path

import pytest
from alignment_api import metrics
from alignment_operator.cli import main
from alignment_operator.commands.ending import FAILED, REFUSED, SUCCEEDED
from mlflow import MlflowClient
from mlflow_server import served_mlflow
from reported import exported, report, row

BASE, DPO = ("arc", "accuracy", "base"), ("arc", "accuracy", "dpo")
REPORT = report({BASE: (0.3, 0.02), DPO: (0.4, 0.02)}, {DPO: (0.1, 0.01)})
ROWS = {"base": [row("a", 0.0), row("b", 1.0)], "dpo": [row("a", 1.0), row("b", 1.0)]}


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["results", *arguments]) == SUCCEEDED
    return capsys.readouterr().out


def test_a_job_of_a_cluster_is_read_from_mlflow(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with served_mlflow(tmp_path) as uri:
        log_reports(uri)
        out = printed(capsys, "tutor", "--tracking-uri", uri)
        rows = printed(capsys, "default/tutor", "--rows", "arc", "--format", "csv", "--tracking-uri", uri)
        assert main(["results", "gone", "--tracking-uri", uri]) == REFUSED
        refused = capsys.readouterr().err
    assert "★ 0.400 ± 0.020" in out and "2.78 MB → 836 KB (30 %)" in out
    assert len(rows.splitlines()) == 2
    assert refused == f"error: MLflow at {uri} has no run of a job gone; check the name\n"
    assert main(["results", "tutor", "--tracking-uri", uri]) == FAILED
    assert f"MLflow at {uri} cannot be read now (" in capsys.readouterr().err


def log_reports(uri: str) -> None:
    """Log the reports and the rows as files of the stages' runs, of a job that was created anew under its name."""
    client = MlflowClient(uri)
    for number, uid in enumerate(("uid-old", "uid-tutor")):
        tags = {metrics.JOB_TAG: "tutor", metrics.NAMESPACE_TAG: "default", metrics.JOB_UID_TAG: uid}
        client.create_run("0", tags=tags, start_time=1000 + number)
    for number, (stage, kind, content) in enumerate((("eval", "evaluate", REPORT), ("int8", "export", exported()))):
        own = {metrics.STAGE_TAG: stage, metrics.KIND_TAG: kind}
        run = client.create_run("0", tags=tags | own, start_time=2000 + number).info.run_id
        folder = {"evaluate": "evaluation"}.get(kind, kind)
        client.log_text(run, content.model_dump_json(by_alias=True), f"{folder}/report.json")
        for name, known in ROWS.items() if kind == "evaluate" else ():
            lines = "".join(one.model_dump_json(by_alias=True) + "\n" for one in known)
            client.log_text(run, lines, f"evaluation/rows/arc/{name}.jsonl")
