"""Measures a tiny model in the same benchmarks with this trainer and with lm-eval's own command, and prints figures as JSON.

`python -P benchmarks/evaluate.py > figures.json` (-P prevents Python from importing operator.py of this folder instead of the
standard library's `operator`). Both read the same local rows with the network off, with one thread a process, in 32 bit, and at
most 64 requests at once. The clock runs from loaded rows to scores: not while Python starts, nor while lm-eval scans its 14,000
files. Scores have to be equal, or it ends with an error. lm-eval runs with one process: without several GPUs each of its own
would measure all rows.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from alignment_trainer.official_tasks.members import Task, benchmark_of

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from benchmark_rows import write_benchmark
from evaluated_jobs import exam_config
from ports import free_port

EXAMPLES = {"arc_challenge": 3, "winogrande": 3, "wikitext": None}
MOST_ROWS = "64"
TIMES = {"arc_challenge": 12, "winogrande": 36, "wikitext": 10}
QUIET = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}


def main() -> None:
    arguments = parsed()
    if arguments.child:
        {"ours": ours, "lm-eval": lm_eval}[arguments.child](Path(arguments.root), Path(arguments.out))
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        prepare(root)
        rounds = [measured(root / str(number), root) for number in range(arguments.rounds)]
    found = {way: {key: statistics.median(one[way][key] for one in rounds) for key in ("seconds", "calls")} for way in rounds[0]}
    for one in rounds:
        check_equal(one)
    rows = sum(rounds[0]["one"]["rows"].values())
    print(
        json.dumps(
            {
                "rows": rows,
                "rows_per_second": {way: round(rows / values["seconds"], 1) for way, values in found.items()},
                "model_calls": {way: values["calls"] for way, values in found.items()},
                "one_against_lm_eval": round(found["lm-eval"]["seconds"] / found["one"]["seconds"], 2),
                "two_against_one": round(found["one"]["seconds"] / found["two"]["seconds"], 2),
                "scores": rounds[0]["one"]["scores"],
            },
            indent=2,
        )
    )


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", choices=("ours", "lm-eval"), help=argparse.SUPPRESS)
    parser.add_argument("--root", help=argparse.SUPPRESS)
    parser.add_argument("--out", help=argparse.SUPPRESS)
    return parser.parse_args()


def prepare(root: Path) -> None:
    """Write the model, the rows, and the files by which lm-eval reads them."""
    make = Path(__file__).parents[1] / "examples/make_tiny.py"
    subprocess.run([sys.executable, make, "--workspace", root], check=True, stdout=subprocess.DEVNULL)
    (root / "official").mkdir()
    for name, examples in EXAMPLES.items():
        files = write_benchmark(root / "benchmarks" / name, name, TIMES[name])
        task = benchmark_of(name)
        assert isinstance(task, Task)
        splits = {path.stem: str(path) for path in files.iterdir()}
        fields = ("training_split", "validation_split", "test_split")
        settings = {
            "include": str(task.file),
            "task": name,
            **{field: None for field in fields if task.settings.get(field) not in splits},
            **({} if examples is None else {"num_fewshot": examples}),
            "dataset_path": "json",
            "dataset_name": None,
            "dataset_kwargs": {"data_files": splits},
        }
        (root / "official" / f"{name}.yaml").write_text(yaml.safe_dump(settings))


def measured(out: Path, root: Path) -> dict[str, Any]:
    """Measure once in each way, one after the other."""
    out.mkdir()
    return {
        "lm-eval": child("lm-eval", root, out, 1),
        "one": child("ours", root, out / "one", 1),
        "two": child("ours", root, out / "two", 2),
    }


def child(way: str, root: Path, out: Path, processes: int) -> dict[str, Any]:
    out.mkdir(exist_ok=True)
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(processes)}
    program = [sys.executable, "-P", __file__, "--child", way, "--root", root, "--out", out]
    environment = {**os.environ, **QUIET, "HF_HOME": str(root / "huggingface")}
    running = [
        subprocess.Popen(
            program,
            env={**environment, **({**meeting, "RANK": str(rank), "LOCAL_RANK": str(rank)} if processes > 1 else {})},
            stdout=subprocess.DEVNULL,
            stderr=(out / f"{way}-{rank}.log").open("w"),
        )
        for rank in range(processes)
    ]
    for process in running:
        if process.wait():
            raise SystemExit(f"{way} failed; {out}: {''.join(log.read_text()[-3000:] for log in out.glob('*.log'))}")
    found = [json.loads((out / f"{way}-{rank}.json").read_text()) for rank in range(processes)]
    return {**found[0], "calls": sum(one["calls"] for one in found)}


def ours(root: Path, out: Path) -> None:
    from accelerate import PartialState
    from alignment_trainer.evaluation.candidates import candidate_of
    from alignment_trainer.evaluation.estimates import estimated
    from alignment_trainer.evaluation.measure import measure_of
    from alignment_trainer.evaluation.row_file import RowFile
    from alignment_trainer.evaluation.subject import load_subject
    from alignment_trainer.evaluation.tasks import open_tasks
    from alignment_trainer.settings.evaluation import evaluation_settings

    state = PartialState(cpu=True)
    tasks = [
        {
            "name": name,
            "benchmark": name,
            "dataset": {"uri": f"workspace://benchmarks/{name}"},
            **({"fewShot": shown} if shown else {}),
        }
        for name, shown in EXAMPLES.items()
    ]
    config = exam_config(root, tasks, models=[{"base": True}])
    config.paths.stage = str(out / "stage")
    settings = evaluation_settings(config)
    subject = load_subject(config, candidate_of(config, settings.models[0]), settings)
    opened = open_tasks(config)
    calls = counted(subject.model)
    state.wait_for_everyone()
    begun = time.perf_counter()
    for task in opened:
        with RowFile(task.stage, task.name, "base") as file:
            measure_of(task).measure(subject, task, file)
            file.await_all([row.place for row in task.rows])
    seconds = time.perf_counter() - begun
    rows = {task.name: RowFile(task.stage, task.name, "base").read() for task in opened}
    scores = {
        f"{task.name} {metric.name}": estimated(metric, rows[task.name]).value
        for task in opened
        for metric in measure_of(task).metrics(task)
    }
    found = {"seconds": seconds, "calls": calls[0], "scores": scores, "rows": {name: len(each) for name, each in rows.items()}}
    (out / f"ours-{state.process_index}.json").write_text(json.dumps(found))


def lm_eval(root: Path, out: Path) -> None:
    """Run lm-eval's own command in this process, with a clock and a counter."""
    import lm_eval.evaluator
    from lm_eval.__main__ import cli_evaluate

    found: dict[str, Any] = {}
    evaluate = lm_eval.evaluator.evaluate

    def timed(*given: Any, **more: Any) -> Any:
        calls = counted(more["lm"].model)
        begun = time.perf_counter()
        results = evaluate(*given, **more)
        found.update(seconds=time.perf_counter() - begun, calls=calls[0])
        return results

    lm_eval.evaluator.evaluate = timed
    model = f"pretrained={root / 'inputs/tiny/model'},dtype=float32,softmax_dtype=float32"
    sys.argv = [
        *(
            "lm_eval",
            "--model",
            "hf",
            "--model_args",
            model,
            "--tasks",
            ",".join(EXAMPLES),
            "--include_path",
            str(root / "official"),
        ),
        *("--batch_size", MOST_ROWS, "--device", "cpu", "--output_path", str(out / "results"), "--log_samples"),
    ]
    cli_evaluate()
    (file,) = (out / "results").rglob("results_*.json")
    results = json.loads(file.read_text())["results"]
    scores = {
        f"{name} {metric.removesuffix(',none')}": value
        for name, values in results.items()
        for metric, value in values.items()
        if metric.endswith(",none") and "stderr" not in metric
    }
    (out / "lm-eval-0.json").write_text(json.dumps({**found, "scores": scores}))


def counted(model: Any) -> list[int]:
    """Count the calls of a model."""
    calls = [0]
    model.register_forward_hook(lambda *_: calls.__setitem__(0, calls[0] + 1))
    return calls


def check_equal(found: dict[str, Any]) -> None:
    """Refuse figures of measurements that are not the same."""
    expected = found["lm-eval"]["scores"]
    for way in ("one", "two"):
        scores = found[way]["scores"]
        if scores.keys() != expected.keys() or any(
            abs(scores[key] / (expected[key] or 1) - bool(expected[key])) > 1e-5 for key in scores
        ):
            raise SystemExit(f"the scores of {way} differ from those of lm-eval: {scores}, {expected}")


if __name__ == "__main__":
    main()
