"""Maps a function over items in several worker processes; results come in the order of the items."""

import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any, TypeVar

from alignment_trainer.failures import WorkerLost
from alignment_trainer.process.lifeline import die_with

Item = TypeVar("Item")
Result = TypeVar("Result")

_MOST_PROCESSES = 16
_ITEMS_AT_ONCE = 32
_WAITING_PER_PROCESS = 4
"""Chunks that are read ahead per process: enough to keep it busy, few enough to fit into memory."""

_work: Callable[[Any], Any]


def worker_count() -> int:
    """Return how many worker processes to use; forking after libraries are loaded is safe only on Linux."""
    return min(_MOST_PROCESSES, len(os.sched_getaffinity(0))) if sys.platform == "linux" else 1


def parallel_map(
    work: Callable[[Item], Result], items: Iterable[Item], processes: int, at_once: int = _ITEMS_AT_ONCE
) -> Generator[Result, None, None]:
    """Yield the result of `work` for each item; the first failure is raised and ends all workers."""
    if processes <= 1:
        yield from map(work, items)
        return
    executor = ProcessPoolExecutor(
        processes,
        # A fork: it need not copy the tokenizer and the index that the work uses.
        mp_context=multiprocessing.get_context("fork"),
        initializer=_begin,
        initargs=(work, os.getpid()),
    )
    others, is_complete = set(multiprocessing.active_children()), False
    try:
        yield from _results(executor, _chunks(items, at_once), processes * _WAITING_PER_PROCESS)
        is_complete = True
    except BrokenProcessPool as error:
        message = "a worker process that prepares rows was killed, often because memory ran out; raise compute.memory"
        raise WorkerLost(message) from error
    finally:
        if not is_complete:
            # The remaining results are not needed, and one chunk may take minutes.
            for worker in set(multiprocessing.active_children()) - others:
                worker.terminate()
        executor.shutdown(cancel_futures=True)


def _results(executor: ProcessPoolExecutor, chunks: Iterable[list[Any]], most_waiting: int) -> Iterator[Any]:
    waiting: deque[Future[list[Any]]] = deque()
    for chunk in chunks:
        waiting.append(executor.submit(_do, chunk))
        if len(waiting) >= most_waiting:
            yield from waiting.popleft().result()
    while waiting:
        yield from waiting.popleft().result()


def _chunks(items: Iterable[Item], at_once: int) -> Iterator[list[Item]]:
    remaining = iter(items)
    while chunk := list(islice(remaining, at_once)):
        yield chunk


def _begin(work: Callable[[Any], Any], parent: int) -> None:
    """Prepare a forked process as a worker, which ends with its parent and at once on SIGTERM."""
    global _work
    _work = work
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with(parent)


def _do(chunk: list[Any]) -> list[Any]:
    return [_work(item) for item in chunk]
