"""Fixtures of the tests in a real browser: a filled home, a served dashboard, and a page that must log no error."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alignment_api.home import Home
from chromium import browser_command, opened_browser
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect
from seeded_home import write_home
from seeded_reports import write_reports
from served_dashboard import served

WIDTH, HEIGHT = 1440, 900
# The first page waits for libraries that take seconds to load, on a machine that does other work.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="session")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which one process's browsers keep compiled scripts, most of the work of a first visit."""
    browser_command()
    return tmp_path_factory.mktemp("profile")


# Not for the whole session: while Playwright runs, no other test of this process can run an event loop.
@pytest.fixture(scope="module")
def visitor(profile: Path, dashboard: str) -> Iterator[BrowserContext]:
    """Open one browser for the tests of a module."""
    with opened_browser(profile, viewport={"width": WIDTH, "height": HEIGHT}, base_url=dashboard) as context:
        yield context


@pytest.fixture(scope="module")
def browser(visitor: BrowserContext) -> Browser:
    """Return that browser, in which a test may open pages of other visitors."""
    assert visitor.browser
    return visitor.browser


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
def dashboard(request: pytest.FixtureRequest, profile: Path, seeded: Home) -> Iterator[str]:
    """Return the address at which that home is served; without a browser nothing is served."""
    if not getattr(request.module, "OWN_HOME", False):
        yield request.getfixturevalue("shared_dashboard")
        return
    with served(ALIGNMENT_HOME=str(seeded.root)) as address:
        yield address


@pytest.fixture
def open_page(visitor: BrowserContext, browser: Browser, dashboard: str) -> Iterator[Callable[..., Page]]:
    """Open pages, each as a first visit but for compiled scripts; the test fails if one of them logs an error."""
    errors: list[str] = []
    contexts: list[BrowserContext] = []
    pages: list[Page] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(f"{message.text} ({message.location.get('url', '')})")

    def open_(base_url: str, **settings: Any) -> Page:
        if base_url == dashboard and not settings:
            page = visitor.new_page()
        else:
            settings = {"viewport": {"width": WIDTH, "height": HEIGHT}, "base_url": base_url, **settings}
            contexts.append(browser.new_context(**settings))
            page = contexts[-1].new_page()
        pages.append(page)
        page.on("console", note)
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page

    yield open_
    for page in pages:
        page.close()
    for context in contexts:
        context.close()
    _forget(visitor, dashboard)
    assert not errors, "\n".join(errors)


def _forget(visitor: BrowserContext, address: str) -> None:
    """Remove all that pages have stored in the browser; what it has downloaded and compiled stays."""
    visitor.clear_cookies()
    empty, *_ = visitor.pages
    visitor.new_cdp_session(empty).send("Storage.clearDataForOrigin", {"origin": address, "storageTypes": "all"})


@pytest.fixture
def page(open_page: Callable[..., Page], dashboard: str) -> Page:
    """Open an empty page of 1440 x 900 pixels, for which page.goto("/compare?jobs=...") is an address of the dashboard."""
    return open_page(dashboard)
