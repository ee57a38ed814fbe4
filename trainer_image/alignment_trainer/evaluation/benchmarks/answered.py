"""Asks a model about rows of a benchmark, and makes of its responses the rows of the report, as lm-eval scores them."""

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from alignment_api.results.evaluation import Details, EvaluatedRow
from lm_eval.api.instance import Instance
from lm_eval.utils import handle_non_serializable, hash_string

from alignment_trainer.evaluation.benchmarks.figures import LIKELIHOOD, TASK, weight_of
from alignment_trainer.evaluation.benchmarks.harness import Harness
from alignment_trainer.evaluation.benchmarks.questions import Question, requests_of, shown_question
from alignment_trainer.evaluation.likelihood import NOT_FINITE
from alignment_trainer.official_tasks.members import Benchmark
from alignment_trainer.official_tasks.metrics import metric_named, scored_as
from alignment_trainer.official_tasks.reported import names_in

SHORTENED, EXAMPLES, CONTEXT = "shortened", "worked_examples", "model_reads"
"""Details of a row: whether its prompt lost its beginning, the text before its question in the first row of each task, and how
many tokens the model reads at once, where the score depends on it."""
EMPTY = "the text is empty"
_HASH_DIGITS = 16


def answered(harness: Harness, benchmark: Benchmark, questions: Sequence[Question]) -> list[EvaluatedRow]:
    """Return the rows of some questions, which the model is asked at once."""
    asked = [requests_of(question) for question in questions]
    by_kind: defaultdict[str, list[Instance]] = defaultdict(list)
    for request in (request for requests in asked for request in requests):
        # One request is asked several times where a task draws several answers.
        by_kind[request.request_type] += [request] * request.repeats
    for kind, requests in by_kind.items():
        for request, response in zip(requests, getattr(harness, kind)(requests), strict=True):
            request.resps.append(response)
    return [_row(harness, benchmark, question, requests) for question, requests in zip(questions, asked, strict=True)]


def _row(harness: Harness, benchmark: Benchmark, question: Question, requests: list[Instance]) -> EvaluatedRow:
    scores, details = _scored(benchmark, question, requests)
    reason = _unmeasured(requests)
    prompt = str(requests[0].args[0])
    shown = shown_question(question, prompt)
    is_cut = bool(harness.cut & {str(request.args[0]) for request in requests})
    details |= {SHORTENED: True} if is_cut else {}
    details |= {CONTEXT: harness.max_length} if is_cut or requests[0].request_type == "loglikelihood_rolling" else {}
    # The examples are many times as long as the question.
    details |= {EXAMPLES: prompt.removesuffix(shown)} if question.examples and not question.number else {}
    return EvaluatedRow(
        key=_key(question, prompt),
        row=question.row,
        prompt=shown,
        answer=_answer(requests),
        reference=_reference(question, requests),
        scores=dict.fromkeys(scores) if reason else scores,
        reason=reason,
        details={TASK: question.task.task_name, **({} if reason else details)},
    )


def _unmeasured(requests: list[Instance]) -> str | None:
    """Return why a row has no score, if it has none."""
    if requests[0].request_type == "loglikelihood_rolling" and not any(request.args[0] for request in requests):
        return EMPTY
    is_measured = all(_is_number(response) for request in requests for response in request.resps)
    return None if is_measured else NOT_FINITE


def _is_number(response: Any) -> bool:
    """Return whether a response is a text, or a likelihood that is a number: the likeliest of none would be the first choice."""
    likelihood = response[0] if isinstance(response, tuple) else response
    return isinstance(likelihood, str) or bool(np.isfinite(likelihood))


def _scored(benchmark: Benchmark, question: Question, requests: list[Instance]) -> tuple[dict[str, float | None], Details]:
    """Return the scores by each way of reading the answer, and what was read of it."""
    task = next(task for task in benchmark.tasks if task.name == question.task.task_name)
    # The instances that the filters read.
    question.task._instances = requests
    question.task.apply_filters()
    scores: dict[str, float | None] = {}
    details: Details = {}
    for way in requests[0].filtered_resps:
        read = [request.filtered_resps[way] for request in requests]
        details |= {scored_as("read", way): str(read[0])} if isinstance(read[0], str) else {}
        for metric, value in question.task.process_results(question.document, read).items():
            scored = scored_as(metric, way)
            score, more = _score(metric_named(task, scored).kind, metric, value)
            details |= more
            scores |= dict.fromkeys(names_in(benchmark, task, scored), score) if score is not None else {}
    return scores, details


def _score(kind: str, metric: str, value: Any) -> tuple[float | None, Details]:
    """Return the score of one row, and what a perplexity of all rows is made of."""
    if kind in ("Perplexity", "Bits"):
        likelihood, weight = value if isinstance(value, tuple) else (value, 1)
        if not weight:
            # An empty text has no word to be likely.
            return None, {}
        per_unit = -float(likelihood) / float(weight)
        score = per_unit / float(np.log(2)) if kind == "Bits" else float(np.exp(per_unit))
        return (score if np.isfinite(score) else None), {LIKELIHOOD: float(likelihood), weight_of(metric): float(weight)}
    return (float(value) if isinstance(value, (int, float, np.number, np.bool_)) else None), {}


def _key(question: Question, prompt: str) -> str:
    """Return the beginnings of lm-eval's own hashes of prompt and row, so that its samples can be joined."""
    document = json.dumps(question.document, indent=2, default=handle_non_serializable, ensure_ascii=False)
    return f"{hash_string(prompt)[:_HASH_DIGITS]}-{hash_string(document)[:_HASH_DIGITS]}"


def _answer(requests: list[Instance]) -> str | None:
    """Return what the model wrote, or the likeliest choice."""
    kind = requests[0].request_type
    if kind == "generate_until":
        return str(requests[0].resps[0])
    if kind != "loglikelihood" or len(requests) == 1:
        return None
    best = requests[int(np.argmax([request.resps[0][0] for request in requests]))]
    return _choice(requests, best)


def _choice(requests: list[Instance], chosen: Instance) -> str:
    """Return a choice: what differs between the requests, which is the end, or the question itself."""
    ends = {request.args[1] for request in requests}
    return str(chosen.args[1] if len(ends) > 1 else chosen.args[0]).strip()


def _reference(question: Question, requests: list[Instance]) -> str | None:
    kind = requests[0].request_type
    if kind == "loglikelihood_rolling":
        return None
    target = question.task.doc_to_text(question.document) if question.task.multiple_input else None
    if target is None:
        target = question.task.doc_to_target(question.document)
    if kind == "loglikelihood" and isinstance(target, int) and 0 <= target < len(requests):
        return _choice(requests, requests[target])
    return str(target)
