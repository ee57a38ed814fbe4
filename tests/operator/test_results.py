"""`alignment results`: what the reports of a job say, from the folders of this machine or from MLflow."""

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from alignment_api.home import Home
from alignment_api.names import REPORT_FILE
from alignment_operator.cli import main
from alignment_operator.commands.ending import FAILED, REFUSED, SUCCEEDED
from reported import exported, report, row

BASE, DPO = ("arc", "accuracy", "base"), ("arc", "accuracy", "dpo")
NOTE = "<script>*3* rows\x1b[2J are cut."
SETTINGS = {"seed": 0, "exact": True, "temperature": 0.7, "split": None}
REPORT = report({BASE: (0.3, 0.02), DPO: (0.4, 0.02)}, {DPO: (0.1, 0.01)}, settings={"arc": SETTINGS}, notes=[NOTE])
ROWS = {"base": [row("a", 0.0, answer="|no|"), row("b", 1.0)], "dpo": [row("a", 1.0, answer="yes"), row("b", 1.0)]}
STAGES = [
    {"name": "dpo", "dpo": {"datasets": [{"uri": "workspace://pairs.jsonl"}]}},
    {"name": "eval", "evaluate": {"models": [{"base": True}, {"stage": "dpo"}], "tasks": [{"name": "arc", "benchmark": "arc"}]}},
    {"name": "int8", "export": {"quantization": "Int8"}},
]


def write_job(home: Home, name: str = "tutor", namespace: str = "default", stages: Any = STAGES, status: Any = None) -> Path:
    """Write a job as `alignment run` does, and return the folder of its stages."""
    folder = home.job_folder(namespace, name)
    folder.mkdir(parents=True)
    document = {
        **{"apiVersion": "alignment-operator.dev/v1alpha1", "kind": "AlignmentJob"},
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}"},
        "spec": {"model": {"uri": "workspace://model"}, "stages": stages},
        **({"status": status} if status else {}),
    }
    (folder / "job.json").write_text(json.dumps(document))
    return home.workspace / namespace / f"{name}-{f'uid-{name}'[:8]}"


def write_reports(eval_folder: Path, export_folder: Path) -> None:
    """Write the reports and the rows of both stages."""
    (eval_folder / "rows" / "arc").mkdir(parents=True)
    export_folder.mkdir(parents=True)
    (eval_folder / REPORT_FILE).write_text(REPORT.model_dump_json(by_alias=True))
    (export_folder / REPORT_FILE).write_text(exported().model_dump_json(by_alias=True))
    for name, rows in ROWS.items():
        lines = "".join(one.model_dump_json(by_alias=True) + "\n" for one in rows)
        (eval_folder / "rows" / "arc" / f"{name}.jsonl").write_text(lines)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    folder = write_job(home)
    write_reports(folder / "eval", folder / "int8")
    return home


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["results", *arguments]) == SUCCEEDED
    return capsys.readouterr().out


def test_the_tables_of_a_job(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "tutor", "--home", str(home.root))
    for part in ("arc accuracy ↑ (100", "★ 0.400 ± 0.020", "+0.100 [+0.080, +0.120]", "2.78 MB → 836 KB (30 %)", "± is the"):
        assert part in out, part
    assert "\x1b" not in out


def test_no_number_is_broken_on_a_narrow_terminal(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder,) = home.workspace.rglob("eval")
    scores = {(f"task-{number}", "accuracy", name): (0.41, 0.02) for number in range(9) for name in ("base", "dpo")}
    (folder / REPORT_FILE).write_text(report(scores).model_dump_json(by_alias=True))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    out = printed(capsys, "tutor", "--home", str(home.root))
    tables = [line for line in out.splitlines() if line.startswith(("┃", "│", "┏", "└"))]
    assert max(map(len, tables)) <= 80
    assert out.count("0.410 ± 0.020") == 18
    assert "scores (1 of 3)" in out


def test_differences_are_taken_to_the_model_that_is_named(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "tutor", "--against", "dpo", "--home", str(home.root))
    assert "difference to dpo" in out and "−0.100 [−0.120, −0.080]" in out
    records = list(
        csv.DictReader(io.StringIO(printed(capsys, "tutor", "--against", "dpo", "--format", "csv", "--home", str(home.root))))
    )
    assert [(one["model"], one["difference_to"], one["difference"]) for one in records[:2]] == [
        ("base", "dpo", "-0.1"),
        ("dpo", "", ""),
    ]
    assert main(["results", "tutor", "--against", "sft", "--home", str(home.root)]) == REFUSED
    assert "no report has a model 'sft'; name one of base, dpo" in capsys.readouterr().err


def test_markdown_escapes_what_is_not_ours(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "tutor", "--format", "markdown", "--home", str(home.root))
    assert "| dpo | ★ 0.400 ± 0.020 |" in out
    assert "- eval: \\<script\\>\\*3\\* rows \\[2J are cut." in out


def test_csv_and_json_have_every_number(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    records = list(csv.DictReader(io.StringIO(printed(capsys, "tutor", "--format", "csv", "--home", str(home.root)))))
    assert (records[1]["model"], records[1]["value"], records[1]["best"]) == ("dpo", "0.4", "True")
    found = json.loads(printed(capsys, "tutor", "--format", "json", "--home", str(home.root)))
    assert [one["metric"] for one in found["scores"][:2]] == ["accuracy", "accuracy"]
    assert [one["settings"] for one in (found["scores"][0], found["scores"][-1])] == [
        SETTINGS,
        {"quantization": "Int8", "tokens": 4096},
    ]
    assert json.loads(records[1]["settings"]) == found["scores"][0]["settings"]
    assert f"eval: {NOTE}" in found["notes"]
    assert {one["metric"] for one in found["scores"]} >= {"size_ratio", "divergence", "agreement"}


@pytest.mark.parametrize(
    ("form", "parts"),
    [
        ("text", ["maximumDivergence 0.001 failed: 0.0123", "int8 failed: maximumDivergence is 0.001, and the written model"]),
        ("markdown", ["maximumDivergence 0.001 failed: 0.0123", "- int8 failed: maximumDivergence is 0.001, and the written"]),
        ("csv", ["0.0123,", ",0.001,True,"]),
        ("json", ['"limit": 0.001,\n   "limit_failed": true', "int8 failed: maximumDivergence is 0.001, and the written model"]),
    ],
)
def test_a_broken_limit_of_an_export_is_shown(
    home: Home, capsys: pytest.CaptureFixture[str], form: str, parts: list[str]
) -> None:
    (folder,) = home.workspace.rglob("int8")
    limit = {"name": "maximumDivergence", "limit": 0.001, "figure": 0.0123, "is_broken": True}
    (folder / REPORT_FILE).write_text(exported(limits=[limit]).model_dump_json(by_alias=True))
    out = printed(capsys, "tutor", "--format", form, "--home", str(home.root))
    for part in parts:
        assert part in out, part


@pytest.mark.parametrize(
    ("form", "part"), [("text", "+1"), ("markdown", "1  yes"), ("csv", "yes"), ("json", '"second_answer": "yes"')]
)
def test_the_rows_in_which_two_models_differ(home: Home, capsys: pytest.CaptureFixture[str], form: str, part: str) -> None:
    out = printed(capsys, "tutor", "--rows", "arc", "--format", form, "--home", str(home.root))
    assert part in out
    assert "Prompt a" in out and "Prompt b" not in out


def test_rows_of_a_group_are_compared_in_its_first_metric_that_rows_have(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    scores = {("arc", metric, model): (0.5, 0.1) for metric in ("average", "exact", "accuracy") for model in ("base", "dpo")}
    (folder,) = home.workspace.rglob("eval")
    (folder / REPORT_FILE).write_text(report(scores, side=["accuracy"]).model_dump_json(by_alias=True))
    for name, score in (("base", 0.0), ("dpo", 1.0)):
        rows = [row("a", 0.5), row("b", 0.0, scores={"exact": score}), row("c", 0.0, scores={"exact": score or None})]
        lines = "".join(one.model_dump_json(by_alias=True) + "\n" for one in rows)
        (folder / "rows" / "arc" / f"{name}.jsonl").write_text(lines)
    found = json.loads(printed(capsys, "tutor", "--rows", "arc", "--format", "json", "--home", str(home.root)))
    assert (found["metric"], found["failed"]) == ("exact", 1)
    assert [(one["row"], one["difference"]) for one in found["rows"]] == [("b", 1.0)]
    out = printed(capsys, "tutor", "--rows", "arc", "--home", str(home.root))
    assert "base and dpo differ in 1 rows of arc.\nIn 1 rows one of them has no exact" in out


def test_rows_without_a_score_in_common_are_said(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    (folder,) = home.workspace.rglob("rows/arc")
    (folder / "dpo.jsonl").write_text(row("a", 0.0, scores={"exact": 1.0}).model_dump_json(by_alias=True) + "\n")
    assert main(["results", "tutor", "--rows", "arc", "--home", str(home.root)]) == REFUSED
    assert capsys.readouterr().err == (
        "error: the rows of base and dpo in arc have no score in common, so they cannot be compared\n"
    )


HOSTILE = "\x1b[2Jcleared\u202e\r\x07"


@pytest.mark.parametrize("arguments", [[], ["--rows", "arc"]], ids=["scores", "rows"])
@pytest.mark.parametrize("form", ["text", "markdown", "csv", "json"])
def test_no_text_of_a_report_moves_the_cursor(
    home: Home, capsys: pytest.CaptureFixture[str], form: str, arguments: list[str]
) -> None:
    (folder,) = home.workspace.rglob("eval")
    hostile = report(
        {("arc", f"accuracy{HOSTILE}", "base"): (0.3, 0.02)} | {BASE: (0.3, 0.02), DPO: (0.4, 0.02)}, notes=[HOSTILE]
    )
    (folder / REPORT_FILE).write_text(hostile.model_dump_json(by_alias=True))
    lines = row("a", 0.5, answer=f"first\n{HOSTILE}", reason=HOSTILE).model_dump_json(by_alias=True) + "\n"
    (folder / "rows" / "arc" / "base.jsonl").write_text(lines)
    (folder.parent / "int8" / REPORT_FILE).write_text(exported(model=HOSTILE).model_dump_json(by_alias=True))
    out = printed(capsys, "tutor", "--format", form, *arguments, "--home", str(home.root))
    assert not {"\x1b", "\u202e", "\r", "\x07"} & set(out)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [([], SUCCEEDED), (["--rows", "gone"], REFUSED), (["--rows", "arc", "--between", HOSTILE, "dpo"], REFUSED)],
)
def test_no_message_moves_the_cursor(home: Home, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int) -> None:
    (folder,) = home.workspace.rglob("eval")
    other = report({("arc", "accuracy", "base"): (0.3, 0.02), (f"task{HOSTILE}", "accuracy", "base"): (0.3, 0.02)})
    (folder / REPORT_FILE).write_text(other.model_dump_json(by_alias=True))
    broken = exported().model_dump(by_alias=True, mode="json")
    broken["after"]["dtypes"] = {HOSTILE: "many"}
    (folder.parent / "int8" / REPORT_FILE).write_text(json.dumps(broken))
    assert main(["results", "tutor", *arguments, "--home", str(home.root)]) == code
    assert not {"\x1b", "\u202e", "\r", "\x07"} & set(capsys.readouterr().err)


def test_two_models_of_ones_choice(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "tutor", "--rows", "arc", "--between", "dpo", "base", "--format", "csv", "--home", str(home.root))
    assert next(csv.DictReader(io.StringIO(out)))["difference"] == "-1.0"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["gone"], "has no job gone; name a job that `alignment run` has run, or another --home"),
        (["twice"], "several namespaces have a job twice; name one of a/twice, b/twice"),
        (["plain"], "plain has no stage that evaluates or exports; add one to its spec"),
        (["tutor", "--rows", "mmlu"], "no stage has measured mmlu; name one of arc"),
        (["tutor", "--rows", "arc", "--between", "base", "sft"], "sft was not measured in arc; name two of base, dpo"),
    ],
)
def test_what_cannot_be_shown_is_a_sentence(
    home: Home, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    for namespace in ("a", "b"):
        write_job(home, "twice", namespace)
    write_job(home, "plain", stages=STAGES[:1])
    assert main(["results", *arguments, "--home", str(home.root)]) == REFUSED
    assert capsys.readouterr().err.endswith(f"{sentence}\n")


def test_rows_that_were_not_kept_are_said(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    for file in home.workspace.rglob("*.jsonl"):
        file.unlink()
    assert main(["results", "tutor", "--rows", "arc", "--home", str(home.root)]) == REFUSED
    assert capsys.readouterr().err == (
        "error: rows/arc/base.jsonl of stage eval is not there; the rows were not kept, or the task has none\n"
    )


AGAIN = "Stage eval runs again or has not ended: its figures are those of the last report that it wrote."
EARLIER = (
    "The settings of stage eval, or of a stage that it builds on, were changed: its figures are those of before, until it has "
    "run again."
)


@pytest.mark.parametrize(
    ("situation", "is_moved", "reported", "state", "sign"),
    [
        ("the stage runs again", False, "a", "Running", AGAIN),
        ("the stage was edited and waits", False, "b", "Waiting", EARLIER),
        ("the stage was edited and has begun", True, "b", "Running", EARLIER),
        ("the stage has succeeded", False, "a", "Succeeded", None),
    ],
)
def test_an_earlier_report_is_shown_with_a_sign(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    situation: str,
    is_moved: bool,
    reported: str,
    state: str,
    sign: str | None,
) -> None:
    home, stages = Home(tmp_path), [{"name": "eval", "state": state, "inputHash": "a"}]
    folder = write_job(home, status={"stages": stages})
    read = folder / ("eval.b" if is_moved else "eval")
    write_reports(read, folder / "int8")
    (read / "run.json").write_text(json.dumps({"inputHash": reported}))
    if is_moved:
        (folder / "eval").mkdir()
        (folder / "eval" / "run.json").write_text(json.dumps({"inputHash": "a"}))
    for form in ("text", "markdown", "json"):
        out = printed(capsys, "tutor", "--format", form, "--home", str(tmp_path))
        assert [known for known in (AGAIN, EARLIER) if known in out] == ([sign] if sign else []), situation
    records = list(csv.DictReader(io.StringIO(printed(capsys, "tutor", "--format", "csv", "--home", str(tmp_path)))))
    expected = {AGAIN: "NotEnded", EARLIER: "EarlierSettings", None: "Final"}[sign]
    assert {one["report"] for one in records if one["stage"] == "eval"} == {expected}
    out = printed(capsys, "tutor", "--rows", "arc", "--home", str(tmp_path))
    assert "Prompt a" in out and (sign is None or sign in out)


def test_of_reports_with_earlier_settings_the_newest_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_job(Home(tmp_path))
    for number, (name, score) in enumerate((("eval.b", 0.7), ("eval.a", 0.8))):
        write_reports(folder / name, folder / f"unused-{number}")
        found = folder / name / REPORT_FILE
        found.write_text(report({BASE: (score, 0.02)}).model_dump_json(by_alias=True))
        os.utime(found, (number, number))
    out = printed(capsys, "tutor", "--home", str(tmp_path))
    assert "0.800 ± 0.020" in out and "0.700" not in out


def test_before_the_first_report_there_is_only_a_note(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_job(Home(tmp_path))
    assert main(["results", "tutor", "--home", str(tmp_path)]) == FAILED
    notes = [f"note: Stage {name} has no report yet; it writes one at its end.\n" for name in ("eval", "int8")]
    assert capsys.readouterr().err == "".join(notes)


def test_a_broken_report_hides_no_other(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    (file,) = home.workspace.rglob(f"eval/{REPORT_FILE}")
    file.write_text("{")
    assert main(["results", "tutor", "--home", str(home.root)]) == SUCCEEDED
    out, err = capsys.readouterr()
    assert err.startswith(f"note: {file} is not a report that this version can read (") and err.count("\n") == 1
    assert "2.78 MB" in out
