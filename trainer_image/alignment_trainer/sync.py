"""Ships to MLflow what stages could not: `python -m alignment_trainer.sync [FOLDER...]`, where the workspace volume is."""

import argparse
import sys
from pathlib import Path

from alignment_api.credentials import without_credentials

from alignment_trainer.tracking.shipping import left_behind, ship_all
from alignment_trainer.tracking.tracked_runs import configure_client

_WORKSPACE = Path("/workspace")


def main(arguments: list[str] | None = None) -> int:
    """Ship everything below some folders; 0 where all has arrived."""
    parser = argparse.ArgumentParser(prog="alignment_trainer.sync", description="Ships to MLflow what stages could not.")
    parser.add_argument(
        "folders", type=Path, nargs="*", default=[_WORKSPACE], help="workspace, jobs or stages; /workspace where left out"
    )
    folders: list[Path] = parser.parse_args(arguments).folders
    missing = [folder for folder in folders if not folder.is_dir()]
    if missing:
        print(f"error: {missing[0]}: is not a folder; name a workspace, a job's or a stage's folder", file=sys.stderr)
        return 2
    configure_client()
    arrived = [_ship(stage) for folder in folders for stage in left_behind(folder)]
    return 0 if all(arrived) else 1


def _ship(stage: Path) -> bool:
    try:
        ship_all(stage)
    # MLflow's client raises errors of a dozen libraries; another stage may go to another server.
    except Exception as error:
        reason = without_credentials(str(error).splitlines()[0]) if str(error) else ""
        print(f"error: {stage}: MLflow did not take it ({type(error).__name__}: {reason}); try again", file=sys.stderr)
        return False
    print(f"{stage}: everything has arrived", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
