"""The commands other than `alignment run`, which tests/e2e covers."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from alignment_api import metrics
from alignment_api.document import read_document
from alignment_api.home import Home
from alignment_api.names import METRICS_FILE, RUN_CONFIG_FILE
from alignment_api.resolving.validation import read_job, runnable_job
from alignment_operator.backends import process
from alignment_operator.cli import main
from alignment_operator.commands.ending import FAILED, REFUSED, SUCCEEDED
from alignment_operator.commands.run import failure_code, result_line
from alignment_operator.deciding.stage_run import fresh_run
from alignment_operator.machine.run import local_settings
from alignment_operator.machine.trainer_data import UNREAD
from alignment_operator.machine.world import LocalCluster
from builders import a_child, a_document, a_job, a_training
from mlflow import MlflowClient

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(a_document()))
    return path


def test_validate_says_which_files_are_valid(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(file), str(EXAMPLES / "tiny.yaml")]) == SUCCEEDED
    assert capsys.readouterr().out.splitlines() == [f"{file}: valid", f"{EXAMPLES / 'tiny.yaml'}: valid"]


def test_validate_gives_one_line_for_each_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(a_document(compute={"nodes": 0, "gpus": 8})))
    assert main(["validate", str(path)]) == REFUSED
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        f"error: {path}: spec.compute.nodes: 0 is not possible: it must be at least 1; correct it",
        f"error: {path}: spec.compute.gpus: is not a field; did you mean gpusPerNode?",
    ]


def test_warnings_stop_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "job.yaml"
    document = a_document()
    document["spec"]["stages"][1]["dpo"]["beta"] = 50
    path.write_text(yaml.safe_dump(document))
    sentence = "spec.stages[1].dpo.beta: 50 is 100 times the largest that is usual for the loss Sigmoid, "
    assert main(["validate", str(path)]) == SUCCEEDED
    out, err = capsys.readouterr()
    assert out == f"{path}: valid\n"
    assert err.startswith(f"warning: {path}: {sentence}") and err.count("\n") == 1
    assert main(["explain", str(path)]) == SUCCEEDED
    err = capsys.readouterr().err
    assert err.startswith(f"warning: {sentence}") and err.count("\n") == 1


def test_validate_checks_every_file_although_one_is_broken(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "missing.yaml"
    assert main(["validate", str(missing), str(file)]) == REFUSED
    out, err = capsys.readouterr()
    assert (out, err) == (f"{file}: valid\n", f"error: {missing}: there is no such file; check the path\n")


def test_a_home_that_is_a_file_is_refused(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--home", str(file), str(file)]) == REFUSED
    assert capsys.readouterr().err.startswith(f"error: {file}: jobs cannot be stored here")


def test_explain_prints_where_each_value_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(EXAMPLES / "zephyr-7b.yaml")]) == SUCCEEDED
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    (beta,) = [line for line in lines if line[0] == "spec.stages[1].dpo.beta"]
    assert beta == ["spec.stages[1].dpo.beta", "0.1", "recipe", "zephyr-paper", "paper:", "0.1"]
    (rate,) = [line for line in lines if line[0] == "spec.stages[1].dpo.optimization.learningRate"]
    assert rate[1] == "5.0e-07"
    batch = "sft: 512 examples per step = 16 processes x 4 per forward x 8 accumulated"
    assert batch in [" ".join(line) for line in lines]
    pairs = "dpo: 32 pairs per step over 16 processes, packed into forwards of at most 4096 tokens"
    assert pairs in [" ".join(line) for line in lines]


def test_explain_says_what_the_stages_of_a_job_with_branches_wait_for(capsys: pytest.CaptureFixture[str]) -> None:
    found = {}
    for example in ("zephyr-7b", "tutor"):
        assert main(["explain", str(EXAMPLES / f"{example}.yaml")]) == SUCCEEDED
        found[example] = [line for line in capsys.readouterr().out.splitlines() if ": waits for " in line]
    assert found == {"zephyr-7b": [], "tutor": ["dpo-from-base: waits for no other stage"]}


def test_explain_says_whom_a_stage_asks_and_at_most_how_much(capsys: pytest.CaptureFixture[str]) -> None:
    asked = {}
    for example in ("zephyr-7b-teachers", "dpo-kd-phi2", "dpo-kd-online", "tiny"):
        assert main(["explain", str(EXAMPLES / f"{example}.yaml")]) == SUCCEEDED
        asked[example] = [line for line in capsys.readouterr().out.splitlines() if ": asks " in line]
    large = "large at https://api.example.com/v1"
    assert asked["zephyr-7b-teachers"][0] == f"distill: asks {large}; at most a cost of 1,200"
    assert asked["zephyr-7b-teachers"][1].endswith("largest at https://api.example.com/v1; at most 1,000,000,000 tokens")
    assert asked["dpo-kd-phi2"] == [f"distill: asks {large}; at most a cost of 20"]
    assert asked["dpo-kd-online"] == ["distill: asks teacher at http://teacher.models.svc:8000/v1; nothing limits how much"]
    assert asked["tiny"] == []


@pytest.mark.parametrize(
    ("micro", "line"),
    [
        (2, "dpo: 32 examples per step = 16 processes x 2 per forward x 1 accumulated"),
        (3, "dpo: 32 pairs per step over 16 processes, at most 3 per forward"),
    ],
)
def test_explain_does_not_promise_packing_for_a_family_without_it(
    micro: int, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = yaml.safe_load((EXAMPLES / "zephyr-7b.yaml").read_text(encoding="utf-8"))
    stages = [{"name": "sft", "sft": {"packing": False}}, {"name": "dpo", "dpo": {}, "compute": {"microBatchSize": micro}}]
    job["spec"] |= {"model": {"uri": "hf://bigscience/bloom-560m"}, "stages": stages}
    file = tmp_path / "job.yaml"
    file.write_text(yaml.safe_dump(job), encoding="utf-8")
    main(["explain", str(file)])
    assert line in capsys.readouterr().out


@pytest.mark.parametrize(
    ("example", "expected"),
    [
        ("zephyr-7b", ["sft: needs about 13.5 of the 80.0 GiB of NVIDIA-A100-SXM4-80GB"]),
        ("tiny", []),
    ],
    ids=["on GPUs", "on CPUs"],
)
def test_explain_prints_the_memory_needed_on_each_gpu(
    example: str, expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", str(EXAMPLES / f"{example}.yaml")]) == SUCCEEDED
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "GiB of NVIDIA" in line or line.startswith("memory")][:1] == expected


def test_explain_says_that_the_size_of_a_model_is_unknown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(a_document(model={"uri": "hf://team/large"}, compute={"nodes": 1, "gpusPerNode": 8})))
    assert main(["explain", str(path)]) == SUCCEEDED
    assert (
        "memory: unknown, because the size of the model is unknown: hf://team/large is not among the models"
        in capsys.readouterr().out
    )


def test_validate_refuses_stages_that_cannot_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "job.yaml"
    spec = {"recipe": "zephyr-handbook", "compute": {"sharding": "None"}, "storage": {"claimName": "workspace"}}
    path.write_text(yaml.safe_dump({**a_document(), "spec": spec}))
    assert main(["validate", str(path)]) == REFUSED
    sft, dpo = capsys.readouterr().err.splitlines()
    assert sft.startswith(f"error: {path}: spec.stages[0].compute: sft needs about ")
    assert dpo.startswith(f"error: {path}: spec.stages[1].compute: dpo needs about ")


def test_render_prints_the_objects_of_every_stage(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", str(file)]) == SUCCEEDED
    text = capsys.readouterr().out
    kinds = [(document["kind"], document["metadata"]["name"][:9]) for document in yaml.safe_load_all(text)]
    assert kinds == [
        ("ConfigMap", "job-sft-1"),
        ("PyTorchJob", "job-sft-1"),
        ("ConfigMap", "job-dpo-1"),
        ("PyTorchJob", "job-dpo-1"),
    ]
    assert "&id" not in text


def test_sync_ships_the_points_that_a_local_job_left(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    home = Home(tmp_path)
    cluster = LocalCluster(home)
    job = cluster.apply(read_job(read_document(EXAMPLES / "tiny.yaml")))
    spec = runnable_job(job).spec
    stage = (spec.stages or [])[0]
    companion, _ = process.render(fresh_run(job, spec, stage), local_settings(cluster))
    folder = cluster.stage_path(job, stage.name)
    folder.mkdir(parents=True)
    (folder / RUN_CONFIG_FILE).write_text(companion["data"][RUN_CONFIG_FILE])
    lines = [json.dumps({"time": step, "step": step, "metrics": {metrics.LOSS: 1 / step}}) for step in range(1, 4)]
    (folder / METRICS_FILE).write_text("\n".join(lines) + "\n")

    assert main(["sync", "--home", str(tmp_path), "another"]) == REFUSED
    assert "has no job another" in capfd.readouterr().err
    for printed in (f"{folder}: everything has arrived\n", ""):
        assert main(["sync", "--home", str(tmp_path), job.metadata.name]) == SUCCEEDED
        assert capfd.readouterr().out == printed
    client = MlflowClient(home.tracking_uri)
    found = client.search_runs([known.experiment_id for known in client.search_experiments()])
    (run,) = [known for known in found if metrics.STAGE_TAG in known.data.tags]
    assert [(point.step, point.timestamp) for point in client.get_metric_history(run.info.run_id, metrics.LOSS)] == [
        (1, 1),
        (2, 2),
        (3, 3),
    ]


@pytest.mark.parametrize(
    ("exit_code", "reason", "code"),
    [
        (65, "BadData", 65),
        (78, "BadConfiguration", 78),
        (70, "Diverged", 70),
        (70, "Defect", FAILED),
        (137, "Killed", FAILED),
        (None, "", FAILED),
    ],
)
def test_run_returns_the_trainers_exit_code_if_a_retry_would_fail_in_the_same_way(
    exit_code: int | None, reason: str, code: int
) -> None:
    assert failure_code(a_child(a_job(), "sft", "Failed", exit_code=exit_code, reason=reason)) == code


@pytest.mark.parametrize(
    ("output", "label"), [("default/tiny-0/dpo/model", "model"), ("default/tiny-0/distill", "output")], ids=["model", "rows"]
)
def test_run_names_what_the_last_stage_wrote(tmp_path: Path, output: str, label: str) -> None:
    words = result_line(Home(tmp_path), f"workspace://{output}").split()
    assert words == [label, str(tmp_path / "workspace" / output)]


def test_sync_has_nothing_to_do_without_jobs(tmp_path: Path) -> None:
    assert main(["sync", "--home", str(tmp_path)]) == SUCCEEDED


def test_recipes_are_listed_and_printed_with_their_origins(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes"]) == SUCCEEDED
    assert "zephyr-paper" in capsys.readouterr().out
    assert main(["recipes", "zephyr-paper"]) == SUCCEEDED
    assert "# paper: 0.1" in capsys.readouterr().out
    assert main(["recipes", "nope"]) == REFUSED
    assert "'nope' is not a recipe" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["recipes"], ["explain", str(EXAMPLES / "tiny.yaml")]], ids=["print", "rich"])
def test_a_reader_that_ends_early_is_no_error(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "alignment_operator.cli", *arguments],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (UNREAD, "")


def test_wrong_settings_of_the_environment_are_refused_before_anything_is_stored(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ALIGNMENT_HEALTH_PORT", "http")
    for arguments in (["run", "--home", str(tmp_path / "home"), str(file)], ["render", str(file)]):
        assert main(arguments) == REFUSED
        assert capsys.readouterr().err == "error: ALIGNMENT_HEALTH_PORT must be a whole number; correct it\n"
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "it is not complete JSON"),
        ("[]", "the document: is not an AlignmentJob; begin with apiVersion, kind, metadata and spec"),
        (json.dumps({**a_document(), "metadata": {"name": 7}}), 'metadata.name: 7 is not text; write "7", in quotes'),
        (json.dumps(a_document(zzz=1)), "spec.zzz: is not a field; there are "),
    ],
)
def test_a_stored_job_that_cannot_be_read_is_named(
    text: str, why: str, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = Home(tmp_path).job_folder("default", "job") / "job.json"
    stored.parent.mkdir(parents=True)
    stored.write_text(text)
    for arguments in (["run", str(file)], ["sync"]):
        assert main([*arguments, "--home", str(tmp_path)]) == REFUSED
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"error: {stored}: this version cannot read this stored job ({why}")
        assert line.endswith("or move the file away to start the job anew")


def test_run_refuses_before_anything_is_stored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, home = tmp_path / "job.yaml", tmp_path / "home"
    path.write_text("kind: AlignmentJob\nkind: Pod\n")
    assert main(["run", "--home", str(home), str(path)]) == REFUSED
    assert capsys.readouterr().err == f"error: {path}:2: 'kind' is set twice; correct the line\n"
    assert not home.exists()


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"compute": {"nodes": 2, "gpus": 0}}, "spec.compute.gpus: is not a field; did you mean gpusPerNode?"),
        (
            {"stages": [{"name": "sft", "sft": a_training()}, {"name": "dpo", "model": {"stage": "sfd"}, "dpo": a_training()}]},
            "spec.stages[1].model.stage: 'sfd' is not an earlier stage; name one of sft",
        ),
        (
            {"compute": {"nodes": 3, "gpusPerNode": 0}, "stages": [{"name": "sft", "sft": a_training()}]},
            "spec.stages[0].sft.optimization.globalBatchSize: 8 cannot be divided among 3 processes with micro-batches of 1: "
            "it must be a multiple of 3; the nearest possible values are 6 or 9",
        ),
    ],
    ids=["unknown field", "typo in a reference", "batch that does not divide"],
)
def test_run_ends_before_any_training_with_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spec: dict[str, Any], sentence: str
) -> None:
    path, home = tmp_path / "job.yaml", tmp_path / "home"
    path.write_text(yaml.safe_dump(a_document(**spec)))
    assert main(["run", "--home", str(home), str(path)]) == REFUSED
    assert capsys.readouterr().err == f"error: {sentence}\n"
    assert not home.exists()


WITH_COLUMNS = {"uri": "workspace://data/fragen & antworten.jsonl", "columns": {"prompt": "frage", "answer": "antwort.text"}}


@pytest.fixture
def mapped_job(workspace: Path, tmp_path: Path) -> Path:
    """A job whose rows have columns of their own, in a home with the tiny model."""
    (tmp_path / "workspace/data").mkdir(parents=True)
    (tmp_path / "workspace/inputs").symlink_to(workspace / "inputs")
    rows = [{"frage": "Wer grunzt?", "antwort": {"text": "Das Schwein."}, "nr": 1}] * 3
    (tmp_path / "workspace/data/fragen & antworten.jsonl").write_text("\n".join(map(json.dumps, rows)))
    document = read_document(EXAMPLES / "tiny.yaml")
    document["spec"]["stages"][0]["sft"]["datasets"] = [WITH_COLUMNS]
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def test_validate_with_data_says_how_rows_are_read(mapped_job: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["validate", "--data", "--home", str(mapped_job.parent), str(mapped_job)]
    assert main(arguments) == SUCCEEDED
    first, _, last = capfd.readouterr().out.splitlines()
    source = WITH_COLUMNS["uri"]
    counts = f"3 rows of {source}: 3 columns, read as messages; not read: nr"
    assert first == f"{mapped_job}: spec.stages[0].sft.datasets[0].uri: {counts}"
    assert last == f"{mapped_job}: valid"
    with (mapped_job.parent / "workspace/data/fragen & antworten.jsonl").open("a") as rows:
        rows.write('\n{"frage": "Wer?"}')
    assert main(arguments) == REFUSED
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines() == [
        f"error: {mapped_job}: data/fragen & antworten.jsonl:4: has no antwort.text, which columns.answer names, but has frage; "
        "correct columns or the row (spec.stages[0].sft.datasets[0].uri)"
    ]


def test_show_data_shows_the_rows_of_one_stage_as_it_reads_them(mapped_job: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with (mapped_job.parent / "workspace/data/fragen & antworten.jsonl").open("a") as rows:
        rows.write("\n{}")
    known = [*mapped_job.parent.rglob("*")]
    arguments = ["show-data", "--home", str(mapped_job.parent), str(mapped_job), "--stage", "sft", "-n", "4"]
    assert main(arguments) == REFUSED
    out, err = capfd.readouterr()
    tokens = re.search(r"text: (\d+) tokens, (\d+) of them learned", out)
    assert tokens and 3 < int(tokens[2]) < int(tokens[1])
    assert out.replace(tokens[0], "text").splitlines()[:9] == [
        f"sft: spec.stages[0].sft.datasets[0]: {WITH_COLUMNS['uri']}",
        "data/fragen & antworten.jsonl:1  form: columns, read as messages; ignored: nr",
        "  user: Wer grunzt?",
        "  assistant: Das Schwein.",
        "  text",
        "    <s><|user|>",
        "    Wer grunzt?</s>",
        "    <|assistant|>",
        "    ⟦Das Schwein.</s>⟧⏎",
    ]
    assert err.startswith("error: data/fragen & antworten.jsonl:4: has no frage, which columns.prompt names, but has nothing;")
    assert [*mapped_job.parent.rglob("*")] == known, "showing rows writes nothing"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--stage", "stf"], "error: --stage: 'stf' is not a stage of this job; name one of sft, dpo\n"),
        (["-n", "0"], "argument -n: '0' must be a whole number from 1 to 1000\n"),
        (["--home", "/nowhere"], "error: spec.model.uri: workspace://base is not a folder on the workspace volume; copy the"),
    ],
)
def test_show_data_refuses_in_a_sentence(
    file: Path, arguments: list[str], sentence: str, capfd: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(["show-data", str(file), *arguments])
    except SystemExit as refused:
        code = int(refused.code or 0)
    assert code == REFUSED
    assert sentence in capfd.readouterr().err
