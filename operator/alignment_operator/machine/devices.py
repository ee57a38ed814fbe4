"""Which GPUs of this machine an attempt gets, so that no two stages share one."""

from collections.abc import Mapping
from pathlib import Path

from alignment_operator.reconcile import Refused

VISIBLE_DEVICES = "CUDA_VISIBLE_DEVICES"


def devices_of(environment: Mapping[str, str], system: Path = Path("/dev")) -> list[str]:
    """List the GPUs as CUDA names them: those that the environment allows, or else all of NVIDIA's that the system has."""
    allowed = environment.get(VISIBLE_DEVICES)
    if allowed is None:
        return [str(number) for number, _ in enumerate(system.glob("nvidia[0-9]*"))]
    return [name for name in map(str.strip, allowed.split(",")) if name and name != "-1"]


def chosen(needed: int, known: list[str], taken: list[list[str]]) -> list[str]:
    """Return the GPUs of an attempt, given those of each that runs; none where CUDA shall choose. Raises Refused."""
    free = [device for device in known if not any(device in others for others in taken)]
    if needed == 0 or (len(free) < needed and not taken):
        # The trainer says what is missing.
        return []
    if [] in taken:
        raise Refused(
            "GPUsTaken",
            f"needs {needed} of this machine's GPUs, and a stage beside it uses GPUs that CUDA chose, so none is certain to be "
            "free; it starts when that stage ends",
        )
    if len(free) < needed:
        raise Refused(
            "GPUsTaken",
            f"needs {needed} of this machine's GPUs, and the stages beside it have taken all but {len(free)} of {len(known)}; "
            "it starts when they end",
        )
    return free[:needed]
