"""Takes the picture of the dashboard in README.md: the page of one job of this machine, as Chromium draws it."""

import argparse
import base64
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alignment_api.home import Home
from websockets.sync.client import ClientConnection, connect

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SIZE = {"width": 1280, "height": 1352, "deviceScaleFactor": 1, "mobile": False}
# The empty space above the page, in pixels.
MARGIN = 36
WAIT_SECONDS = 90
# Streamlit draws a chart's canvas only when the chart has its data.
DRAWN = 'document.querySelectorAll("[data-testid=stEChartsChart] canvas").length'
CHARTS_IN_VIEW = 4
SETTLE_SECONDS = 2


def main() -> None:
    """Serve the dashboard, open the job's page in a browser without a window, and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", help="name of a job that `alignment run` has run")
    parser.add_argument("picture", type=Path, help="the PNG to write")
    options = parser.parse_args()
    browser, uid = find_browser(), find_uid(options.job)
    with serving() as address, browsing(browser, f"{address}/run?job={uid}") as page:
        ask(page, "Emulation.setDeviceMetricsOverride", **SIZE)
        wait_for(lambda: evaluate(page, DRAWN) >= CHARTS_IN_VIEW, "the charts are not drawn")
        time.sleep(SETTLE_SECONDS)
        clip = {"x": 0, "y": MARGIN, "width": SIZE["width"], "height": SIZE["height"] - MARGIN, "scale": 1}
        options.picture.write_bytes(base64.b64decode(ask(page, "Page.captureScreenshot", clip=clip)["data"]))
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
    with stopping(
        subprocess.Popen([sys.executable, "-m", "alignment_dashboard", "--port", str(port)], stdout=subprocess.DEVNULL)
    ):
        wait_for(lambda: fetch(f"{address}/_stcore/health") == b"ok", "the dashboard does not start")
        yield address


@contextmanager
def browsing(browser: str, address: str) -> Iterator[ClientConnection]:
    """Open a page in a new browser, and connect to the page's DevTools."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        flags = ["--headless", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-port=0", f"--user-data-dir={profile}"]
        # Chromium's sandbox refuses to run as root.
        flags += ["--no-sandbox"] if os.geteuid() == 0 else []
        with stopping(subprocess.Popen([browser, *flags, address], stderr=subprocess.PIPE, text=True)) as process:
            listening = (re.search(r"DevTools listening on ws://([^/]+)/", line) for line in process.stderr or ())
            devtools = next(filter(None, listening), None)
            if devtools is None:
                sys.exit(f"{browser} ended before it opened a page; start it by hand to see why.")
            page = next(tab for tab in json.loads(fetch(f"http://{devtools[1]}/json/list")) if tab["type"] == "page")
            with connect(page["webSocketDebuggerUrl"], max_size=None) as connection:
                yield connection


@contextmanager
def stopping(process: "subprocess.Popen[Any]") -> Iterator["subprocess.Popen[Any]"]:
    """Stop a process when its block ends."""
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def ask(page: ClientConnection, method: str, **parameters: Any) -> dict[str, Any]:
    """Send one command of the DevTools protocol, and return its result; events in between are skipped."""
    page.send(json.dumps({"id": 1, "method": method, "params": parameters}))
    answer: dict[str, Any] = {}
    while "id" not in answer:
        answer = json.loads(page.recv(timeout=WAIT_SECONDS))
    result: dict[str, Any] = answer["result"]
    return result


def evaluate(page: ClientConnection, expression: str) -> int:
    """Return the number that an expression of JavaScript gives on the page."""
    return int(ask(page, "Runtime.evaluate", expression=expression)["result"]["value"])


def fetch(address: str) -> bytes:
    """Return the body of an answer; an empty one while no server listens."""
    try:
        with urllib.request.urlopen(address) as answer:
            body: bytes = answer.read()
            return body
    except OSError:
        return b""


def wait_for(holds: Callable[[], bool], otherwise: str) -> None:
    """Wait until a condition holds, or exit with a sentence."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            sys.exit(f"After {WAIT_SECONDS} s {otherwise}.")
        time.sleep(0.5)


if __name__ == "__main__":
    main()
