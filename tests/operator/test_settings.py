"""Settings that would expose a password are refused in a sentence that does not contain it."""

import subprocess
import sys

import pytest
from alignment_operator.settings import Settings
from pydantic import ValidationError


@pytest.mark.parametrize("field", ["tracking_uri", "tracking_public_url", "tracking_artifacts"])
def test_an_address_with_a_password_is_refused(field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(**{field: "https://me:secret@mlflow.example.com"})  # type: ignore[arg-type]
    said = str(caught.value)
    assert f"ALIGNMENT_{field.upper()} contains a user or a password; remove them" in said
    assert "secret@" not in said


def test_the_operator_prints_the_refusal_in_one_line_when_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIGNMENT_TRACKING_URI", "https://me:hunter2@mlflow.example.com")
    done = subprocess.run([sys.executable, "-m", "alignment_operator"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ALIGNMENT_TRACKING_URI contains a user or a password; remove them")
    assert len(done.stderr.splitlines()) == 1 and "hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize("uri", ["http://mlflow:5000", "sqlite:////home/a@b/mlflow.db", "https://mlflow.example.com/a@b"])
def test_an_address_without_a_password_is_accepted(uri: str) -> None:
    assert Settings(tracking_uri=uri).tracking_uri == uri
