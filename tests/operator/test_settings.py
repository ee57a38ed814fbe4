"""Settings that would expose a password are refused in a sentence that does not contain it."""

import subprocess
import sys

import pytest
from alignment_operator.settings import Settings, WrongSettings, read_settings
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


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("HEALTH_PORT", "http", "must be a whole number; correct it"),
        ("HEALTH_PORT", "", "must be a whole number; correct it"),
        ("HEALTH_PORT", "1.5", "must be a whole number; correct it"),
        ("HEALTH_PORT", "9" * 5000, "must be a whole number with fewer digits; correct it"),
        ("GRACE_SECONDS", "1", "must be at least 10; correct it"),
        ("PROGRESS_INTERVAL_SECONDS", "soon", "must be a number; correct it"),
        ("PROGRESS_INTERVAL_SECONDS", "0", "must be at least 1; correct it"),
        ("FIRST_RETRY_DELAY_SECONDS", "nan", "must be a number that is finite; correct it"),
        ("WATCH_NAMESPACES", "team-a", 'must be a JSON list of names, such as ["one", "two"]; correct it'),
        ("WATCH_NAMESPACES", "[1]", 'must be a JSON list of names, such as ["one", "two"]; correct it'),
        ("IMAGE_PULL_SECRETS", '{"a": 1}', 'must be a JSON list of names, such as ["one", "two"]; correct it'),
    ],
)
def test_a_wrong_setting_is_refused_in_a_sentence(
    variable: str, value: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"ALIGNMENT_{variable}", value)
    with pytest.raises(WrongSettings) as refused:
        read_settings()
    assert str(refused.value) == f"ALIGNMENT_{variable} {sentence}"


def test_every_wrong_setting_is_named_and_lists_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIGNMENT_WATCH_NAMESPACES", '["team-a", "team-b"]')
    assert read_settings().watch_namespaces == ["team-a", "team-b"]
    monkeypatch.setenv("ALIGNMENT_HEALTH_PORT", "http")
    monkeypatch.setenv("ALIGNMENT_TRACKING_URI", "https://me:hunter2@mlflow.example.com")
    with pytest.raises(WrongSettings) as refused:
        read_settings()
    uri, port = str(refused.value).splitlines()
    assert uri.startswith("ALIGNMENT_TRACKING_URI contains a user or a password") and "hunter2" not in uri
    assert port == "ALIGNMENT_HEALTH_PORT must be a whole number; correct it"


@pytest.mark.parametrize("uri", ["http://mlflow:5000", "sqlite:////home/a@b/mlflow.db", "https://mlflow.example.com/a@b"])
def test_an_address_without_a_password_is_accepted(uri: str) -> None:
    assert Settings(tracking_uri=uri).tracking_uri == uri
