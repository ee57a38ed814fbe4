"""What a stage has asked, written and gained so far, in the words of a status and of a terminal; pure."""

from alignment_api import metrics
from alignment_api.spec.status import Progress


def asked_so_far(progress: Progress, with_round: bool = True) -> list[str]:
    """Return rows, the last round, requests, tokens, cost and failures, each in words; empty for a stage that asks no server."""
    values = progress.metrics or {}
    tokens = [values[name] for name in (metrics.PROMPT_TOKENS, metrics.ANSWER_TOKENS) if name in values]
    # A request that was possibly paid counts with the most that it may cost.
    most = "at most " if values.get(metrics.POSSIBLY_PAID) else ""
    parts = [
        _rows(progress, values) if is_of_rows(progress) else "",
        *(_round(values) if with_round else []),
        _counted(values.get(metrics.REQUESTS), "request"),
        f"{_counted(values[metrics.KEPT_ANSWERS], 'answer')} kept from before" if values.get(metrics.KEPT_ANSWERS) else "",
        f"{most}{_rounded(sum(tokens))} tokens{_speed(progress, values)}" if tokens else "",
        f"cost {most}{values[metrics.COST]:,.2f}" if values.get(metrics.COST) else "",
        f"{values[metrics.POSSIBLY_PAID]:,.0f} requests possibly paid for nothing" if values.get(metrics.POSSIBLY_PAID) else "",
        _unanswered(values),
    ]
    return [part for part in parts if part]


def is_of_rows(progress: Progress) -> bool:
    """Return whether the steps of a stage are rows that it writes; one that trains has a loss."""
    values = progress.metrics or {}
    return metrics.ROWS_WRITTEN in values and metrics.LOSS not in values


def _rows(progress: Progress, values: dict[str, float]) -> str:
    rows = f"{progress.step:,} of {progress.total_steps:,} rows"
    left_out = values.get(metrics.ROWS_LEFT_OUT, 0)
    if not left_out or not progress.step:
        return rows
    percent = 100 * left_out / progress.step
    return f"{rows}, {percent:.0f} % left out" if percent >= 1 else f"{rows}, {percent:.1g} % left out"


def _round(values: dict[str, float]) -> list[str]:
    """Return the last round that has ended, and how often a judge preferred its student to the start of the stage."""
    if metrics.ROUND not in values:
        return []
    ended = f"round {values[metrics.ROUND]:.0f} ended"
    if metrics.ROUND_WIN_RATE not in values:
        return [ended]
    error = values.get(metrics.ROUND_WIN_RATE_ERROR)
    return [ended, f"win rate {values[metrics.ROUND_WIN_RATE]:.2f}" + ("" if error is None else f" ± {error:.2f}")]


def _speed(progress: Progress, values: dict[str, float]) -> str:
    speed = values.get(metrics.ANSWER_TOKENS_PER_SECOND)
    return f" ({_rounded(speed)} per second)" if speed and progress.step < progress.total_steps else ""


def _unanswered(values: dict[str, float]) -> str:
    total, prefix = values.get(metrics.UNANSWERED, 0), metrics.unanswered_of("")
    if not total:
        return ""
    reasons = {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
    # An earlier attempt may have counted other ones.
    why = f" ({', '.join(f'{value:,.0f} {name}' for name, value in reasons.items())})" if sum(reasons.values()) <= total else ""
    return f"{total:,.0f} unanswered{why if reasons else ''}"


def _counted(number: float | None, what: str) -> str:
    return "" if number is None else f"{number:,.0f} {what}{'' if number == 1 else 's'}"


def _rounded(number: float) -> str:
    """Return a large number with two digits or three, such as 1.2 M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            scaled = number / size
            return f"{scaled:.1f} {unit}" if scaled < 100 else f"{scaled:.0f} {unit}"
    return f"{number:.0f}"
