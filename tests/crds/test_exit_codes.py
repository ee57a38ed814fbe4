"""What the operator does about each exit code and reason."""

import pytest
from alignment_api.exit_codes import consequence


@pytest.mark.parametrize(
    ("exit_code", "reason", "expected"),
    [
        (65, "BadData", "Permanent"),
        (78, "BadConfiguration", "Permanent"),
        (78, "KeyRefused", "Permanent"),
        (78, "BudgetSpent", "Permanent"),
        (70, "Diverged", "Permanent"),
        (70, "Defect", "Application"),
        (1, "", "Application"),
        (139, "Killed", "Application"),
        (75, "Stopped", "Infrastructure"),
        (69, "Unreachable", "Infrastructure"),
        (69, "DiskFull", "Infrastructure"),
        (70, "SharedMemoryFull", "Application"),
        (137, "Killed", "Infrastructure"),
        (137, "OOMKilled", "Permanent"),
        (143, "Killed", "Infrastructure"),
    ],
)
def test_consequence(exit_code: int, reason: str, expected: str) -> None:
    assert consequence(exit_code, reason) == expected
