"""What quantization costs: each export before and after, beside the original rounded to 16 bit."""

from collections.abc import Sequence
from typing import NamedTuple

from alignment_api.results.evaluation import Estimate
from alignment_api.results.export import ExportReport, Fidelity, Limit
from alignment_api.results.standing import Standing
from alignment_api.results.written import MISSING, write_bytes, write_estimate, write_number, write_share

LEGEND = (
    "Of the exports, KL is the divergence per token from the original, in nats; agreement is the share of tokens for which both "
    "find the same token likeliest. bf16 is the original rounded to 16 bit, whose distance no export in 16 bit or less can beat "
    "but by chance."
)
HEADS = (
    *("export", "model", "format", "size", "linear layers"),
    *("perplexity before ↓", "perplexity after ↓", "perplexity of bf16 ↓", "KL ↓", "KL of bf16 ↓"),
    *("agreement ↑", "agreement of bf16 ↑", "tokens", "limits", "ends its answers"),
)


class Exported(NamedTuple):
    """The report of one export stage."""

    job: str
    stage: str
    report: ExportReport
    standing: Standing = "Final"


def proof_lines(reports: Sequence[Exported]) -> list[tuple[str, ...]]:
    """Return the cells of each export, in the order of HEADS."""
    return [_line(name, one.report) for name, one in zip(_names(reports), reports, strict=True)]


def proof_sentences(reports: Sequence[Exported]) -> list[str]:
    """Return what one must know to read the table of exports."""
    named = list(zip(_names(reports), reports, strict=True))
    notes = [f"{name}: {note}" for name, one in named for note in one.report.notes]
    return [LEGEND, *notes] if reports else []


def broken_limits(reports: Sequence[Exported]) -> list[str]:
    """Return a sentence for each limit that an export breaks."""
    return [
        f"{name} failed: {limit.name} is {write_number(limit.limit)}, and the written model reached "
        f"{write_number(limit.figure)}. Both models are kept."
        for name, one in zip(_names(reports), reports, strict=True)
        for limit in one.report.limits
        if limit.is_broken
    ]


def size_ratio(report: ExportReport) -> float | None:
    """Return the size after, as a share of that before."""
    return report.after.all_bytes / report.before.all_bytes if report.before.all_bytes else None


def _names(reports: Sequence[Exported]) -> list[str]:
    several_jobs = len({one.job for one in reports}) > 1
    return [f"{one.job}/{one.stage}" if several_jobs else one.stage for one in reports]


def _line(name: str, report: ExportReport) -> tuple[str, ...]:
    before, after = report.before, report.after
    ends = {None: MISSING, True: "yes", False: "no"}[report.ends_its_answers]
    return (
        *(name, report.model, report.quantization),
        f"{write_bytes(before.all_bytes)} → {write_bytes(after.all_bytes)} ({write_share(size_ratio(report))})",
        f"{write_bytes(before.linear_bytes)} → {write_bytes(after.linear_bytes)}",
        *(_estimate(one.perplexity if one else None) for one in (report.original, report.written, report.rounded)),
        *_closeness(report.written, report.rounded),
        f"{report.tokens:,}" if report.tokens else MISSING,
        "; ".join(map(_limit, report.limits)) or MISSING,
        ends,
    )


def _limit(one: Limit) -> str:
    return f"{one.name} {write_number(one.limit)} {'failed' if one.is_broken else 'kept'}: {write_number(one.figure)}"


def _closeness(written: Fidelity | None, rounded: Fidelity | None) -> tuple[str, ...]:
    divergences = [_estimate(one.divergence if one else None) for one in (written, rounded)]
    agreements = [_estimate(one.agreement if one else None) for one in (written, rounded)]
    return (*divergences, *agreements)


def _estimate(found: Estimate | None) -> str:
    if found is None:
        return MISSING
    # Divergences of 1e-5 need an exponent.
    tiny = found.value is not None and 0 < abs(found.value) < 1e-3
    return f"{write_number(found.value)} ± {write_number(found.error)}" if tiny and found.error else write_estimate(found)
