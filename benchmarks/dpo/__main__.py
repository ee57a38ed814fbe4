"""Compares DPO on packed pairs with TRL's own trainer: first equal losses, then pairs per second, CPU time and memory.

`python benchmarks/dpo` prints markdown; --write puts it into docs/benchmarks.md. Each configuration is a complete trainer in its
own process; the processes take turns, one training step each, all on the same pairs. `--device cuda --size 1b` measures a GPU,
where the processes run one after another.
"""

import argparse
import math
import multiprocessing
import os
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from pairs import SHAPES, SIZES
from report import Measured, page, ratio_lines, write_section
from sides import COMPARED, PRELOAD, Case, Figures, Side, work

DOCUMENT = Path(__file__).parents[2] / "docs" / "benchmarks.md"
# Relative, per step: TRL sums log-probabilities of thousands in 32 bit; this alone differs from 64 bit by that much.
TOLERANCES = {"cpu": 5e-5, "cuda": 2e-2}
GRADIENT_TOLERANCES = {"cpu": 1e-3, "cuda": 1e-1}
FIRST_LOSS_TOLERANCES = {"cpu": 1e-5, "cuda": 1e-2}
MICRO_BATCHES = (1, 2, 4, 8)
HANDBOOK_MICRO_BATCH = 8


class Running:
    """A trainer in its own process, and the figures of its steps so far."""

    def __init__(self, case: Case, side: Side) -> None:
        self.case, self.side = case, side
        self.figures: list[Figures] = []
        self.fits = True
        # CUDA does not work in a fork of a process that has used CUDA.
        method = multiprocessing.get_context("spawn") if case.device == "cuda" else multiprocessing.get_context("forkserver")
        self._connection, theirs = method.Pipe()
        self._process = method.Process(target=work, args=(case, side, theirs), daemon=True)
        self._theirs = theirs

    def advance(self) -> None:
        """Take a step; on a GPU take all steps, because only one trainer fits into its memory at a time."""
        if self.case.device == "cpu":
            self._step()
            return
        while self.fits and len(self.figures) < self.case.steps:
            self._step()
        self.close()

    def close(self) -> None:
        """End the process."""
        if self._process.pid is not None:
            self._process.terminate()
            self._process.join()

    def seconds(self, clock: str) -> float:
        """Return the median time of a step so far, without the slow first step."""
        return statistics.median(figures[clock] for figures in self.figures[1:] or self.figures) if self.fits else math.inf

    def _step(self) -> None:
        if self._process.pid is None:
            self._process.start()
            self._theirs.close()
        try:
            self._connection.send("step")
            figures = self._connection.recv()
        except (EOFError, ConnectionError):
            raise SystemExit(f"error: the process of “{self.side.name}” has ended") from None
        self.fits = figures is not None
        self.figures += [figures] if figures else []


def measure(case: Case, our_micro_batch: int) -> Measured:
    """Choose TRL's best micro-batch after two steps; the remaining sides take the other steps in turn."""
    clock = "cpu" if case.device == "cpu" else "wall"
    ours = Running(case, Side("ours", our_micro_batch, is_ours=True))
    candidates = [each for each in MICRO_BATCHES if case.pairs_per_step % each == 0]
    sweep = {each: Running(case, Side(f"TRL, micro-batch {each}", each)) for each in candidates}
    for _ in range(2):
        take_turns([ours, *sweep.values()], ours)
    swept = {micro_batch: run.seconds(clock) for micro_batch, run in sweep.items()}
    best = min(swept, key=swept.__getitem__)
    for micro_batch in set(sweep) - {best, HANDBOOK_MICRO_BATCH}:
        sweep[micro_batch].close()
    further = {"cached": Running(case, Side(f"TRL, {best}, cached reference", best, cached=True))}
    if case.device == "cpu":
        further["compact"] = Running(case, Side(f"TRL, {best}, only answers projected", best, compact=True))
    for _ in range(2):
        take_turns(list(further.values()), ours)
    runs = {"ours": ours, "default": sweep[HANDBOOK_MICRO_BATCH], "best": sweep[best], **further}
    for _ in range(2, case.steps):
        take_turns(list(dict.fromkeys(runs.values())), ours)
    for run in runs.values():
        run.close()
    sides = {name: run.side for name, run in runs.items()}
    return Measured(case, sides, {name: run.figures[1:] for name, run in runs.items()}, swept)


def take_turns(runs: Sequence[Running], ours: Running) -> None:
    """Let each side take a step, and stop if losses differ: timings of different computations cannot be compared."""
    for run in runs:
        run.advance()
        case = run.case
        print(f"{case.shape}, {case.vocabulary}: {run.side.name}, step {len(run.figures)}", file=sys.stderr, flush=True)
        # `not <=` instead of `>`, so that NaN fails too.
        if run.figures and not abs(run.figures[0]["loss"] - math.log(2)) <= FIRST_LOSS_TOLERANCES[case.device]:
            raise SystemExit(f"error: the first loss of “{run.side.name}” is {run.figures[0]['loss']}, not ln 2")
        compare(case, ours, run)


def compare(case: Case, ours: Running, theirs: Running) -> None:
    """Stop if the two sides computed different numbers in the same step."""
    for step, (mine, other) in enumerate(zip(ours.figures, theirs.figures, strict=False)):
        for name in COMPARED:
            most = (GRADIENT_TOLERANCES if name == "grad_norm" else TOLERANCES)[case.device]
            if not abs(mine[name] - other[name]) <= most * abs(mine[name]):
                raise SystemExit(
                    f"error: in step {step} {name} is {mine[name]} here and {other[name]} with “{theirs.side.name}”, "
                    f"so the timings cannot be compared"
                )


def cases(options: argparse.Namespace) -> list[Case]:
    return [
        Case(
            shape=shape,
            vocabulary=vocabulary,
            size=options.size,
            device=options.device,
            # The first step warms up.
            steps=1 + options.repeats,
            pairs_per_step=options.pairs_per_step,
            max_length=options.max_length,
            learning_rate=options.learning_rate,
            gradient_checkpointing=options.gradient_checkpointing,
            threads=options.threads,
            seed=42,
        )
        for vocabulary in options.vocabularies
        for shape in options.shapes
    ]


class _Help(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    """Shows the defaults, and the description without reformatting it."""


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/dpo", description=__doc__, formatter_class=_Help)
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES), choices=SHAPES, metavar="SHAPE", help="how long pairs are")
    parser.add_argument("--vocabularies", nargs="+", type=int, default=[8192, 32768], help="vocabulary sizes of the models")
    parser.add_argument("--size", default="small", choices=SIZES, help="size of the model")
    parser.add_argument(
        "--device", default="cpu", choices=["cpu", "cuda"], help="on a GPU, weights and AdamW are in bfloat16 too"
    )
    parser.add_argument("--repeats", type=int, default=5, help="timed steps, each on different pairs")
    parser.add_argument("--pairs-per-step", type=int, default=8, help="a multiple of 8")
    parser.add_argument("--our-micro-batch", type=int, help="the number of full-length pairs that fit into one row of ours")
    parser.add_argument("--max-length", type=int, default=1024, help="prompt and answer are cut at this many tokens")
    parser.add_argument("--learning-rate", type=float, default=1e-5, help="constant, the same on all sides")
    parser.add_argument("--gradient-checkpointing", action="store_true", help="on both sides")
    parser.add_argument("--threads", type=int, default=2, help="threads of each process on a CPU")
    parser.add_argument("--quick", action="store_true", help="smoke test: a tiny model and short pairs; overrides other options")
    parser.add_argument("--write", action="store_true", help="replace the whole section in docs/benchmarks.md, after each case")
    options = parser.parse_args()
    if options.pairs_per_step % HANDBOOK_MICRO_BATCH:
        parser.error(f"--pairs-per-step must be a multiple of {HANDBOOK_MICRO_BATCH}")
    if options.quick and options.write:
        parser.error("--quick measures nothing worth keeping: omit --write")
    if options.quick:
        options.shapes, options.vocabularies, options.size = ["UltraFeedback-like"], [512], "tiny"
        options.max_length, options.repeats = 256, 2
    options.our_micro_batch = options.our_micro_batch or (1 if options.device == "cpu" else HANDBOOK_MICRO_BATCH)
    return options


def main() -> None:
    options = read_options()
    quiet = {
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "TQDM_DISABLE": "1",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    }
    # Idle threads must sleep: busy waiting would count as CPU time.
    os.environ.update(quiet, OMP_NUM_THREADS=str(options.threads), OMP_WAIT_POLICY="passive")
    if options.device == "cpu":
        os.environ["DS_ACCELERATOR"] = "cpu"
    multiprocessing.get_context("forkserver").set_forkserver_preload(PRELOAD)
    measured: list[Measured] = []
    for case in cases(options):
        measured.append(measure(case, options.our_micro_batch))
        # A run takes hours: save each case when it is done.
        if options.write:
            write_section(DOCUMENT, page(measured, sys.argv[1:]))
        print("\n".join(ratio_lines(measured[-1])), file=sys.stderr, flush=True)
    print(page(measured, sys.argv[1:]))


if __name__ == "__main__":
    main()
