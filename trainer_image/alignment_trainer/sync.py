"""Ships metrics to MLflow that stages could not ship: `python -m alignment_trainer.sync [FOLDER...]` on the workspace volume."""

import argparse
import os
import sys
from pathlib import Path

from alignment_api.credentials import without_credentials

from alignment_trainer.tracking.shipping import left_behind, ship_all
from alignment_trainer.tracking.tracked_runs import configure_client

_WORKSPACE = Path("/workspace")


def main(arguments: list[str] | None = None) -> int:
    """Ship everything below some folders; return 0 if all of it arrived."""
    parser = argparse.ArgumentParser(
        prog="alignment_trainer.sync", description="Ships metrics to MLflow that stages could not ship."
    )
    parser.add_argument(
        "folders", type=Path, nargs="*", default=[_WORKSPACE], help="folders of workspaces, jobs or stages (default: /workspace)"
    )
    folders: list[Path] = parser.parse_args(arguments).folders
    missing = [folder for folder in folders if not folder.is_dir()]
    if missing:
        print(f"error: {missing[0]}: is not a folder; name the folder of a workspace, a job or a stage", file=sys.stderr)
        return 2
    configure_client()
    arrived = [_ship(stage) for folder in folders for stage in left_behind(folder)]
    return 0 if all(arrived) else 1


def _ship(stage: Path) -> bool:
    try:
        ship_all(stage)
    # MLflow's client raises errors of a dozen libraries. Continue: the next stage may use another server.
    except Exception as error:
        reason = without_credentials(str(error).splitlines()[0]) if str(error) else ""
        print(f"error: {stage}: MLflow did not take it ({type(error).__name__}: {reason}); try again", file=sys.stderr)
        return False
    print(f"{stage}: everything has arrived", flush=True)
    return True


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        # The reader has ended; what is left in the buffer goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
