"""Measures what open pages cost: an idle list of 1,000 jobs, 20 viewers for half an hour, and what fades while a job runs.

`python -P benchmarks/dashboard_viewers.py` (-P prevents Python from importing operator.py of this folder instead of the standard
library's `operator`). It writes a home of made-up jobs, serves it, and prints a table. A viewer is a websocket that asks again as
often as Streamlit's page in a browser does, and like it names the messages that it has kept; Chromium shows what fades.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy
import psutil
from playwright.sync_api import sync_playwright
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from seeded_curves import Parameters
from seeded_home import RUNNING, STEPS, SWEEP, Made, write_home
from served_dashboard import served_process

SETTLE_SECONDS, FADED_SECONDS = 20, 20
PAGE = ""
"""In place of the name of a part: the whole page."""
# Streamlit marks what it is about to replace, and by default lets it fade.
FADED = """() => [...document.querySelectorAll("[data-stale=true]")]
    .filter(part => Number(getComputedStyle(part).opacity) < 1).length"""


class Seen(NamedTuple):
    """What one viewer received, and how long each refresh took it."""

    received: int
    refreshes: list[float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--viewers", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=30, help="how long the viewers look")
    parser.add_argument("--idle-seconds", type=float, default=120, help="how long the idle list is looked at")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_jobs(Path(folder), options.jobs)
        with serving(Path(folder) / "home") as (address, process):
            rows = [
                *measure_idle(address, process, options.idle_seconds),
                *measure_viewers(address, process, options.viewers, 60 * options.minutes),
                measure_faded(address, Path(folder) / "home"),
            ]
    print("| figure | measured | goal |\n|---|---|---|")
    for name, measured, goal in rows:
        print(f"| {name} | {measured} | {goal} |")


def write_jobs(folder: Path, count: int) -> None:
    """Write a running job, a sweep with whole curves, and many short jobs."""
    from mlflow import MlflowClient

    MlflowClient(f"sqlite:///{folder / 'empty.db'}").search_experiments()
    short = [
        Made(f"short-{number:04}", Parameters(), "Failed", (20, 0), "BadData", "a row has no answer") for number in range(count)
    ]
    write_home(folder / "home", folder / "empty.db", datetime.now(UTC), [*short[: count - len(SWEEP) - 1], *SWEEP, RUNNING])


@contextmanager
def serving(home: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Serve a home until the block ends, as the image of the dashboard does, and return host and port, and the process."""
    with served_process("--home", str(home), MALLOC_ARENA_MAX="2") as (address, process):
        yield address.removeprefix("http://"), psutil.Process(process.pid)


def measure_idle(address: str, process: psutil.Process, seconds: float) -> Iterator[tuple[str, str, str]]:
    """Look at an idle list; what the process needs without any viewer is subtracted."""
    asyncio.run(look(address, SETTLE_SECONDS, 0))
    before = cpu_seconds(process)
    time.sleep(seconds)
    alone = cpu_seconds(process) - before
    # The first seconds send the page itself.
    seen, cpu = asyncio.run(timed_look(address, process, seconds))
    yield "idle list: received per viewer", f"{seen.received / seconds / 1000:.2f} KB/s", "≤ 5 KB/s"
    yield "idle list: processor per viewer", f"{(cpu - alone) / seconds:.3f} core", "≤ 0.02 core"
    yield "idle list: processor without a viewer", f"{alone / seconds:.3f} core", ""


async def timed_look(address: str, process: psutil.Process, seconds: float) -> tuple[Seen, float]:
    looking = asyncio.create_task(look(address, SETTLE_SECONDS + seconds, SETTLE_SECONDS))
    await asyncio.sleep(SETTLE_SECONDS)
    before = cpu_seconds(process)
    seen = await looking
    return seen, cpu_seconds(process) - before


def measure_viewers(address: str, process: psutil.Process, viewers: int, seconds: float) -> Iterator[tuple[str, str, str]]:
    """Let many viewers look at the list, a running job and a comparison, and watch the memory."""
    sizes = asyncio.run(crowd(address, process, viewers, seconds))
    refreshes, memory = sizes
    yield f"{viewers} viewers: refresh, p50 / p95", describe_refreshes(refreshes), "p95 ≤ 500 ms"
    quarters = [statistics.median(part) for part in numpy.array_split(memory, 4)]
    yield (
        f"{viewers} viewers for {seconds / 60:g} minutes: median memory of each quarter",
        f"{', '.join(f'{quarter:.0f}' for quarter in quarters)} MB",
        "flat",
    )


def describe_refreshes(refreshes: list[float]) -> str:
    if not refreshes:
        return f"no refresh was seen: the first {SETTLE_SECONDS} s do not count, so give more --minutes"
    return "{:.0f} / {:.0f} ms".format(*1000 * numpy.quantile(refreshes, [0.5, 0.95]))


async def crowd(address: str, process: psutil.Process, viewers: int, seconds: float) -> tuple[list[float], list[int]]:
    pages = ["/", f"/run?job={RUNNING.identity}", f"/compare?jobs={','.join(made.identity for made in SWEEP[:4])}", "/"]
    looking = [
        asyncio.create_task(look(address, seconds, SETTLE_SECONDS, pages[number % len(pages)])) for number in range(viewers)
    ]
    memory: list[int] = []
    while not all(task.done() for task in looking):
        memory.append(process.memory_info().rss // 1_000_000)
        await asyncio.sleep(min(5, seconds / 20))
    seen = [await task for task in looking]
    return [refresh for one in seen for refresh in one.refreshes], memory


async def look(address: str, seconds: float, settle: float, page: str = "/") -> Seen:
    """Open a page and refresh its parts as a browser does; what the first seconds bring does not count."""
    name, _, query = page.removeprefix("/").partition("?")
    async with connect(f"ws://{address}/_stcore/stream", subprotocols=["streamlit"], max_size=None) as connection:
        viewer = Viewer(connection, name, query, time.monotonic() + settle)
        await viewer.ask(PAGE)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await viewer.step()
    return Seen(viewer.received, viewer.refreshes)


class Viewer:
    """What Streamlit's page in a browser does: it keeps messages, and asks for each part again after its interval."""

    def __init__(self, connection: ClientConnection, page: str, query: str, counted_from: float) -> None:
        self._connection, self._page, self._query, self._counted_from = connection, page, query, counted_from
        self._due: dict[str, float] = {}
        self._intervals: dict[str, float] = {}
        self._asked: dict[str, float] = {}
        self._running: list[str] = []
        self._kept: set[str] = set()
        self.received, self.refreshes = 0, list[float]()

    async def ask(self, fragment: str) -> None:
        """Ask for the page, or for a part of it."""
        message = BackMsg()
        state = message.rerun_script
        state.page_name, state.query_string = self._page, self._query
        state.fragment_id, state.is_auto_rerun = fragment, bool(fragment)
        state.cached_message_hashes.extend(self._kept)
        # Streamlit runs a part once that was asked for twice meanwhile: the first of them waited longest.
        self._asked.setdefault(fragment, time.monotonic())
        await self._connection.send(message.SerializeToString())

    async def step(self) -> None:
        """Ask for the parts that are due, and take the next message, if one comes soon."""
        now = time.monotonic()
        for fragment in [fragment for fragment, due in self._due.items() if due <= now]:
            self._due[fragment] = now + self._intervals[fragment]
            await self.ask(fragment)
        wait = max(0.01, min([due - now for due in self._due.values()], default=0.2))
        try:
            self._take(await asyncio.wait_for(self._connection.recv(), wait))
        except TimeoutError:
            return

    def _take(self, frame: bytes | str) -> None:
        assert isinstance(frame, bytes)
        now, message = time.monotonic(), ForwardMsg.FromString(frame)
        counts = now >= self._counted_from
        self.received += len(frame) * counts
        kind = message.WhichOneof("type")
        if message.metadata.cacheable:
            self._kept.add(message.hash)
        if kind == "new_session":
            self._running = list(message.metadata.run.fragment_ids) or [PAGE]
            if self._running == [PAGE]:
                # The page is drawn anew, with parts of its own.
                self._due, self._intervals = {}, {}
                self._asked = {PAGE: self._asked.get(PAGE, now)}
        elif kind == "auto_rerun":
            fragment = message.auto_rerun.fragment_id
            self._intervals[fragment] = message.auto_rerun.interval
            self._due.setdefault(fragment, now + message.auto_rerun.interval)
        elif kind == "script_finished":
            took = [now - asked for part in self._running if (asked := self._asked.pop(part, None)) is not None]
            self.refreshes += took if counts else []


def measure_faded(address: str, home: Path) -> tuple[str, str, str]:
    """Look at the page of a running job ten times a second while its status changes."""
    command = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if command is None:
        return "a running job's page: samples with something faded", "not measured: no Chromium", "0 %"
    file = home / "objects" / "default" / RUNNING.name / "job.json"
    arguments = ["--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=command, args=arguments) as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"http://{address}/run?job={RUNNING.identity}")
        page.locator("[data-testid=stEChartsChart] canvas").first.wait_for()
        page.wait_for_timeout(1000 * SETTLE_SECONDS)
        samples: list[bool] = []
        end = time.monotonic() + FADED_SECONDS
        while time.monotonic() < end:
            advance(file, len(samples))
            samples.append(page.evaluate(FADED) > 0)
            page.wait_for_timeout(100)
    share = 100 * sum(samples) / len(samples)
    return "a running job's page: samples with something faded", f"{share:.0f} % of {len(samples)}", "0 %"


def advance(file: Path, number: int) -> None:
    """Let the running job make a step."""
    document = json.loads(file.read_text())
    progress = document["status"]["stages"][1]["progress"]
    progress["step"] = min(STEPS, RUNNING.steps[1] + number // 10)
    progress["updatedTime"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    file.with_suffix(".new").write_text(json.dumps(document))
    file.with_suffix(".new").replace(file)


def cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


if __name__ == "__main__":
    main()
