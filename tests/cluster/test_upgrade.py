"""Upgrades from the previous version and to other defaults do not change a finished, a running and a suspended job."""

import pytest
from cluster.upgrades import Upgraded


def test_before_the_upgrade_each_job_has_the_state_in_its_name(upgraded: Upgraded) -> None:
    phases = {name: what["phase"] for name, what in upgraded.seen[0].items()}
    assert phases == {"finished": "Succeeded", "running": "Running", "suspended": "Suspended"}


@pytest.mark.parametrize("upgrade", [1, 2], ids=["to-this-version", "to-other-defaults"])
def test_an_upgrade_changes_no_job(upgrade: int, upgraded: Upgraded) -> None:
    assert upgraded.seen[upgrade] == upgraded.seen[0]
