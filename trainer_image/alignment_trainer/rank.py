"""Entry point of each training process: prepares its environment, runs the stage's page, and records how it ended."""

import contextlib
import logging
import os
import sys
import traceback
import warnings
from datetime import timedelta
from importlib import import_module
from pathlib import Path

from alignment_trainer.process.lifeline import LAUNCHER_VARIABLE, die_with

die_with(int(os.environ[LAUNCHER_VARIABLE]))

from alignment_api.exit_codes import ExitCode  # noqa: E402
from alignment_api.run_config import RunConfig  # noqa: E402
from alignment_api.spec.kinds import KINDS  # noqa: E402
from alignment_api.spec.parts import loads_model  # noqa: E402

from alignment_trainer.failures import BadConfiguration, PeerLost  # noqa: E402
from alignment_trainer.output.copied_output import print_into_pipes  # noqa: E402
from alignment_trainer.process.garbage import loading_libraries  # noqa: E402
from alignment_trainer.process.outcome import OUTCOMES_VARIABLE, RankOutcome, explained, failure_of, record_outcome  # noqa: E402
from alignment_trainer.workspace import activity  # noqa: E402


def main() -> int:
    """Run this process's part of the stage, and record how it ended."""
    rank = int(os.environ["RANK"])
    if rank == 0:
        print_into_pipes(Path(os.environ[OUTCOMES_VARIABLE]))
    config = RunConfig.model_validate_json(Path(os.environ["ALIGNMENT_RUN_CONFIG"]).read_text())
    if rank == 0:
        activity.begin(Path(config.paths.stage))
    try:
        _check_world(config)
        _run_stage(config)
        return 0
    except Exception as error:
        outcome = explained(error, Path(config.paths.workspace))
        unexplained = None if outcome else error
        outcome = outcome or _outcome_of(error, config)
    record_outcome(Path(os.environ[OUTCOMES_VARIABLE]), rank, outcome)
    # After a lost peer, this process's traceback does not help: only the peer's log shows the cause.
    if unexplained and outcome.reason != PeerLost.reason:
        # The log may be on a volume that is full.
        with contextlib.suppress(OSError):
            traceback.print_exception(unexplained)
    return outcome.exit_code


def _check_world(config: RunConfig) -> None:
    size = int(os.environ["WORLD_SIZE"])
    if size != config.world_size:
        raise BadConfiguration(
            f"the launcher started {size} of {config.world_size} processes; "
            f"set PET_NNODES and PET_NPROC_PER_NODE so that their product is {config.world_size}"
        )


def _check_gpus(config: RunConfig) -> None:
    if not config.compute.gpus_per_node:
        return
    import torch

    needed, found = int(os.environ["LOCAL_WORLD_SIZE"]), torch.cuda.device_count()
    if found < needed:
        raise BadConfiguration(
            f"spec.compute.gpusPerNode: {needed} processes on this machine need one GPU each, and it has {found}; "
            f"set a lower number, or 0 to train on CPUs"
        )


def _run_stage(config: RunConfig) -> None:
    for name, value in _environment(config).items():
        os.environ.setdefault(name, value)
    with activity.working("loading libraries"), loading_libraries():
        if loads_model(config.stage):
            _prepare_torch(config)
        # Imported late: of most kinds this loads torch, which reads the variables set above.
        from alignment_trainer.checks.kinds import kind_of

        page = import_module(kind_of(config).page)
    page.run(config)


def _prepare_torch(config: RunConfig) -> None:
    _check_gpus(config)
    # At every start it reports a missing kernel that it does not need.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    import datasets
    import transformers
    from accelerate import PartialState

    from alignment_trainer.checks.kinds import kind_of
    from alignment_trainer.settings.training import training_settings
    from alignment_trainer.training import deepspeed
    from alignment_trainer.training.arguments import COLLECTIVE_TIMEOUT_SECONDS

    # TRL is loaded before the processes connect.
    import_module(kind_of(config).page)
    # TRL calls transformers by deprecated names; a user cannot act on that.
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()
    if KINDS[config.stage.kind].trains:
        deepspeed.prepare_environment(training_settings(config))
    # The processes connect here, before any code asks for its rank; later code finds them connected.
    PartialState(cpu=not config.compute.gpus_per_node, timeout=timedelta(seconds=COLLECTIVE_TIMEOUT_SECONDS))


def _environment(config: RunConfig) -> dict[str, str]:
    cache = Path(config.paths.workspace) / ".cache" / "huggingface"
    return {
        "HF_HOME": str(cache),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        **({"DS_ACCELERATOR": "cpu"} if not config.compute.gpus_per_node else {}),
    }


def _outcome_of(error: Exception, config: RunConfig) -> RankOutcome:
    text = f"{type(error).__name__}: {error}"
    if "torch" not in sys.modules:
        return RankOutcome(int(ExitCode.DEFECT), "Defect", text)
    import torch

    from alignment_trainer.process.lost_peers import is_lost_peer

    if isinstance(error, torch.cuda.OutOfMemoryError):
        smaller = (
            "lower compute.microBatchSize or maxLength, or raise compute.sharding"
            if KINDS[config.stage.kind].trains
            else "each process loads one whole model; use GPUs with more memory, and nothing else on them"
        )
        why = f"the GPU ran out of memory; {smaller} ({text.splitlines()[0]})"
        return RankOutcome(int(ExitCode.DEFECT), "OutOfMemory", why)
    if is_lost_peer(error):
        return failure_of(PeerLost("another process of this stage ended unexpectedly; its own log shows why"))
    return RankOutcome(int(ExitCode.DEFECT), "Defect", text)


if __name__ == "__main__":
    code = main()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    # Exit at once: while the interpreter shuts down, libraries' threads abort some processes after all work is done.
    os._exit(code)
