"""A program that measures benchmarks with the network off, by this trainer and by lm-eval itself: tests/benchmark_program.py.

It loads lm-eval once and forks for each measurement. Tests read what it writes to ROOT.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from accelerate import PartialState
from alignment_trainer.evaluation.benchmarks.loading import load_tasks
from alignment_trainer.evaluation.benchmarks.questions import questions_of, requests_of
from alignment_trainer.evaluation.candidates import candidate_of
from alignment_trainer.evaluation.measure import measure_of
from alignment_trainer.evaluation.row_file import RowFile
from alignment_trainer.evaluation.subject import load_subject
from alignment_trainer.evaluation.tasks import open_tasks
from alignment_trainer.official_tasks.members import Task, benchmark_of
from alignment_trainer.settings.evaluation import evaluation_settings
from benchmark_rows import write_benchmark
from evaluated_jobs import exam_config
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from ports import free_port

EXAMPLES = {
    "arc_challenge": 25,
    "hellaswag": 10,
    "truthfulqa_mc2": None,
    "mmlu_anatomy": 5,
    "winogrande": 5,
    "gsm8k": 5,
    "wikitext": None,
}
"""The official tasks, each with the worked examples that the leaderboard shows."""
MEASURED = ("arc_challenge", "gsm8k", "wikitext")
"""Those that are also asked, by one process and by two; one of each kind of request."""
PLACES = {"one": ((0, 0),), "two": ((0, 0), (1, 1)), "nodes": ((0, 0), (1, 0))}
"""The rank and the local rank of each process; on two nodes both are the first of their node."""
KILLED, KILLED_AFTER = "killed", 9


def main(root: Path) -> None:
    """Write prompts.json, official.json, and for each way of measuring its rows and model calls."""
    for name in EXAMPLES:
        write_benchmark(root / "benchmarks" / name, name)
    (root / "prompts.json").write_text(json.dumps({name: _prompts(root, name) for name in EXAMPLES}))
    _in_fork(lambda: (root / "official.json").write_text(json.dumps(_official(root), default=float)))
    for way, places in PLACES.items():
        port = str(free_port())
        _wait([_fork(partial(_measure, root, way, place, len(places), port)) for place in places])
    _wait([_fork(partial(_measure, root, KILLED, (0, 0), 1, "", KILLED_AFTER))], signal.SIGKILL)
    _in_fork(partial(_measure, root, KILLED, (0, 0), 1, ""))


def _prompts(root: Path, name: str) -> dict[str, list[Any]]:
    benchmark = benchmark_of(name, EXAMPLES[name])
    (task,) = load_tasks(benchmark, root / "benchmarks" / name, "spec").values()
    return {question.row: [request.args for request in requests_of(question)] for question in questions_of(task, None, "spec")}


def _official(root: Path) -> dict[str, Any]:
    """Return what lm-eval reports by itself: its own way to read files, to write prompts, to load and to ask the model."""
    written = root / "official"
    written.mkdir()
    for name, examples in EXAMPLES.items():
        (written / f"{name}.yaml").write_text(yaml.safe_dump(_settings(root, name, examples)))
    model = HFLM(pretrained=str(root / "inputs/tiny/model"), device="cpu", dtype="float32", batch_size=4)
    manager = TaskManager(include_path=written, include_defaults=False)
    found = simple_evaluate(model, tasks=list(EXAMPLES), task_manager=manager, bootstrap_iters=0)
    assert found is not None
    return {key: found[key] for key in ("results", "versions", "n-shot", "samples")}


def _settings(root: Path, name: str, examples: int | None) -> dict[str, Any]:
    task = benchmark_of(name)
    assert isinstance(task, Task)
    files = {path.stem: str(path) for path in (root / "benchmarks" / name).iterdir()}
    splits = ("training_split", "validation_split", "test_split")
    absent = {field: None for field in splits if task.settings.get(field) not in files}
    shown = {} if examples is None else {"num_fewshot": examples}
    data = {"dataset_path": "json", "dataset_name": None, "dataset_kwargs": {"data_files": files}}
    return {"include": str(task.file), "task": name, **absent, **data, **shown}


def _measure(root: Path, way: str, place: tuple[int, int], processes: int, port: str, killed_after: int = 0) -> None:
    """Measure the tasks as one process of a stage, and write how often it called the model."""
    rank, local_rank = place
    if processes > 1:
        meeting = {
            "RANK": rank,
            "LOCAL_RANK": local_rank,
            "WORLD_SIZE": processes,
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port,
        }
        os.environ.update({name: str(value) for name, value in meeting.items()})
    tasks = [
        {
            "name": name,
            "benchmark": name,
            "dataset": {"uri": f"workspace://benchmarks/{name}"},
            **({"fewShot": shown} if (shown := EXAMPLES[name]) is not None else {}),
        }
        for name in MEASURED
    ]
    config = exam_config(root, tasks, models=[{"base": True}])
    config.paths.stage = str(root / way)
    settings = evaluation_settings(config)
    PartialState(cpu=True)
    subject = load_subject(config, candidate_of(config, settings.models[0]), settings)
    calls = [0]
    subject.model.register_forward_hook(lambda *_: calls.__setitem__(0, calls[0] + 1))
    for task in open_tasks(config):
        with RowFile(task.stage, task.name, "base") as file, _killed(file, killed_after):
            measure_of(task).measure(subject, task, file)
            file.await_all([row.place for row in task.rows])
        (root / way / f"{task.name}.{rank}.calls").write_text(str(calls[0]))
        calls[0] = 0


@contextmanager
def _killed(file: RowFile, after: int) -> Iterator[None]:
    """Kill this process as soon as it has written so many rows."""
    append, written = file.append, [0]

    def counted(rows: Any) -> None:
        found = list(rows)
        append(found)
        written[0] += len(found)
        if after and written[0] >= after:
            os.kill(os.getpid(), signal.SIGKILL)

    file.append = counted  # type: ignore[method-assign]
    yield


def _in_fork(work: Callable[[], object]) -> None:
    _wait([_fork(work)])


def _fork(work: Callable[[], object]) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        raise
    finally:
        os._exit(code)


def _wait(children: list[int], signal_number: int = 0) -> None:
    for child in children:
        status = os.waitpid(child, 0)[1]
        assert status == signal_number, f"a process ended with {status}"


def _refuse_network(event: str, details: tuple[Any, ...]) -> None:
    """Refuse every connection that leaves this machine."""
    if event == "socket.connect" and isinstance(details[1], tuple) and details[1][0] not in ("127.0.0.1", "::1"):
        raise OSError(f"a test must not connect to {details[1]}")


if __name__ == "__main__":
    sys.addaudithook(_refuse_network)
    main(Path(sys.argv[1]))
