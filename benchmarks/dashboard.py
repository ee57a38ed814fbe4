"""Opens pages of the dashboard and of MLflow's own UI on one database, in turn, in one browser, and prints figures as JSON.

`python -P benchmarks/dashboard.py --pictures FOLDER > figures.json` (-P prevents Python from importing operator.py of this folder
instead of the standard library's `operator`) fills a home with 500 jobs, each with a run of SFT and one of DPO: 1,000 runs with
20 metrics of 1,000 steps. This takes minutes and 6 GB; --home keeps it for the next time. --jobs and --steps make it smaller.

It needs Chromium (CHROMIUM, or Debian's) and a machine that does nothing else. A page is ready two frames after the parts that
`views` names are drawn. Look at the pictures, which show the pages at that moment, before you believe the figures.

Counting bytes makes Chromium slower, so the timed visits count none. By default each server has a private window. With
--profile both are visited in an ordinary profile, in which Chromium keeps compiled scripts of pages that were open for a while.
"""

import argparse
import json
import math
import os
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy
from alignment_api import metrics
from alignment_api.home import Home
from alignment_api.resolving.parameters import parameters
from alignment_api.resolving.recipes import resolve
from alignment_api.spec.job import AlignmentJob
from playwright.sync_api import BrowserContext, CDPSession, Page, Playwright, ViewportSize, sync_playwright
from playwright.sync_api import TimeoutError as NotReady

EXPERIMENT, COMPARED, STEP_SECONDS = 1, 10, 9
READY_SECONDS = 120
FILLING = 3
"""Visits of a page before those that count: Chromium compiles a script once more before it keeps what it has compiled."""
LOOKED_AT_SECONDS = 3
"""How long a page stays open: Chromium keeps what it has compiled only some time later."""
SIZE: ViewportSize = {"width": 1440, "height": 900}
STAGES = ("sft", "dpo")
CURVES = (
    *(metrics.LOSS, metrics.LEARNING_RATE, metrics.GRADIENT_NORM, metrics.ENTROPY, metrics.KL, metrics.TOKEN_ACCURACY),
    *(metrics.REWARD_CHOSEN, metrics.REWARD_REJECTED, metrics.REWARD_MARGIN, metrics.REWARD_ACCURACY),
    *(metrics.LOGPS_CHOSEN, metrics.LOGPS_REJECTED, metrics.LOGITS_CHOSEN, metrics.LOGITS_REJECTED),
    *(metrics.LENGTH_CHOSEN, metrics.LENGTH_REJECTED, metrics.TOKENS_PER_SECOND, metrics.PAIRS_PER_SECOND),
    *(metrics.MEMORY_ALLOCATED, metrics.MEMORY_RESERVED),
)
"""Twenty metrics."""

# Lines count when they are drawn, and a canvas when it has pixels of more than one colour.
DRAWN = """
([selector, least]) => {
    const drawn = canvas => {
        const {width, height} = canvas;
        if (width < 50 || height < 50) return false;
        const pixels = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, width, height).data.buffer);
        return new Set(pixels.subarray(0, 4_000_000)).size > 8;
    };
    const found = [...document.querySelectorAll(selector)].filter(
        part => part.tagName === "CANVAS" ? drawn(part) : part.getBoundingClientRect().width > 0);
    return found.length >= least;
}
"""
FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now()))))"


class View(NamedTuple):
    """A page, and how one sees that it is ready: what is drawn, and how often."""

    address: str
    selector: str
    least: int = 1


class Visit(NamedTuple):
    """What one visit of a page took."""

    first_paint_ms: float
    ready_ms: float
    kilobytes: float
    heap_megabytes: float
    nodes: float


def fill(home: Home, jobs: int, steps: int) -> None:
    """Write jobs that have succeeded, and their runs by plain SQL, since MLflow's client would take hours."""
    from mlflow import MlflowClient

    home.root.mkdir(parents=True)
    MlflowClient(home.tracking_uri).search_experiments()
    with closing(sqlite3.connect(home.tracking_uri.removeprefix("sqlite:///"))) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(
            "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage) VALUES (?, ?, ?, 'active')",
            (EXPERIMENT, "alignment", str(home.artifacts)),
        )
        first = datetime.now(UTC) - timedelta(minutes=20 * jobs)
        for number in range(jobs):
            job = a_job(number, first + timedelta(minutes=20 * number), steps)
            folder = home.job_folder("default", job.metadata.name)
            folder.mkdir(parents=True)
            (folder / "job.json").write_text(json.dumps(job.dump()))
            log_job(connection, home, job, number, steps)
            connection.commit()


def a_job(number: int, began: datetime, steps: int) -> AlignmentJob:
    """Return one job of a sweep over learning rate, beta and seed."""
    optimization = {"maxSteps": steps, "globalBatchSize": 64, "seed": number % 5}
    sft = {"datasets": [{"uri": "workspace://chats.jsonl"}], "optimization": {"learningRate": 2e-5, **optimization}}
    rate, beta = (2e-7, 5e-7, 1e-6)[number % 3], (0.01, 0.05, 0.1, 0.5)[number % 4]
    dpo = {"datasets": [{"uri": "workspace://pairs.jsonl"}], "beta": beta, "optimization": {"learningRate": rate, **optimization}}
    spec = {"model": {"uri": "workspace://model"}, "stages": [{"name": "sft", "sft": sft}, {"name": "dpo", "dpo": dpo}]}
    took = timedelta(seconds=STEP_SECONDS * steps)
    stages = [
        {
            "name": stage,
            "state": "Succeeded",
            "attempts": 1,
            "runId": run_id(number, stage),
            "startTime": (began + place * took).isoformat(),
            "completionTime": (began + (place + 1) * took).isoformat(),
        }
        for place, stage in enumerate(STAGES)
    ]
    status = {"phase": "Succeeded", "progress": "100%", "currentStage": "dpo", "gpus": 8, "stages": stages}
    status["tracking"] = {"experimentId": str(EXPERIMENT), "runId": run_id(number)}
    return AlignmentJob.parse(
        {
            "apiVersion": "alignment-operator.dev/v1alpha1",
            "kind": "AlignmentJob",
            "metadata": {
                "name": f"sweep-{number:04}",
                "namespace": "default",
                "uid": identity(number),
                "creationTimestamp": began.isoformat(),
            },
            "spec": spec,
            "status": status | {"startTime": began.isoformat(), "completionTime": (began + 2 * took).isoformat()},
        }
    )


def identity(number: int) -> str:
    """Return the uid of a job."""
    return f"00000000-0000-4000-8000-{number:012}"


def run_id(number: int, stage: str = "job") -> str:
    """Return the id of a run, 32 characters long as MLflow's own."""
    return f"{stage:0<8}{number:024}"


def log_job(connection: sqlite3.Connection, home: Home, job: AlignmentJob, number: int, steps: int) -> None:
    """Insert the run of the job, with its settings and last values, and those of its stages, with their curves."""
    named = parameters(resolve(job.spec).spec.dump())
    tags = {
        metrics.JOB_TAG: job.metadata.name,
        metrics.NAMESPACE_TAG: "default",
        metrics.JOB_UID_TAG: identity(number),
        "mlflow.runName": job.metadata.name,
    }
    began = int((job.metadata.creation_timestamp or datetime.now(UTC)).timestamp() * 1000)
    parent, took = run_id(number), 1000 * STEP_SECONDS * steps
    insert_run(connection, home, parent, tags, named, (began, began + 2 * took))
    for place, stage in enumerate(STAGES):
        # With the tag of a parent MLflow would show the runs of jobs instead, which have no curves, whatever one searches for.
        own = {metrics.STAGE_TAG: stage, metrics.KIND_TAG: stage}
        times, run = (began + place * took, began + (place + 1) * took), run_id(number, stage)
        names = {name: value for name, value in named.items() if name.startswith(stage)}
        insert_run(connection, home, run, tags | own | {"mlflow.runName": f"{job.metadata.name}/{stage}"}, names, times)
        last = insert_curves(connection, run, 2 * number + place, times[0], steps)
        latest = {metrics.of_stage(stage, name): last[name] for name in metrics.BEST_OF if name in last}
        insert_points(connection, ("metrics", "latest_metrics"), parent, latest, steps, times[1])


def insert_run(
    connection: sqlite3.Connection, home: Home, run: str, tags: dict[str, str], named: dict[str, Any], times: tuple[int, int]
) -> None:
    """Insert a finished run, its tags and its parameters."""
    connection.execute(
        "INSERT INTO runs (run_uuid, name, source_type, user_id, status, start_time, end_time, lifecycle_stage, artifact_uri,"
        " experiment_id) VALUES (?, ?, 'UNKNOWN', 'trainer', 'FINISHED', ?, ?, 'active', ?, ?)",
        (run, tags["mlflow.runName"], *times, str(home.artifacts / run / "artifacts"), EXPERIMENT),
    )
    for table, pairs in (("tags", tags), ("params", named)):
        rows = [(name, str(value), run) for name, value in pairs.items()]
        connection.executemany(f"INSERT INTO {table} (key, value, run_uuid) VALUES (?, ?, ?)", rows)


def insert_curves(connection: sqlite3.Connection, run: str, seed: int, began: int, steps: int) -> dict[str, float]:
    """Insert the curves of a run, and return their last values."""
    random, last = numpy.random.default_rng(seed), dict[str, float]()
    at, times = list(range(1, steps + 1)), [began + 1000 * STEP_SECONDS * step for step in range(1, steps + 1)]
    for place, name in enumerate(CURVES):
        curve = numpy.exp(-numpy.linspace(0, 3, steps)) * (1 + place % 4) + random.normal(0, 0.05, steps)
        values = (numpy.clip(curve, 0, 1) if name == metrics.REWARD_ACCURACY else curve).tolist()
        rows = ((name, value, moment, run, step) for value, moment, step in zip(values, times, at, strict=True))
        connection.executemany(
            "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, ?, ?, ?, 0)", rows
        )
        last[name] = values[-1]
    insert_points(connection, ("latest_metrics",), run, last, steps, times[-1])
    return last


def insert_points(
    connection: sqlite3.Connection, tables: tuple[str, ...], run: str, values: dict[str, float], step: int, moment: int
) -> None:
    """Insert one point of each metric."""
    rows = [(name, value, moment, run, step) for name, value in values.items()]
    for table in tables:
        connection.executemany(
            f"INSERT INTO {table} (key, value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, ?, ?, ?, 0)", rows
        )


def views(jobs: int) -> dict[str, tuple[View, View]]:
    """Return the pages to open: of the dashboard, and of MLflow."""
    base, lines, chart = (
        f"/#/experiments/{EXPERIMENT}/runs",
        ".js-plotly-plot .scatterlayer path.js-line",
        "[data-testid=stEChartsChart] canvas",
    )
    compared = ",".join(identity(number) for number in range(jobs - min(jobs, COMPARED), jobs))
    runs = min(jobs, COMPARED)
    trained = f"{base}?compareRunsMode=CHART&searchFilter=tags.%60{metrics.STAGE_TAG}%60%20%3D%20%27dpo%27"
    listed = View(base, ".ag-row [col-id^='metrics.'], .ag-row [col-id^='params.']", 6 * min(jobs, 15))
    return {
        # The rows come with the page; the table, in which one sorts and chooses, takes their place.
        "list with parameters and metrics": (View("/", "#first-view td.number", 6 * min(jobs, 15)), listed),
        "the same, when rows can be sorted and chosen": (View("/", "[data-testid=stDataFrame] canvas"), listed),
        "one run": (
            View(f"/run?job={identity(jobs - 1)}", chart),
            View(f"{base}/{run_id(jobs - 1, 'dpo')}/model-metrics", lines, 3),
        ),
        # MLflow's page for comparing draws no curves of training; its list of runs does, of the first ten, three charts in view.
        f"{runs} runs with curves": (View(f"/compare?jobs={compared}", chart), View(trained, lines, 3 * runs)),
    }


def settings_of_mlflow() -> str:
    """Return a script that makes MLflow show columns of parameters and metrics, and close the panel that covers a quarter."""
    names = (metrics.LOSS, metrics.REWARD_MARGIN, metrics.REWARD_ACCURACY)
    columns = [f"metrics.`{metrics.of_stage('dpo', name)}`" for name in names]
    columns += [f"params.`{name}`" for name in ("dpo.learningRate", "dpo.beta", "seed")]
    return f"""
        const key = 'MLflowLocalStorage-1.1-ExperimentPage-["{EXPERIMENT}"]-ReactComponentState';
        localStorage[key] ??= JSON.stringify({json.dumps({"selectedColumns": columns})});
        localStorage["mlflow.assistant.fab.autoOpenedOnFirstLoad_v1"] = "true";
        localStorage["mlflow.assistant.panelOpen_v1"] = "false";
    """


def visit(context: BrowserContext, base: str, view: View, counted: bool, picture: Path | None) -> Visit:
    """Open a page in a new tab, wait until it is ready, and return what it took; without `counted` its bytes are NaN."""
    page = context.new_page()
    protocol = context.new_cdp_session(page)
    received = count_bytes(protocol) if counted else [math.nan]
    protocol.send("Performance.enable")
    page.goto(base + view.address, wait_until="commit")
    ready = wait_until_ready(page, view)
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0")
    found = {entry["name"]: entry["value"] for entry in protocol.send("Performance.getMetrics")["metrics"]}
    if picture:
        page.screenshot(path=picture)
    page.wait_for_timeout(1000 * LOOKED_AT_SECONDS)
    page.close()
    return Visit(paint, ready, received[0] / 1000, found["JSHeapUsedSize"] / 1e6, found["Nodes"])


def count_bytes(protocol: CDPSession) -> list[float]:
    """Return a list whose only element grows with each byte that a page receives."""
    received = [0.0]

    def count(message: dict[str, Any]) -> None:
        received[0] += message.get("encodedDataLength", 0)

    def count_frame(message: dict[str, Any]) -> None:
        # What is binary arrives here as base64, which is a third longer.
        response = message["response"]
        received[0] += len(response["payloadData"]) * (0.75 if response["opcode"] == 2 else 1)

    protocol.on("Network.loadingFinished", count)
    protocol.on("Network.webSocketFrameReceived", count_frame)
    protocol.send("Network.enable")
    return received


def wait_until_ready(page: Page, view: View) -> float:
    """Wait until the page has drawn what it should and two more frames, and return the milliseconds since it was asked for."""
    try:
        page.wait_for_function(DRAWN, arg=[view.selector, view.least], timeout=READY_SECONDS * 1000)
    except NotReady as error:
        raise SystemExit(f"error: {page.url} has not drawn {view.least} of {view.selector} within {READY_SECONDS} s") from error
    return float(page.evaluate(FRAMES))


def measure(
    contexts: Callable[[], AbstractContextManager[Sequence[BrowserContext]]],
    bases: tuple[str, str],
    jobs: int,
    passes: int,
    pictures: Path | None,
) -> dict[str, Any]:
    """Open each page of both in turn, the first of each pass being another one each time, and return medians and ratios."""
    figures = {}
    for name, pair in views(jobs).items():
        taken: list[list[Visit]] = [[], []]
        with contexts() as visited:
            # The first visits fill the browser's caches, and the last ones count bytes.
            for number in range(-FILLING, passes + 1):
                for side in (0, 1) if number % 2 else (1, 0):
                    picture = pictures / f"{name.replace(' ', '-')}-{('ours', 'mlflow')[side]}.png" if pictures else None
                    counted = number in (-FILLING, passes)
                    taken[side].append(
                        visit(visited[side], bases[side], pair[side], counted, picture if number == passes else None)
                    )
                    print(name, ("ours", "mlflow")[side], taken[side][-1], file=sys.stderr)
        cold = [visits[0]._asdict() for visits in taken]
        warm = [median(visits[FILLING:-1]) | {"kilobytes": visits[-1].kilobytes} for visits in taken]
        figures[name] = {
            "cold": {"ours": rounded(cold[0]), "mlflow": rounded(cold[1])},
            "warm": {"ours": rounded(warm[0]), "mlflow": rounded(warm[1])},
            "ratio": {field: round(warm[0][field] / warm[1][field], 2) for field in Visit._fields if warm[1][field]},
        }
    return figures


@contextmanager
def private_windows(playwright: Playwright, options: dict[str, Any]) -> Iterator[Sequence[BrowserContext]]:
    """Open a window for each server that shares nothing with the other."""
    with playwright.chromium.launch(**options) as browser:
        windows = [browser.new_context(viewport=SIZE) for _ in range(2)]
        windows[1].add_init_script(settings_of_mlflow())
        yield windows


@contextmanager
def one_profile(playwright: Playwright, options: dict[str, Any]) -> Iterator[Sequence[BrowserContext]]:
    """Open both servers in a new profile on the disk."""
    with (
        tempfile.TemporaryDirectory() as folder,
        playwright.chromium.launch_persistent_context(folder, viewport=SIZE, **options) as profile,
    ):
        profile.add_init_script(settings_of_mlflow())
        yield [profile, profile]


def median(visits: list[Visit]) -> dict[str, float]:
    """Return the medians of several visits."""
    return {field: statistics.median(getattr(visit, field) for visit in visits) for field in Visit._fields}


def rounded(figures: dict[str, float]) -> dict[str, float]:
    """Return figures without digits that mean nothing."""
    return {name: round(value, 1) for name, value in figures.items()}


@contextmanager
def served(command: list[str], health: str, environment: dict[str, str]) -> Iterator[str]:
    """Run a server until it answers, and return its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = [sys.executable, "-m", *command, "--port", str(port)]
    process = subprocess.Popen(
        arguments, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        until_it_answers(process, f"http://127.0.0.1:{port}{health}")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def until_it_answers(process: "subprocess.Popen[bytes]", address: str) -> None:
    """Wait for the first answer of a server."""
    for _ in range(1200):
        if process.poll() is not None:
            raise SystemExit(f"error: the server of {address} has ended")
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"error: {address} does not answer")


def main() -> None:
    """Read the command line, fill a home if there is none, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument(
        "--passes", type=int, default=5, help="timed visits of each page, after those that fill the browser's caches"
    )
    parser.add_argument(
        "--home", type=Path, help="folder to fill and keep, or one that was filled with the same --jobs and --steps"
    )
    parser.add_argument("--pictures", type=Path, help="folder for pictures of the pages as they were when they counted as ready")
    parser.add_argument("--profile", action="store_true", help="visit both in one ordinary profile instead of private windows")
    arguments = parser.parse_args()
    if arguments.pictures:
        arguments.pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        home = Home(arguments.home or Path(temporary) / "home")
        if not home.root.exists():
            fill(home, arguments.jobs, arguments.steps)
        tracking = ["mlflow", "server", "--backend-store-uri", home.tracking_uri, "--host", "127.0.0.1", "--workers", "1"]
        ours = served(["alignment_dashboard"], "/_stcore/health", {"ALIGNMENT_HOME": str(home.root)})
        theirs = served(tracking, "/health", {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"})
        flags = ["--disable-gpu", "--disable-background-networking", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        options = {"executable_path": os.environ.get("CHROMIUM") or shutil.which("chromium"), "args": flags}
        contexts = partial(one_profile if arguments.profile else private_windows, playwright, options)
        with ours as base, theirs as mlflow:
            size = {"runs": 2 * arguments.jobs, "metrics": len(CURVES), "steps": arguments.steps}
            pages = measure(contexts, (base, mlflow), arguments.jobs, arguments.passes, arguments.pictures)
            print(json.dumps({"size": size, "pages": pages}, indent=1))


if __name__ == "__main__":
    main()
