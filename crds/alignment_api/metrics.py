"""Names of metrics and tags: the trainer writes them, operator and dashboard read them; docs/metrics.md explains each."""

import re

LOSS = "train/loss"
LEARNING_RATE = "train/learning_rate"
GRADIENT_NORM = "train/grad_norm"
ENTROPY = "train/entropy"
TOKEN_ACCURACY = "train/mean_token_accuracy"
TOKENS = "train/tokens"
PAIRS = "train/pairs"
REWARD_CHOSEN = "train/rewards/chosen"
REWARD_REJECTED = "train/rewards/rejected"
REWARD_MARGIN = "train/rewards/margins"
REWARD_ACCURACY = "train/rewards/accuracies"
LOGPS_CHOSEN = "train/logps/chosen"
LOGPS_REJECTED = "train/logps/rejected"
LENGTH_CHOSEN = "train/lengths/chosen"
LENGTH_REJECTED = "train/lengths/rejected"
LOGITS_CHOSEN = "train/logits/chosen"
LOGITS_REJECTED = "train/logits/rejected"
KL = "train/kl"

TOKENS_PER_SECOND = "train/tokens_per_second"
PAIRS_PER_SECOND = "train/pairs_per_second"
MODEL_FLOPS_UTILIZATION = "train/model_flops_utilization"
MEMORY_ALLOCATED = "train/memory/allocated_gib"
MEMORY_RESERVED = "train/memory/reserved_gib"
MEMORY_RESIDENT = "train/memory/resident_gib"

EVALUATION_LOSS = "eval/loss"
EVALUATION_ENTROPY = "eval/entropy"
EVALUATION_TOKEN_ACCURACY = "eval/mean_token_accuracy"
EVALUATION_TOKENS = "eval/tokens"
EVALUATION_PAIRS = "eval/pairs"
EVALUATION_REWARD_CHOSEN = "eval/rewards/chosen"
EVALUATION_REWARD_REJECTED = "eval/rewards/rejected"
EVALUATION_REWARD_MARGIN = "eval/rewards/margins"
EVALUATION_REWARD_ACCURACY = "eval/rewards/accuracies"
EVALUATION_LOGPS_CHOSEN = "eval/logps/chosen"
EVALUATION_LOGPS_REJECTED = "eval/logps/rejected"
EVALUATION_LENGTH_CHOSEN = "eval/lengths/chosen"
EVALUATION_LENGTH_REJECTED = "eval/lengths/rejected"
EVALUATION_LOGITS_CHOSEN = "eval/logits/chosen"
EVALUATION_LOGITS_REJECTED = "eval/logits/rejected"
EVALUATION_KL = "eval/kl"

ROWS_TRAINED = "data/train"
ROWS_HELD_OUT = "data/held_out"
ROWS_CUT = "data/cut"
ROWS_DROPPED = "data/dropped"

REQUESTS = "asked/requests"
PROMPT_TOKENS = "asked/prompt_tokens"
ANSWER_TOKENS = "asked/answer_tokens"
ANSWER_TOKENS_PER_SECOND = "asked/answer_tokens_per_second"
COST = "asked/cost"
KEPT_ANSWERS = "asked/kept_answers"
POSSIBLY_PAID = "asked/possibly_paid"
UNANSWERED = "asked/unanswered"
ROWS_WRITTEN = "rows/written"
ROWS_LEFT_OUT = "rows/left_out"
JUDGED_SCORES = "judged/scores"
JUDGED_PLACES = "judged/places"
LENGTH_CORRELATION = "judged/length_correlation"

ROUND = "round/number"
ROUND_WIN_RATE = "round/win_rate"
ROUND_WIN_RATE_ERROR = "round/win_rate_error"
ROUND_GAIN = "round/gain"
ROUND_GAIN_ERROR = "round/gain_error"

EVALUATED = "evaluated"
"""Scores of an evaluate stage, below which each has its task, metric and model."""
EXPORTED = "export"
EXPORT_PERPLEXITY_BEFORE = "export/perplexity_before"
EXPORT_PERPLEXITY = "export/perplexity"
EXPORT_DIVERGENCE = "export/divergence"
EXPORT_AGREEMENT = "export/agreement"
EXPORT_SIZE_RATIO = "export/size_ratio"

_RESULTS = (f"{EVALUATED}/", f"{EXPORTED}/")

TOTAL_STEPS = "progress/total_steps"
SECONDS_LEFT = "progress/seconds_left"
STEP = "progress/step"
"""Where a stage stands that keeps its rows, which may be before the highest step of an earlier attempt; only in the journal."""

_ASKED = (ROWS_WRITTEN, ROWS_LEFT_OUT, REQUESTS, PROMPT_TOKENS, ANSWER_TOKENS, COST, POSSIBLY_PAID, UNANSWERED)
_ROUND = (ROUND, ROUND_WIN_RATE, ROUND_WIN_RATE_ERROR)

HEADLINES = (LOSS, REWARD_MARGIN, REWARD_ACCURACY, *_ROUND, *_ASKED, KEPT_ANSWERS, ANSWER_TOKENS_PER_SECOND)
"""The metrics that a status carries, beside the most frequent reasons of unanswered questions."""

BEST_OF = {
    LOSS: None,
    EVALUATION_LOSS: min,
    REWARD_MARGIN: None,
    EVALUATION_REWARD_MARGIN: max,
    REWARD_ACCURACY: None,
    EVALUATION_REWARD_ACCURACY: max,
    **dict.fromkeys((*_ROUND, *_ASKED)),
}
"""The metrics that the run of a whole job has for each stage, and which of several evaluations is the best.

A single batch says too little to have a best, and the evaluation before the first step is about the model at its start.
"""

JOB_TAG = "alignment.job"
NAMESPACE_TAG = "alignment.namespace"
JOB_UID_TAG = "alignment.job_uid"
STAGE_TAG = "alignment.stage"
KIND_TAG = "alignment.stage_kind"
STAGE_INDEX_TAG = "alignment.stage_index"
"""Where the stage stands in the spec, counted from 0: stages that branch may begin in another order."""
INPUT_HASH_TAG = "alignment.input_hash"
PROGRESS_TIME_TAG = "alignment.progress_time"
"""When training last advanced without a measurement, in milliseconds since 1970: after a resume, steps are trained again."""
PARENT_TAG = "mlflow.parentRunId"
"""MLflow's own tag: MLflow shows a run below the run that this tag names."""


def of_stage(stage: str, metric: str) -> str:
    """Return under which name the run of the whole job has the latest value of a stage's metric."""
    return f"{stage}/{metric}"


def is_of_job(metric: str) -> bool:
    """Return whether the run of the whole job has a metric of its stages; it has all scores of models."""
    return metric in BEST_OF or metric.startswith(_RESULTS)


def best_of_stage(stage: str, metric: str) -> str:
    """Return under which name the run of the whole job has the best value of a stage's metric."""
    return f"{stage}/best/{metric}"


def input_hash_tag(stage: str) -> str:
    """Return the tag that says of which inputs the stage is whose values the run of the whole job has."""
    return f"{INPUT_HASH_TAG}.{stage}"


def unanswered_of(reason: str) -> str:
    """Return the metric that counts the questions without a usable answer for one reason."""
    return f"{UNANSWERED}/{reason}"


def left_out_of(reason: str) -> str:
    """Return the metric that counts the rows that were left out for one reason."""
    return f"{ROWS_LEFT_OUT}/{reason}"


def judged_score_of(model: str, aspect: str) -> str:
    """Return the metric that is the mean score of a model's answers."""
    return f"{JUDGED_SCORES}/{_tracked(model)}/{aspect}"


def evaluated_of(task: str, metric: str, model: str) -> str:
    """Return the metric that is a model's score in a task; with `_error` behind it, its standard error."""
    return f"{EVALUATED}/{_tracked(task)}/{_tracked(metric)}/{_tracked(model)}"


def _tracked(name: str) -> str:
    """Return a name with the few signs that MLflow takes."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)


def judged_place_of(place: int) -> str:
    """Return the metric that says by how much the answer at a place, from 1, is rated above the mean of its judgement."""
    return f"{JUDGED_PLACES}/{place}"
