"""The name and password that a server asks for: kept in two files of a folder, and never part of an address."""

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

USERNAME_FILE = "username"
PASSWORD_FILE = "password"

_USER_INFORMATION = re.compile(r"(?<=://)[^/\s?#]*@")


class Login(NamedTuple):
    """What a server asks for."""

    username: str
    password: str


def read_login(folder: Path) -> Login:
    """Read name and password; an editor's newline at the end belongs to neither."""
    return Login(_read(folder / USERNAME_FILE), _read(folder / PASSWORD_FILE))


def has_credentials(address: str) -> bool:
    """Say whether an address names a user or a password."""
    return "@" in urlsplit(address).netloc


def without_credentials(text: str) -> str:
    """Leave out the user and password of every address in a text."""
    return _USER_INFORMATION.sub("", text)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8").rstrip("\r\n")
