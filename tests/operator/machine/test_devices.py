"""No two stages of one machine share a GPU."""

from pathlib import Path

import pytest
from alignment_operator.machine.devices import chosen, devices_of
from alignment_operator.reconcile import Refused

KNOWN: list[tuple[str, dict[str, str], list[str], list[str]]] = [
    ("no GPU", {}, ["null", "nvidiactl", "nvidia-uvm"], []),
    ("those of the system", {}, ["nvidia0", "nvidia3", "nvidiactl"], ["0", "1"]),
    ("those that are allowed", {"CUDA_VISIBLE_DEVICES": "2, 5"}, ["nvidia0"], ["2", "5"]),
    ("parts of a GPU", {"CUDA_VISIBLE_DEVICES": "MIG-a,MIG-b"}, ["nvidia0"], ["MIG-a", "MIG-b"]),
    ("none is allowed", {"CUDA_VISIBLE_DEVICES": ""}, ["nvidia0"], []),
    ("none is allowed, by a number", {"CUDA_VISIBLE_DEVICES": "-1"}, ["nvidia0"], []),
]


@pytest.mark.parametrize(("environment", "files", "found"), [row[1:] for row in KNOWN], ids=[row[0] for row in KNOWN])
def test_the_gpus_of_a_machine(tmp_path: Path, environment: dict[str, str], files: list[str], found: list[str]) -> None:
    for name in files:
        (tmp_path / name).touch()
    assert devices_of(environment, tmp_path) == found


FOUR = ["0", "1", "2", "3"]
CHOICES: list[tuple[str, int, list[str], list[list[str]], list[str] | None]] = [
    ("on CPUs", 0, FOUR, [["0", "1", "2", "3"]], []),
    ("the first ones", 2, FOUR, [], ["0", "1"]),
    ("those that are free", 2, FOUR, [["0"], ["2"]], ["1", "3"]),
    ("too few are free", 2, FOUR, [["0", "1", "3"]], None),
    ("the machine has too few: the trainer says so", 8, FOUR, [], []),
    ("the machine has too few, and another stage runs", 8, FOUR, [["0"]], None),
    ("GPUs that cannot be counted", 1, [], [], []),
    ("GPUs that cannot be counted, and another stage uses them", 1, [], [[]], None),
]


@pytest.mark.parametrize(("needed", "known", "taken", "given"), [row[1:] for row in CHOICES], ids=[row[0] for row in CHOICES])
def test_the_gpus_of_an_attempt(needed: int, known: list[str], taken: list[list[str]], given: list[str] | None) -> None:
    if given is not None:
        assert chosen(needed, known, taken) == given
        return
    with pytest.raises(Refused, match=f"needs {needed} of this machine's GPUs") as refusal:
        chosen(needed, known, taken)
    assert refusal.value.reason == "GPUsTaken"


def test_gpus_beside_a_stage_for_which_cuda_chose_are_not_counted_as_free() -> None:
    with pytest.raises(Refused) as refusal:
        chosen(1, ["0", "1"], [["0"], []])
    assert str(refusal.value) == (
        "needs 1 of this machine's GPUs, and a stage beside it uses GPUs that CUDA chose, so none is certain to be free; "
        "it starts when that stage ends"
    )
