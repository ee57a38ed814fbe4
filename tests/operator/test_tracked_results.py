"""`alignment results` of a job of a cluster: its reports are files of its runs in MLflow."""

import asyncio
import shutil
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from alignment_api import metrics
from alignment_operator.cli import main
from alignment_operator.commands.ending import FAILED, REFUSED, SUCCEEDED
from alignment_operator.progress import tracked_runs
from alignment_operator.progress.tracked_reports import in_order
from alignment_operator.progress.tracked_runs import TrackedRun
from mlflow import MlflowClient
from mlflow_server import served_mlflow
from ports import free_port
from reported import exported, report, row

BASE, DPO = ("arc", "accuracy", "base"), ("arc", "accuracy", "dpo")
REPORT = report({BASE: (0.3, 0.02), DPO: (0.4, 0.02)}, {DPO: (0.1, 0.01)})
ROWS = {"base": [row("a", 0.0), row("b", 1.0)], "dpo": [row("a", 1.0), row("b", 1.0)]}


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["results", *arguments]) == SUCCEEDED
    return capsys.readouterr().out


def test_a_job_of_a_cluster_is_read_from_mlflow(tmp_path: Path, empty_database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(empty_database, tmp_path)
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


@pytest.mark.parametrize(
    ("situation", "runs", "stages"),
    [
        ("the spec's first stage began last", [("late", 1, 10), ("early", 0, 20)], ["early", "late"]),
        ("an older trainer did not say where its stage stands", [("b", None, 20), ("a", None, 10)], ["a", "b"]),
        ("some said it", [("old", None, 5), ("new", 3, 20)], ["new", "old"]),
        ("a tag that no trainer writes", [("bad", "x", 5), ("good", 0, 20)], ["good", "bad"]),
    ],
)
def test_stages_stand_in_the_order_of_the_spec(situation: str, runs: list[tuple[str, object, int]], stages: list[str]) -> None:
    known = []
    for number, (stage, index, start) in enumerate(runs):
        tags = {metrics.STAGE_TAG: stage, metrics.KIND_TAG: "evaluate"}
        tags |= {} if index is None else {metrics.STAGE_INDEX_TAG: str(index)}
        info = {"run_id": f"r{number}", "experiment_id": "0", "start_time": start}
        known.append({"info": info, "data": {"tags": [{"key": key, "value": value} for key, value in tags.items()]}})
    assert list(in_order([TrackedRun.model_validate(run) for run in known])) == stages, situation


def test_while_a_stage_runs_with_other_settings_its_earlier_report_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served_mlflow(tmp_path) as uri:
        log_reports(uri)
        tags = {metrics.JOB_TAG: "tutor", metrics.NAMESPACE_TAG: "default", metrics.JOB_UID_TAG: "uid-tutor"}
        tags |= {metrics.STAGE_TAG: "eval", metrics.KIND_TAG: "evaluate", metrics.INPUT_HASH_TAG: "new"}
        MlflowClient(uri).create_run("0", tags=tags, start_time=3000)
        out = printed(capsys, "tutor", "--tracking-uri", uri)
        rows = printed(capsys, "tutor", "--rows", "arc", "--format", "csv", "--tracking-uri", uri)
    assert "★ 0.400 ± 0.020" in out and "The settings of stage eval, or of a stage that it builds on, were changed" in out
    assert len(rows.splitlines()) == 2


class Trickling(BaseHTTPRequestHandler):
    """An MLflow whose file takes longer than any of its answers may, but never stops."""

    def do_GET(self) -> None:
        """List a file, or send it bit by bit."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        if "/artifacts/list" in self.path:
            self.wfile.write(b'{"files": [{"path": "evaluation/rows.jsonl"}]}')
            return
        for _ in range(8):
            time.sleep(0.1)
            self.wfile.write(b"part ")
            self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def test_a_file_may_take_long_while_it_keeps_coming(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracked_runs, "_TIMEOUT_SECONDS", 0.5)
    server = ThreadingHTTPServer(("127.0.0.1", free_port()), Trickling)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    async def read() -> bytes | None:
        uri = f"http://127.0.0.1:{server.server_port}"
        async with tracked_runs.reading_files(uri, None) as search:
            return await search.read_file("run", "evaluation/rows.jsonl")

    try:
        assert asyncio.run(read()) == b"part " * 8
    finally:
        server.shutdown()
        server.server_close()


def log_reports(uri: str) -> None:
    """Log the reports and the rows as files of the stages' runs, of a job that was created anew under its name."""
    client = MlflowClient(uri)
    for number, uid in enumerate(("uid-old", "uid-tutor")):
        tags = {metrics.JOB_TAG: "tutor", metrics.NAMESPACE_TAG: "default", metrics.JOB_UID_TAG: uid}
        client.create_run("0", tags=tags, start_time=1000 + number)
    for number, (stage, kind, content) in enumerate((("eval", "evaluate", REPORT), ("int8", "export", exported()))):
        own = {metrics.STAGE_TAG: stage, metrics.KIND_TAG: kind, metrics.INPUT_HASH_TAG: "known"}
        run = client.create_run("0", tags=tags | own, start_time=2000 + number).info.run_id
        folder = {"evaluate": "evaluation"}.get(kind, kind)
        client.log_text(run, content.model_dump_json(by_alias=True), f"{folder}/report.json")
        for name, known in ROWS.items() if kind == "evaluate" else ():
            lines = "".join(one.model_dump_json(by_alias=True) + "\n" for one in known)
            client.log_text(run, lines, f"evaluation/rows/arc/{name}.jsonl")
