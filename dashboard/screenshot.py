"""Takes the picture of the dashboard in README.md: the page of one job of this machine, as Chromium draws it."""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alignment_api.home import Home
from playwright.sync_api import Page, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTH, HEIGHT = 1440, 900
WAIT_SECONDS = 90
# Streamlit draws a chart's canvas only when the chart has its data.
DRAWN = "[data-testid=stEChartsChart] canvas"


def main() -> None:
    """Serve the dashboard, open the job's page in a browser without a window, and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", help="name of a job that `alignment run` has run")
    parser.add_argument("picture", type=Path, help="the PNG to write")
    options = parser.parse_args()
    browser, uid = find_browser(), find_uid(options.job)
    with serving() as address, browsing(browser) as page:
        page.goto(f"{address}/run?job={uid}")
        page.locator(DRAWN).first.wait_for(timeout=1000 * WAIT_SECONDS)
        # While a script runs, Streamlit's page has not everything that it will have.
        page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=1000 * WAIT_SECONDS)
        page.screenshot(path=options.picture)
    print(f"wrote {options.picture}")


def find_browser() -> str:
    """Return the command of a Chromium, or exit with a sentence."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    return found or sys.exit(
        "This needs Chromium or Chrome: install one (Debian: `apt-get install chromium`) or set CHROMIUM to its path."
    )


def find_uid(name: str) -> str:
    """Return the identity of a local job, or exit with a sentence."""
    path = Home.from_environment().job_folder("default", name) / "job.json"
    if not path.is_file():
        sys.exit(f"{path} is missing: run `make demo` first, or set ALIGNMENT_HOME to the folder in which it ran.")
    return str(json.loads(path.read_text())["metadata"]["uid"])


@contextmanager
def serving() -> Iterator[str]:
    """Serve the dashboard on a free port, and return its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "alignment_dashboard", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            wait_until_it_answers(f"{address}/healthz")
            yield address
        finally:
            process.terminate()


def wait_until_it_answers(address: str) -> None:
    """Wait for a server, or exit with a sentence."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            with urllib.request.urlopen(address, timeout=WAIT_SECONDS):
                return
        except OSError as error:
            if time.monotonic() > deadline:
                sys.exit(f"The dashboard has not started in {WAIT_SECONDS} s ({error}).")
        time.sleep(0.2)


@contextmanager
def browsing(command: str) -> Iterator[Page]:
    """Open an empty page in a new browser."""
    # Chromium's sandbox refuses to run as root.
    arguments = ["--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=command, args=arguments) as browser:
        yield browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})


if __name__ == "__main__":
    main()
