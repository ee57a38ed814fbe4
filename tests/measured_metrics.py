"""The metrics that the run of a short stage on CPUs logs, by its kind."""

from alignment_api import metrics

SFT_METRICS = (
    metrics.LOSS,
    metrics.LEARNING_RATE,
    metrics.GRADIENT_NORM,
    metrics.ENTROPY,
    metrics.TOKEN_ACCURACY,
    metrics.TOKENS,
    metrics.TOKENS_PER_SECOND,
    metrics.EVALUATION_LOSS,
    metrics.EVALUATION_ENTROPY,
    metrics.EVALUATION_TOKEN_ACCURACY,
    metrics.EVALUATION_TOKENS,
    metrics.ROWS_TRAINED,
    metrics.ROWS_HELD_OUT,
    metrics.ROWS_CUT,
    metrics.ROWS_DROPPED,
)

DPO_METRICS = (
    *SFT_METRICS,
    metrics.PAIRS,
    metrics.PAIRS_PER_SECOND,
    metrics.REWARD_CHOSEN,
    metrics.REWARD_REJECTED,
    metrics.REWARD_MARGIN,
    metrics.REWARD_ACCURACY,
    metrics.LOGPS_CHOSEN,
    metrics.LOGPS_REJECTED,
    metrics.LOGITS_CHOSEN,
    metrics.LOGITS_REJECTED,
    metrics.KL,
    metrics.EVALUATION_PAIRS,
    metrics.EVALUATION_REWARD_CHOSEN,
    metrics.EVALUATION_REWARD_REJECTED,
    metrics.EVALUATION_REWARD_MARGIN,
    metrics.EVALUATION_REWARD_ACCURACY,
    metrics.EVALUATION_LOGPS_CHOSEN,
    metrics.EVALUATION_LOGPS_REJECTED,
    metrics.EVALUATION_LOGITS_CHOSEN,
    metrics.EVALUATION_LOGITS_REJECTED,
    metrics.EVALUATION_KL,
)
