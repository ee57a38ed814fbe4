"""The browser of the tests: Debian's Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, sync_playwright

# The first draws the same pages with a fifth less work, since it has no windows.
COMMANDS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def browser_command() -> str:
    """Return the browser's program; skip the test where none is installed, but fail it in CI."""
    command = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, COMMANDS)), None)
    if command is None:
        stop = pytest.fail if os.environ.get("CI") else pytest.skip
        stop("This test needs Chromium: `apt-get install chromium-headless-shell` in Debian, or set CHROMIUM to its path.")
    return command


@contextmanager
def opened_browser(profile: Path | None = None, **settings: Any) -> Iterator[BrowserContext]:
    """Open a browser without a window; one with a profile finds the scripts that browsers before it have compiled there."""
    arguments = ["--disable-gpu", "--disable-background-networking"]
    # Chromium's sandbox refuses to run as root.
    arguments += ["--no-sandbox"] if os.geteuid() == 0 else []
    options = {"executable_path": browser_command(), "args": arguments, **settings}
    with sync_playwright() as playwright, playwright.chromium.launch_persistent_context(profile or "", **options) as context:
        yield context
