"""A replica that waits is alive; one that leads must hear the API server."""

import pytest
from alignment_operator import health as module
from alignment_operator.health import Health


def test_a_replica_that_waits_for_the_lease_stays_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = Health()
    monkeypatch.setattr(module, "_LONGEST_SILENCE_SECONDS", -1)
    assert waiting.alive


def test_a_leader_that_hears_nothing_is_not_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    leading = Health()
    leading.sign_of_life()
    assert leading.alive
    monkeypatch.setattr(module, "_LONGEST_SILENCE_SECONDS", -1)
    assert not leading.alive
