"""Usernames and passwords are read from files and removed from every address that is shown."""

from pathlib import Path

import pytest
from alignment_api.credentials import Login, has_credentials, read_login, without_credentials


@pytest.mark.parametrize(
    ("address", "has"),
    [
        ("https://mlflow.example.com", False),
        ("https://me:secret@mlflow.example.com/path", True),
        ("https://me@mlflow.example.com", True),
        ("https://:secret@[::1]:5000", True),
        ("https://mlflow.example.com/a@b", False),
        ("sqlite:////home/a@b/mlflow.db", False),
        ("postgresql://me:secret@database/mlflow", True),
        ("s3://bucket/alignment", False),
    ],
)
def test_credentials_in_an_address_are_found(address: str, has: bool) -> None:
    assert has_credentials(address) is has


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("503, url='https://me:secret@host:5000/api'", "503, url='https://host:5000/api'"),
        ("from https://me:p@ss@host to http://you@other/x", "from https://host to http://other/x"),
        ("mail me@example.com or see https://host/a@b", "mail me@example.com or see https://host/a@b"),
    ],
)
def test_shown_texts_contain_no_credentials(text: str, shown: str) -> None:
    assert without_credentials(text) == shown


def test_a_login_is_two_files(tmp_path: Path) -> None:
    (tmp_path / "username").write_text("me\n")
    (tmp_path / "password").write_text(" p:ä \r\n")
    assert read_login(tmp_path) == Login("me", " p:ä ")
