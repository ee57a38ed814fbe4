"""Writes the results as markdown: the setup, the ratios, the figures of every configuration, and the lengths of the pairs."""

import math
import os
import platform
import statistics
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

from pairs import SIZES, Cost, Lengths, Work, in_turn, padded_work, shared_work
from sides import Case, Figures, Side

HEADING = "## DPO: packed pairs against TRL"
_SWEPT = {"cpu": "CPU seconds", "cuda": "Seconds"}
_MIB = 2**20
_LENGTHS = (0, 32, 64, 128, 256, 512)
_RATIOS = "pairs · vocabulary | ours against | wall time | CPU time | by counted linear FLOPs | memory of a step"
_DETAILS = (
    "pairs · vocabulary | configuration | pairs/s | CPU s/pair | tokens/pair | linear GFLOP/pair | GFLOP/s reached"
    " | memory of a step, MiB"
)
_AGAINST = {
    "default": "TRL as in the handbook",
    "best": "TRL at its best micro-batch",
    "compact": "TRL at its best, projecting only answers",
    "cached": "TRL at its best, cached reference on both sides",
}


class Measured(NamedTuple):
    """The results of one case: for each side, the figures of each step."""

    case: Case
    sides: dict[str, Side]
    figures: dict[str, list[Figures]]
    sweep: dict[int, float]
    """Seconds per step for each micro-batch of TRL."""

    def seconds(self, name: str, clock: str) -> list[float]:
        """Return the time of each step; with a live reference, ours includes the reference's pass over the same pairs."""
        reference = f"reference_{clock}"
        return [figures[clock] + (figures.get(reference, 0.0) if name == "ours" else 0.0) for figures in self.figures[_key(name)]]

    def works(self, name: str) -> list[Work]:
        """Count the work of each step."""
        case, side = self.case, self.sides[_key(name)]
        cost = self._cost
        if side.is_ours:
            return [shared_work(step, cost, name == "ours", most_logits(case)) for step in self._timed]
        compact = side.compact or case.device == "cuda"
        return [padded_work(step, cost, not side.cached, side.micro_batch, compact) for step in self._timed]

    def needed_flops(self, with_reference: bool) -> float:
        """Count the operations that all steps need, without padding and recomputation."""
        cost = self._cost._replace(gradient_checkpointing=False)
        return sum(shared_work(step, cost, with_reference, math.inf).flops for step in self._timed)

    def fits(self, name: str) -> bool:
        """Return whether a side completed all its steps without running out of memory."""
        return len(self.figures[_key(name)]) == self.case.steps - 1

    @property
    def _cost(self) -> Cost:
        size = SIZES[self.case.size]
        return Cost(size.layer_weights, size.hidden * self.case.vocabulary, self.case.gradient_checkpointing)

    @property
    def _timed(self) -> list[Sequence[Lengths]]:
        return list(in_turn(self.case.lengths, self.case.pairs_per_step))[1:]


def most_logits(case: Case) -> int:
    """Return the number of tokens whose logits ours holds at once."""
    from alignment_trainer.preference.head import MOST_BYTES

    return int(MOST_BYTES // (4 * case.vocabulary))


def page(measured: Sequence[Measured], arguments: Sequence[str]) -> str:
    """Return the section as markdown."""
    case = measured[0].case
    utilization = " | MFU" if case.device == "cuda" else ""
    lengths = {each.case.shape: _length_lines(each.case) for each in measured}
    return "\n".join(
        [
            HEADING,
            "",
            _introduction(case, measured, arguments),
            "",
            _table(_RATIOS),
            *(line for each in measured for line in ratio_lines(each)),
            "",
            "Each configuration on its own; times are medians, tokens are those of one forward pass, with padding:",
            "",
            _table(_DETAILS + utilization),
            *(line for each in measured for line in _detail_lines(each)),
            "",
            f"{_SWEPT[case.device]} of a step by TRL's micro-batch: " + "; ".join(map(_sweep, measured)) + ".",
            "",
            "Lengths of prompts and answers: how many have at least so many tokens, and fewer than the next column's:",
            "",
            _table("pairs | part | " + " | ".join(f"from {start}" for start in _LENGTHS)),
            *(line for lines in lengths.values() for line in lines),
            "",
        ]
    )


def _introduction(case: Case, measured: Sequence[Measured], arguments: Sequence[str]) -> str:
    words = [f'"{word}"' if " " in word else word for word in arguments if word != "--write"]
    row_tokens = measured[0].sides["ours"].micro_batch * 2 * case.max_length
    handbook = "micro-batch 8, live reference model" + ("" if case.gradient_checkpointing else "; its checkpointing is off here")
    return (
        f"`{' '.join(['python', 'benchmarks/dpo', *words])}` ({date.today()}, {_machine(case)}). Each figure is from whole "
        f"training\nsteps of the real trainers on {case.pairs_per_step} pairs each, with AdamW and data loading. Ours packs "
        f"pairs into rows of up to {row_tokens} tokens. It is\ncompared with TRL's `DPOTrainer`:\n\n"
        f"- as the alignment handbook configures it ({handbook});\n- at the best of its micro-batches;\n"
        f"- at that micro-batch, projecting only answers to the vocabulary (TRL does so on a GPU; elsewhere it projects every "
        f"position);\n- at that micro-batch, with cached reference values on both sides. In all other rows the time of ours "
        f"includes the reference's\n  forward pass over the same pairs.\n\n{_setting(case)}"
    )


def _setting(case: Case) -> str:
    size, numbers = SIZES[case.size], "bfloat16 throughout" if case.device == "cuda" else "float32"
    return (
        f"The model is a Llama of {size.layers} layers and {size.hidden} hidden dimensions, {numbers}; lengths are log-normal "
        f"and cut at {case.max_length}; gradient\ncheckpointing is {'on' if case.gradient_checkpointing else 'off'}. The program "
        f"compares losses, gradient norms and log-probabilities of each step before it prints anything.\n"
        f"Ratios are TRL's value divided by ours, step by step on the same pairs: median (least to most) of {case.steps - 1}."
    )


def _machine(case: Case) -> str:
    if case.device == "cuda":
        return _device()
    return f"{case.threads} threads on a machine of {os.cpu_count()} CPUs, {platform.machine()}"


def _device() -> str:
    import torch

    return str(torch.cuda.get_device_name())


def _key(name: str) -> str:
    return "ours" if name == "ours, cached" else name


def _counterpart(name: str) -> str:
    return "ours, cached" if name == "cached" else "ours"


def _label(case: Case) -> str:
    return f"{case.shape} · {round(case.vocabulary / 1024, 1):g}k"


def _table(columns: str) -> str:
    return f"| {columns} |\n|{'---|' * (columns.count(' | ') + 1)}"


def ratio_lines(measured: Measured) -> list[str]:
    """Return the rows of the first table, which compare the sides of a case."""
    lines = []
    for name, words in _AGAINST.items():
        if name not in measured.sides:
            continue
        ours = _counterpart(name)
        unfit = [side for side, fits in (("ours", measured.fits(ours)), ("TRL", measured.fits(name))) if not fits]
        if unfit:
            lines.append(f"| {_label(measured.case)} | {words} | no room for {' and '.join(unfit)} | | | |")
            continue
        wall, cpu = (_spread(measured.seconds(name, clock), measured.seconds(ours, clock)) for clock in ("wall", "cpu"))
        flops = sum(work.flops for work in measured.works(name)) / sum(work.flops for work in measured.works(ours))
        memory = _peak(measured, name) / _peak(measured, ours)
        lines.append(f"| {_label(measured.case)} | {words} | {wall} | {cpu} | {flops:.2f} | {memory:.1f} |")
    return lines


def _spread(theirs: Sequence[float], ours: Sequence[float]) -> str:
    each = [other / mine for other, mine in zip(theirs, ours, strict=True)]
    return f"**{statistics.median(each):.2f}** ({min(each):.2f} to {max(each):.2f})"


def _peak(measured: Measured, name: str) -> float:
    return max(figures["peak_bytes"] for figures in measured.figures[_key(name)])


def _detail_lines(measured: Measured) -> list[str]:
    case = measured.case
    lines = []
    # TRL's best micro-batch can be the one of the handbook; list it once.
    theirs = {side: name for name, side in measured.sides.items() if not side.is_ours}
    for name in ("ours", *theirs.values(), "ours, cached"):
        if not measured.fits(name):
            continue
        side, works = measured.sides[_key(name)], measured.works(name)
        pairs, wall = case.pairs_per_step, measured.seconds(name, "wall")
        flops = sum(work.flops for work in works)
        columns = [
            _label(case),
            name if side.is_ours else side.name,
            f"{pairs / statistics.median(wall):.2f}",
            f"{statistics.median(measured.seconds(name, 'cpu')) / pairs:.2f}",
            f"{sum(work.tokens for work in works) / len(works) / pairs:.0f}",
            f"{flops / len(works) / pairs / 1e9:.1f}",
            f"{flops / sum(wall) / 1e9:.0f}",
            f"{_peak(measured, name) / _MIB:.0f}",
        ]
        lines.append("| " + " | ".join([*columns, *_utilization(measured, name)]) + " |")
    return lines


def _utilization(measured: Measured, name: str) -> list[str]:
    """Return the operations that the pairs need, without padding and recomputation, as a share of the GPU's peak."""
    if measured.case.device != "cuda":
        return []
    from alignment_trainer.training.hardware import peak_flops

    peak = peak_flops([_device()])
    needed = measured.needed_flops(with_reference=name not in ("cached", "ours, cached"))
    return [f"{needed / sum(measured.seconds(name, 'wall')) / peak:.1%}" if peak else "unknown"]


def _sweep(measured: Measured) -> str:
    return f"{_label(measured.case)}: " + ", ".join(f"{micro} → {seconds:.2f}" for micro, seconds in measured.sweep.items())


def _length_lines(case: Case) -> list[str]:
    parts: dict[str, Callable[[tuple[int, int, int]], tuple[int, ...]]] = {
        "prompts": lambda pair: pair[:1],
        "answers": lambda pair: pair[1:],
    }
    lines = []
    for part, of_pair in parts.items():
        sizes = [size for pair in case.lengths for size in of_pair(pair)]
        counts = [sum(start <= size < end for size in sizes) for start, end in zip(_LENGTHS, (*_LENGTHS[1:], 10**9), strict=True)]
        lines.append(f"| {case.shape} | {part} | " + " | ".join(map(str, counts)) + " |")
    return lines


def write_section(document: Path, section: str) -> None:
    """Replace the section in the document, or append it."""
    before, found, after = document.read_text().partition(HEADING + "\n")
    _, more, following = after.partition("\n## ") if found else ("", "", "")
    document.write_text(before.rstrip("\n") + "\n\n" + section.rstrip("\n") + "\n" + (f"\n## {following}" if more else ""))
