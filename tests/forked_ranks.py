"""Runs the ranks of a stage as forks of one process that has loaded torch and TRL, so that they need not load them each time."""

import multiprocessing
import os
import runpy
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from alignment_trainer.process.outcome import OUTCOMES_VARIABLE, RankFailure, record_failures
from alignment_trainer.supervisor import CONFIG_VARIABLE
from ports import free_port

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["loaded_ranks", "fork_nursery"])
# Torch, its accelerators and the tokenizers read these while they are imported, before a rank can set them.
_BEFORE_IMPORT = {"DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
# The process that forks does not get pytest's search path.
_BEFORE_IMPORT["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])


Watch = Callable[[list[int]], None]
"""Is called now and then with the process IDs of the ranks, while they run."""


def run_ranks(
    config_path: Path,
    world_size: int,
    outcomes: Path,
    log: Path,
    seconds: float,
    watch: Watch | None = None,
    nodes: int = 1,
    before: str = "",
) -> int:
    """Run the ranks to their end, write down which failed as the launcher does, and return the launcher's exit code.

    Each rank first runs the program `before`, which may count the calls of functions.
    """
    port = free_port()
    files = {CONFIG_VARIABLE: str(config_path), OUTCOMES_VARIABLE: str(outcomes)}
    places = [place(rank, world_size, port, nodes) for rank in range(world_size)]
    ranks = [_start(_rank, (before,), {**files, **of_rank}, log) for of_rank in places]
    codes = _wait(ranks, seconds, watch)
    failures = [RankFailure(rank, code) for rank, code in enumerate(codes) if code]
    record_failures(outcomes, failures)
    return 1 if failures else 0


def run_program(program: str, arguments: tuple[Any, ...], environment: dict[str, str], log: Path, seconds: float) -> int:
    """Run a program in a fork, and return its exit code."""
    return _wait([_start(_program, (program, arguments), environment, log)], seconds)[0]


def place(rank: int, world_size: int, port: int, nodes: int = 1) -> dict[str, str]:
    """Return the variables that tell a rank which one it is, as if on one of several machines, and where all ranks meet."""
    of_node = world_size // nodes
    places = {
        "RANK": rank,
        "LOCAL_RANK": rank % of_node,
        "WORLD_SIZE": world_size,
        "LOCAL_WORLD_SIZE": of_node,
        "MASTER_PORT": port,
    }
    return {"MASTER_ADDR": "127.0.0.1", **{name: str(value) for name, value in places.items()}}


def _start(target: Callable[..., None], arguments: tuple[Any, ...], environment: dict[str, str], log: Path) -> BaseProcess:
    return start_fork(_surrounded, (environment, log, target, arguments))


def start_fork(target: Callable[..., None], arguments: tuple[Any, ...]) -> BaseProcess:
    """Call a function in a fork of the process that has loaded everything."""
    # FAST skips a test where an audit event says that it starts a process; the forkserver of multiprocessing causes none.
    sys.audit("os.fork")
    process = _context.Process(target=target, args=arguments)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _BEFORE_IMPORT.items():
            patch.setenv(name, value)
        process.start()
    return process


def _surrounded(environment: dict[str, str], log: Path, target: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for standard in (1, 2):
        os.dup2(output, standard)
    os.environ.update(environment)
    from alignment_trainer.asking import answering

    # Each token of an answer costs a forward pass each time that a policy is asked; real attempts generate all of them.
    answering.NEW_TOKENS = 4
    target(*arguments)


def _rank(before: str) -> None:
    os.environ["ALIGNMENT_LAUNCHER_PID"] = str(os.getppid())
    exec(before, {"__name__": "before"})
    runpy.run_module("alignment_trainer.rank", run_name="__main__", alter_sys=True)


def _program(program: str, arguments: tuple[Any, ...]) -> None:
    exec(program, {"__name__": "__main__", "ARGUMENTS": arguments})


def _wait(processes: list[BaseProcess], seconds: float, watch: Watch | None = None) -> list[int]:
    try:
        while watch and all(process.is_alive() for process in processes):
            watch([int(process.pid or 0) for process in processes])
            processes[0].join(0.02)
        for process in processes:
            process.join(seconds)
        codes = [process.exitcode for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert None not in codes, f"after {seconds} seconds a process has not ended: {codes}"
    return [int(code or 0) for code in codes]
