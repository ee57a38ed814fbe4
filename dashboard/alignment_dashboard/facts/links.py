"""The addresses of pages; all state of a page is in its address.

They are relative, so that they also work below a base path: all pages are side by side.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from urllib.parse import urlencode

SEPARATOR = ","

NAME = r"[?&]name=([^&]*)"
"""Finds the name in the address of a named link."""


# A list of hundreds of runs asks for the links of all at each visit.
@lru_cache(maxsize=8192)
def run_link(identity: str) -> str:
    """Return the address of the page of one job."""
    return f"run?{urlencode({'job': identity})}"


def compare_link(identities: Sequence[str]) -> str:
    """Return the address of a comparison; its first run is the baseline."""
    return f"compare?{urlencode({'jobs': ','.join(identities)}, safe=',/')}"


@lru_cache(maxsize=8192)
def named(link: str, name: str) -> str:
    """Return a link that carries the name to show for it; it sorts by that name."""
    path, _, query = link.partition("?")
    return f"{path}?{urlencode({'name': name})}&{query}"


def jobs_asked(query: Mapping[str, str]) -> list[str]:
    """Return the identities in `jobs`, which the pages write, or else in `job`, which people write for a single one."""
    return jobs_in(query.get("jobs") or query.get("job"))


def jobs_in(text: str | None) -> list[str]:
    """Return the identities that an address names, each once."""
    return list(dict.fromkeys(part for part in (text or "").split(",") if part))


def one_of(query: Mapping[str, str], parameter: str, options: Sequence[str], default: str = "") -> str:
    """Return the value of a parameter if it is an option, else the default."""
    value = query.get(parameter, default)
    return value if value in options else default


def some_of(query: Mapping[str, str], parameter: str, options: Sequence[str], default: Sequence[str]) -> list[str]:
    """Return the values of a parameter that are options; the default if the address does not have the parameter."""
    named = query.get(parameter)
    return list(default) if named is None else [name for name in named.split(SEPARATOR) if name in options]
