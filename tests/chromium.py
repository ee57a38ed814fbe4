"""The browser of the tests: Debian's Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

COMMANDS = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def opened_browser() -> Iterator[Browser]:
    """Open a browser without a window; skip the test where none is installed, but fail it in CI."""
    command = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, COMMANDS)), None)
    if command is None:
        stop = pytest.fail if os.environ.get("CI") else pytest.skip
        stop("This test needs Chromium: install it (Debian: `apt-get install chromium`), or set CHROMIUM to its path.")
    arguments = ["--disable-gpu", "--disable-background-networking"]
    # Chromium's sandbox refuses to run as root.
    arguments += ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=command, args=arguments) as browser:
        yield browser
