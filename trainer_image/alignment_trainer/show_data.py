"""Shows how rows of a job are read: `python -m alignment_trainer.show_data RUN_CONFIG`; `alignment show-data` starts it."""

import argparse
import os
import signal
import sys
from pathlib import Path
from pkgutil import resolve_name

from alignment_api.run_config import RunConfig
from alignment_api.spec.kinds import KINDS

from alignment_trainer.checks.kinds import kind_of
from alignment_trainer.failures import StageFailure
from alignment_trainer.fetching.hub import configure_libraries
from alignment_trainer.process.lifeline import die_with
from alignment_trainer.settings.later import all_stages
from alignment_trainer.showing.model_files import tokenizer_folder

_SHOWN, _REFUSED = 0, 2


def main(arguments: list[str] | None = None) -> int:
    """Show the first rows of every dataset of one stage, or of all stages."""
    parser = argparse.ArgumentParser(prog="alignment_trainer.show_data", description="Shows how rows of a job are read.")
    parser.add_argument("config", type=Path, help="RunConfig of the job's first stage")
    parser.add_argument("--stage", help="only this stage")
    parser.add_argument("-n", type=int, default=3, help="rows of each dataset")
    options = parser.parse_args(arguments)
    config = RunConfig.model_validate_json(options.config.read_text(encoding="utf-8"))
    stages = [each for each in all_stages(config) if options.stage in (None, each.stage_name)]
    configure_libraries(config.paths)
    try:
        faults = [_show(each, options.n) for each in stages if _learns_rows(each)]
    except StageFailure as failure:
        for sentence in str(failure).splitlines():
            print(f"error: {sentence}", file=sys.stderr)
        return _REFUSED
    return _REFUSED if any(faults) else _SHOWN


def _learns_rows(config: RunConfig) -> bool:
    """Return whether a stage learns the rows of its datasets; others ask models about them."""
    return KINDS[config.stage.kind].trains and not kind_of(config).makes_rows


def _show(config: RunConfig, rows: int) -> int:
    """Print the rows of one stage; return how many of them training would refuse."""
    folder, kind = tokenizer_folder(config), kind_of(config)
    # Imported late: these load torch.
    import transformers

    from alignment_trainer.showing.stages import Reading, stage_lines

    transformers.utils.logging.set_verbosity_error()
    faults = 0
    in_colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    reading = Reading(folder, kind.needs_answers(config), resolve_name(kind.form))
    for line in stage_lines(config, reading, rows, in_colour):
        if line.is_fault:
            print(f"error: {line.text}", file=sys.stderr, flush=True)
        else:
            print(line.text, flush=True)
        faults += line.is_fault
    return faults


if __name__ == "__main__":
    die_with(os.getppid())
    # A reader such as `head` ends this program quietly, and so does Ctrl-C.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    code = main()
    sys.stdout.flush()
    # Exit without waiting for libraries' threads.
    os._exit(code)
