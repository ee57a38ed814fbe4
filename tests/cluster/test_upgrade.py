"""Jobs that the previous version started, when this version takes its place; the upgrade goes on beside the next module."""

from cluster.upgrades import Upgraded


def test_before_the_upgrade_each_job_has_the_state_in_its_name(upgraded: Upgraded) -> None:
    phases = {name: what["phase"] for name, what in upgraded.before.items()}
    assert phases == {"finished": "Succeeded", "running": "Running", "suspended": "Suspended"}
