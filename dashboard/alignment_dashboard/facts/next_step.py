"""What a person does next about a reason in a status, in a few words; docs/troubleshooting.md says more about each."""

_NOTHING = "nothing to do: it resumes from its last checkpoint by itself"
_WAIT = "wait"
_STEPS = {
    "Starting": _WAIT,
    "PullingImage": _WAIT,
    "Preparing": _WAIT,
    "EarlierJobEnding": _WAIT,
    "SpecChanged": _WAIT,
    "SettingsChanged": _WAIT,
    "FailedMount": "create the Secret or the volume that it names",
    "FailedAttachVolume": "wait for the other pod to end, or use a ReadWriteMany volume",
    "FailedCreatePod": "raise the quota, or set what the namespace demands",
    "FailedCreatePodSandBox": "check that node",
    "Queued": "check the queue: kubectl get workloads",
    "Unschedulable": "free GPUs, or change compute",
    "ClaimNotReady": "create the claim, or correct storage.claimName",
    "ImagePullBackOff": "correct trainer.image or trainer.imagePullSecrets of the chart",
    "CreateContainerConfigError": "correct what it names",
    "TrainingOperatorMissing": "install the training-operator",
    "WebhookUnavailable": "check the training-operator's pod",
    "QuotaExceeded": "raise the quota",
    "Forbidden": "grant the right",
    "NameTaken": "delete the other PyTorchJob, or rename this job",
    "InvalidSpec": "correct the spec; alignment validate reports the same",
    "BadData": "correct the data, then change the spec, or suspend and resume",
    "BadConfiguration": "correct the spec or the model",
    "Diverged": "lower the learning rate, or check the rows of that step; at the first step, set precision: Float32",
    "OutOfMemory": "lower microBatchSize or maxLength, raise sharding, or use an adapter",
    "OOMKilled": "raise compute.memory",
    "ProcessKilled": "raise compute.memory, or lower microBatchSize or maxLength",
    "WorkerLost": "raise compute.memory",
    "SharedMemoryFull": "raise compute.sharedMemory",
    "DiskFull": "free some room, or enlarge the volume",
    "NoUsableCheckpoint": "restore a checkpoint, or remove the stage's folder checkpoints",
    "IncompleteCheckpoint": "mount one ReadWriteMany volume into all pods",
    "IncompleteAnswers": "mount one ReadWriteMany volume into all pods",
    "Stalled": "read the log: it says what the stage waits for",
    "Silent": "read the log: it says what the stage waits for",
    "Unseen": "check that the operator runs, and read its logs",
    "StaleStudent": "load the round's model into the student's server",
    "Unreachable": "check the network and the endpoint",
    "Defect": "read the log",
    "NodeNotReady": "check the node; delete the node object if it will not come back",
    "ProgressUnknown": "check MLflow and the network policies; training goes on",
    "Suspended": "set suspend: false to resume",
    "Suspending": _WAIT,
    "BuildsOnFailedStage": "correct the stage that failed; then this one runs, too",
    "JobFailed": "edit the spec, or suspend and resume",
    "GPUsTaken": _WAIT,
    "DeadlineExceeded": "raise activeDeadlineSeconds",
    **dict.fromkeys(
        (
            *("Killed", "Evicted", "PreemptionByScheduler", "DeletionByTaintManager", "PodsGone"),
            *("PartnerLost", "PartnerLate", "Stopped", "PeerLost"),
        ),
        _NOTHING,
    ),
}


def next_step(reason: str | None, phase: str) -> str:
    """Return what to do about a reason; an empty text if nothing is known to do."""
    if reason in _STEPS:
        return _STEPS[reason]
    return {"Failed": "read the log", "Restarting": "nothing to do: it starts again by itself"}.get(phase, "")
