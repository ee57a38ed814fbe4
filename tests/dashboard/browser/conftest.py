"""Fixtures of the tests in a real browser: a filled home, a served dashboard, and a page that must log no error."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alignment_api.home import Home
from chromium import opened_browser
from playwright.sync_api import Browser, ConsoleMessage, Page, expect
from seeded_home import write_home
from seeded_reports import write_reports
from served_dashboard import served

WIDTH, HEIGHT = 1440, 900
# The first page waits for libraries that take seconds to load, on a machine that does other work.
expect.set_options(timeout=30_000)


# Not for the whole session: while Playwright runs, no other test of this process can run an event loop.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Open one browser for the tests of a module."""
    with opened_browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Home:
    """Write the home of tests/seeded_home.py, with runs whose models were measured."""
    home = write_home(tmp_path_factory.mktemp("shared") / "home", empty_database, datetime.now(UTC))
    write_reports(home)
    return home


@pytest.fixture(scope="session")
def shared_dashboard(shared_home: Home) -> Iterator[str]:
    """Serve it, and return the address."""
    with served(ALIGNMENT_HOME=str(shared_home.root)) as address:
        yield address


@pytest.fixture(scope="module")
def seeded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Home:
    """Return the home that all modules share and may add to, or of a module with OWN_HOME its own, which it may change."""
    if not getattr(request.module, "OWN_HOME", False):
        return request.getfixturevalue("shared_home")  # type: ignore[no-any-return]
    return write_home(tmp_path_factory.mktemp("seeded") / "home", empty_database, datetime.now(UTC))


@pytest.fixture(scope="module")
def dashboard(request: pytest.FixtureRequest, browser: Browser, seeded: Home) -> Iterator[str]:
    """Return the address at which that home is served; without a browser nothing is served."""
    if not getattr(request.module, "OWN_HOME", False):
        yield request.getfixturevalue("shared_dashboard")
        return
    with served(ALIGNMENT_HOME=str(seeded.root)) as address:
        yield address


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open pages with the given settings of a browser context; the test fails if one of them logs an error."""
    errors: list[str] = []
    contexts = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(f"{message.text} ({message.location.get('url', '')})")

    def open_(base_url: str, **settings: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": WIDTH, "height": HEIGHT}, "base_url": base_url, **settings})
        contexts.append(context)
        page = context.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not errors, "\n".join(errors)


@pytest.fixture
def page(open_page: Callable[..., Page], dashboard: str) -> Page:
    """Open an empty page of 1440 x 900 pixels, for which page.goto("/compare?jobs=...") is an address of the dashboard."""
    return open_page(dashboard)
