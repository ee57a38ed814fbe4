"""Names of metrics and tags: the trainer writes them, operator and dashboard read them.

All stages use the same names: each logs to a run of its own, below the run of its job. docs/metrics.md says what each means.
"""

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
EVALUATION_LOGITS_CHOSEN = "eval/logits/chosen"
EVALUATION_LOGITS_REJECTED = "eval/logits/rejected"
EVALUATION_KL = "eval/kl"

ROWS_TRAINED = "data/train"
ROWS_HELD_OUT = "data/held_out"
ROWS_CUT = "data/cut"
ROWS_DROPPED = "data/dropped"

TOTAL_STEPS = "progress/total_steps"
SECONDS_LEFT = "progress/seconds_left"

SFT_METRICS = (
    LOSS,
    LEARNING_RATE,
    GRADIENT_NORM,
    ENTROPY,
    TOKEN_ACCURACY,
    TOKENS,
    TOKENS_PER_SECOND,
    EVALUATION_LOSS,
    EVALUATION_ENTROPY,
    EVALUATION_TOKEN_ACCURACY,
    EVALUATION_TOKENS,
    ROWS_TRAINED,
    ROWS_HELD_OUT,
    ROWS_CUT,
    ROWS_DROPPED,
)
"""What every stage measures, whatever it runs on."""

DPO_METRICS = (
    *SFT_METRICS,
    PAIRS,
    PAIRS_PER_SECOND,
    REWARD_CHOSEN,
    REWARD_REJECTED,
    REWARD_MARGIN,
    REWARD_ACCURACY,
    LOGPS_CHOSEN,
    LOGPS_REJECTED,
    LOGITS_CHOSEN,
    LOGITS_REJECTED,
    KL,
    EVALUATION_PAIRS,
    EVALUATION_REWARD_CHOSEN,
    EVALUATION_REWARD_REJECTED,
    EVALUATION_REWARD_MARGIN,
    EVALUATION_REWARD_ACCURACY,
    EVALUATION_LOGPS_CHOSEN,
    EVALUATION_LOGPS_REJECTED,
    EVALUATION_LOGITS_CHOSEN,
    EVALUATION_LOGITS_REJECTED,
    EVALUATION_KL,
)
HARDWARE_METRICS = (MODEL_FLOPS_UTILIZATION, MEMORY_ALLOCATED, MEMORY_RESERVED, MEMORY_RESIDENT)
"""What is measured where the hardware has it."""

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
