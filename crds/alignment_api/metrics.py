"""Names of metrics and tags: the trainer writes them, operator and dashboard read them.

All stages use the same names: each logs to a run of its own, below the run of its job.
"""

LOSS = "train/loss"
LEARNING_RATE = "train/learning_rate"
GRADIENT_NORM = "train/grad_norm"
REWARD_CHOSEN = "train/rewards/chosen"
REWARD_REJECTED = "train/rewards/rejected"
REWARD_MARGIN = "train/rewards/margins"
REWARD_ACCURACY = "train/rewards/accuracies"
LOGPS_CHOSEN = "train/logps/chosen"
LOGPS_REJECTED = "train/logps/rejected"
EVALUATION_LOSS = "eval/loss"
EVALUATION_REWARD_MARGIN = "eval/rewards/margins"
EVALUATION_REWARD_ACCURACY = "eval/rewards/accuracies"
EVALUATION_LOGPS_CHOSEN = "eval/logps/chosen"

TOTAL_STEPS = "progress/total_steps"
SECONDS_LEFT = "progress/seconds_left"

SFT_METRICS = (LOSS, LEARNING_RATE, GRADIENT_NORM, EVALUATION_LOSS)
DPO_METRICS = (
    *SFT_METRICS,
    REWARD_CHOSEN,
    REWARD_REJECTED,
    REWARD_MARGIN,
    REWARD_ACCURACY,
    LOGPS_CHOSEN,
    LOGPS_REJECTED,
    EVALUATION_REWARD_MARGIN,
    EVALUATION_REWARD_ACCURACY,
    EVALUATION_LOGPS_CHOSEN,
)
HEADLINES = (LOSS, REWARD_MARGIN, REWARD_ACCURACY)
"""The few that a status carries."""

JOB_TAG = "alignment.job"
NAMESPACE_TAG = "alignment.namespace"
JOB_UID_TAG = "alignment.job_uid"
STAGE_TAG = "alignment.stage"
KIND_TAG = "alignment.stage_kind"
INPUT_HASH_TAG = "alignment.input_hash"
PARENT_TAG = "mlflow.parentRunId"
"""MLflow's own tag: its pages nest child runs by it."""
