"""BLEU and ROUGE: the model's answers against the reference answers of the rows."""

from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
from alignment_api.results.evaluation import EvaluatedRow, Settings

from alignment_trainer.asking.prompts import readable
from alignment_trainer.data.tasks.references import Referenced
from alignment_trainer.endpoints.question import Answer, Unanswered
from alignment_trainer.evaluation.answers import about, answer_each, sampling_settings, score_each
from alignment_trainer.evaluation.measure import Corpus, Measure, Metric
from alignment_trainer.evaluation.measures.words import WORDS, Words
from alignment_trainer.evaluation.tasks import OpenTask, TaskRow
from alignment_trainer.synthesis.prompts import key_of

_BLEU = "bleu"
_COUNTS = "bleu_counts"
"""In a row's details: its n-grams, which sacreBLEU adds up over rows."""
_ROUGE = {"rouge_1": "rouge1", "rouge_2": "rouge2", "rouge_l": "rougeL"}
_ORDERS = 4


def _settings(task: OpenTask) -> Settings:
    # Its libraries take a second to load.
    from sacrebleu.metrics import BLEU

    bleu, counts = BLEU(), {len(row.value.references) for row in task.rows}
    bleu.num_refs = counts.pop() if len(counts) == 1 else -1
    return {
        **sampling_settings(task),
        "bleu": str(bleu.get_signature()),
        "rouge": f"rouge-score {version('rouge-score')}, F1, without stemming, {WORDS}",
    }


def compared(row: TaskRow, said: Answer | Unanswered) -> EvaluatedRow:
    """Return the row of a question, from the answer of a model."""
    asked: Referenced = row.value
    found = EvaluatedRow(
        key=key_of(asked.messages),
        row=row.place,
        prompt=readable([dict(message) for message in asked.messages]),
        reference=asked.references[0],
        scores=dict.fromkeys((_BLEU, *_ROUGE)),
    )
    if isinstance(said, Unanswered):
        return found.model_copy(update={"reason": said.detail})
    counts, bleu = _bleu(said.text, asked.references)
    details = {_COUNTS: counts, **about(said)}
    return found.model_copy(
        update={"answer": said.text, "scores": {_BLEU: bleu, **_rouge(said.text, asked.references)}, "details": details}
    )


def _bleu(text: str, references: Sequence[str]) -> tuple[str, float]:
    """Return an answer's lengths and n-grams, right ones and all, and its own BLEU, of the orders that it has."""
    from sacrebleu.metrics import BLEU

    found = BLEU(effective_order=True).sentence_score(text, references)
    return " ".join(map(str, [found.sys_len, found.ref_len, *found.counts, *found.totals])), found.score


def _rouge(text: str, references: Sequence[str]) -> dict[str, float]:
    found = _rouge_scorer().score_multi(references, text)
    return {name: found[theirs].fmeasure for name, theirs in _ROUGE.items()}


@cache
def _rouge_scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(list(_ROUGE.values()), tokenizer=Words())


def _statistics(row: EvaluatedRow) -> Sequence[float] | None:
    counts = row.details.get(_COUNTS)
    return [float(count) for count in str(counts).split()] if counts is not None else None


def _corpus_bleu(sums: np.ndarray[Any, Any]) -> Any:
    return np.apply_along_axis(_of_counts, 0, sums)


def _of_counts(counts: np.ndarray[Any, Any]) -> float:
    from sacrebleu.metrics import BLEU

    sys_len, ref_len, *grams = map(int, counts)
    return float(BLEU.compute_bleu(grams[:_ORDERS], grams[_ORDERS:], sys_len, ref_len, smooth_method="exp").score)


METRICS = (
    Metric(_BLEU, "Higher", is_main=True, corpus=Corpus(_statistics, _corpus_bleu)),
    Metric("rouge_1", "Higher"),
    Metric("rouge_2", "Higher"),
    Metric("rouge_l", "Higher", is_main=True),
)
MEASURE = Measure(lambda task: METRICS, _settings, answer_each, score_each(compared))
