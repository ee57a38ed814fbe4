"""Reads the username and password of a server from two files of a folder; they are never part of an address."""

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

USERNAME_FILE = "username"
PASSWORD_FILE = "password"

_USER_INFORMATION = re.compile(r"(?<=://)[^/\s?#]*@")


class Login(NamedTuple):
    """A username and its password."""

    username: str
    password: str


def read_login(folder: Path) -> Login:
    """Read username and password, without the newline that an editor adds at the end."""
    return Login(_read(folder / USERNAME_FILE), _read(folder / PASSWORD_FILE))


def has_credentials(address: str) -> bool:
    """Return whether an address contains a user or a password."""
    return "@" in urlsplit(address).netloc


def without_credentials(text: str) -> str:
    """Remove the user and password from every address in a text."""
    return _USER_INFORMATION.sub("", text)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8").rstrip("\r\n")
