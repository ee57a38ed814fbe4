"""Explains a job: every value with its origin, the batches, and the memory that each stage needs."""

import argparse
import sys

from alignment_api.document import read_document
from alignment_api.home import Home
from alignment_api.memory.shape import UnknownShape
from alignment_api.resolving.validation import read_job, resolve_job
from alignment_api.resolving.warnings import spec_warnings
from alignment_api.spec.job import AlignmentJobSpec

from alignment_operator.commands.ending import SUCCEEDED, warn
from alignment_operator.machine.explanation import asking_lines, batch_lines, branch_lines, explanation
from alignment_operator.machine.memory_table import gpu_memory, lines_beside_training, memory_line, memory_table
from alignment_operator.machine.terminal import Printer


def explain(options: argparse.Namespace) -> int:
    """Print every value of the resolved job and where it came from."""
    resolved = resolve_job(read_job(read_document(options.file)))
    console = Printer(width=None if sys.stdout.isatty() else 200)
    console.print(explanation(resolved))
    for line in (*branch_lines(resolved.spec), *asking_lines(resolved.spec), *batch_lines(resolved.spec)):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    _explain_memory(resolved.spec, console)
    warn(map(str, spec_warnings(resolved.spec)))
    return SUCCEEDED


def _explain_memory(spec: AlignmentJobSpec, console: Printer) -> None:
    try:
        memories = gpu_memory(spec, Home.from_environment().workspace)
    except UnknownShape as error:
        console.print(f"memory: unknown, because the size of the model is unknown: {error}", highlight=False, markup=False)
        return
    if memories:
        console.print(memory_table(memories))
    for memory in memories:
        for line in (memory_line(memory), *lines_beside_training(memory)):
            console.print(line, highlight=False, markup=False)
