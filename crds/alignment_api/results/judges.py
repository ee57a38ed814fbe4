"""What the verdicts of a task show of its judges, in words."""

from alignment_api.results.evaluation import JudgePanel
from alignment_api.results.written import write_share


def panel_sentence(panel: JudgePanel) -> str:
    """Return how far the judges of a task can be trusted: agreement, first position, length, failures."""
    parts = [f"{panel.task} is judged by {', '.join(panel.judges)}"]
    if panel.agreement is not None:
        parts.append(f"two judges agree in {write_share(panel.agreement)} of {panel.agreement_count:,} verdicts")
    if panel.same_in_both_orders is not None:
        parts.append(f"{write_share(panel.same_in_both_orders)} of the comparisons have the same verdict in both orders")
    if panel.first_position is not None:
        parts.append(f"the answer that stands first wins {write_share(panel.first_position)} (50 % without bias)")
    if panel.longer_wins is not None:
        parts.append(f"the longer answer wins {write_share(panel.longer_wins)} of the decided ones")
    if panel.failures:
        parts.append(f"{sum(panel.failures.values()):,} verdicts are missing ({failures_in_words(panel)})")
    return "; ".join(parts) + "."


def failures_in_words(panel: JudgePanel) -> str:
    """Return how many verdicts are missing by reason, the most frequent first."""
    ordered = sorted(panel.failures.items(), key=lambda item: -item[1])
    return ", ".join(f"{count:,} {reason}" for reason, count in ordered)
