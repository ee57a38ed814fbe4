"""What the verdicts of one task show of its judges: agreement, places, lengths, failures; pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations

import numpy as np
from alignment_api.results.evaluation import JudgePanel, Settings

from alignment_trainer.evaluation.judged.verdicts import Said, said_in
from alignment_trainer.evaluation.measure import RowsOfModels


def panel_of(
    task: str, judges: Sequence[str], rows: RowsOfModels, verdict: Callable[[float], float], longer: Iterable[float]
) -> JudgePanel:
    """Return what the verdicts show; `verdict` is what two judges agree on, `longer` what the longer answers won."""
    every = [list(said_in(row, judges)) for of in rows.values() for row in of]
    agreed = [verdict(one) == verdict(other) for said in every for one, other in _pairs(said)]
    orders = [one.straight == one.swapped for said in every for one in said if one.straight and one.swapped]
    places = [place for said in every for one in said for place in one.first_position]
    failures = Counter(reason for said in every for one in said for reason in one.failure.split("+") if reason)
    return JudgePanel(
        task=task,
        judges=list(judges),
        agreement=_mean(agreed),
        agreement_count=len(agreed),
        same_in_both_orders=_mean(orders),
        first_position=_mean(places),
        longer_wins=_mean(longer),
        grades=_by_judge_and_model(judges, rows),
        failures=dict(failures),
    )


def winner(outcome: float) -> float:
    """Return who won a comparison: 1, 0 for a tie, or -1."""
    return float(np.sign(outcome - 0.5))


def _pairs(said: Sequence[Said]) -> Iterator[tuple[float, float]]:
    known = [one.value for one in said if one.value is not None]
    return combinations(known, 2)


def _by_judge_and_model(judges: Sequence[str], rows: RowsOfModels) -> Settings:
    found: Settings = {}
    for judge in judges:
        for model, of in rows.items():
            found[f"{judge}/{model}"] = _mean(one.value for row in of for one in said_in(row, [judge]) if one.value is not None)
    return found


def _mean(values: Iterable[float]) -> float | None:
    known = list(values)
    return float(np.mean(known)) if known else None
