"""Entry point of a pod: runs one attempt of one stage, and always reports how it ended."""

from alignment_trainer.process.stop_signals import exit_on_request

if __name__ == "__main__":
    # First of all: what follows takes long to load.
    exit_on_request()

import argparse
import contextlib
import os
import sys
import traceback
from pathlib import Path

from alignment_api.exit_codes import ExitCode, Termination
from alignment_api.names import RUN_CONFIG_FILE
from alignment_api.problems import from_validation
from alignment_api.run_config import RunConfig
from pydantic import ValidationError

from alignment_trainer.failures import BadConfiguration
from alignment_trainer.output import stage_log
from alignment_trainer.process.outcome import RankOutcome, explained, termination_from
from alignment_trainer.process.termination import fitted, write_termination
from alignment_trainer.supervisor import CONFIG_VARIABLE, Supervisor

_POD_CONFIG = Path("/etc/alignment") / RUN_CONFIG_FILE


def main(arguments: list[str] | None = None) -> int:
    """Run the attempt that a RunConfig describes."""
    parser = argparse.ArgumentParser(prog="alignment_trainer", description="Runs one stage of an AlignmentJob.")
    default = Path(os.environ.get(CONFIG_VARIABLE) or _POD_CONFIG)
    parser.add_argument("--config", type=Path, default=default, help="RunConfig, as the operator writes it")
    path: Path = parser.parse_args(arguments).config
    termination = _run(path)
    write_termination(fitted(termination))
    # The log may be on a volume that is full.
    with contextlib.suppress(OSError):
        print(f"{termination.reason}: {termination.message}", file=sys.stderr, flush=True)
    stage_log.end()
    return termination.exit_code


def _run(path: Path) -> Termination:
    workspace = Path.cwd()
    try:
        config = _read_config(path)
        workspace = Path(config.paths.workspace)
        supervisor = Supervisor(config)
        supervisor.listen()
        return supervisor.run()
    except Exception as error:
        outcome = explained(error, workspace)
        if outcome is None:
            with contextlib.suppress(OSError):
                traceback.print_exc()
            outcome = RankOutcome(int(ExitCode.DEFECT), "Defect", f"{type(error).__name__}: {error}")
        return termination_from(outcome)


def _read_config(path: Path) -> RunConfig:
    try:
        return RunConfig.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadConfiguration(
            f"{path}: cannot be read ({error.strerror}); name the RunConfig with --config or {CONFIG_VARIABLE}"
        ) from error
    except ValidationError as error:
        problems = "\n".join(f"{path}: {problem}" for problem in from_validation(error, RunConfig))
        raise BadConfiguration(problems) from error


if __name__ == "__main__":
    code = main()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    # Exit without waiting for libraries' threads, such as those of a download.
    os._exit(code)
