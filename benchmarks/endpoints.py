"""Runs a stage of distill against a local server that answers at once, and prints figures as JSON.

`python -P benchmarks/endpoints.py > figures.json` (-P prevents Python from importing operator.py of this folder instead of the
standard library's `operator`) runs 100,000 prompts twice: in one process without a wire, which shows what the bookkeeping costs
(budget, ledger, kept answers, rows), and over HTTP, where the stage is killed near its end and started again. --prompts makes it
smaller. The server and the stage share the machine's cores.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alignment_api.resolving.recipes import resolve
from alignment_api.run_config import JobIdentity, Paths, RunConfig, TrackingTarget
from alignment_api.spec.job import AlignmentJob

ANSWER = "The sum is the number that one gets by adding both, and it is the same in either order. " * 6
"""About as long as the answers of a chat model."""
USAGE = {"prompt_tokens": 40, "completion_tokens": 120, "total_tokens": 160}
KILLED_AT = 0.95
SECONDS_BETWEEN_SAMPLES = 1.0


def run_config(root: Path, url: str) -> RunConfig:
    distill = {
        "teachers": [{"baseUrl": url, "model": "stub"}],
        "prompts": [{"uri": "workspace://prompts.jsonl"}],
        "budget": {"requests": 10_000_000, "tokens": 10_000_000_000},
    }
    document = {"model": {"uri": "workspace://none"}, "stages": [{"name": "lessons", "distill": distill}]}
    head = {"apiVersion": "alignment-operator.dev/v1alpha1", "kind": "AlignmentJob", "metadata": {"name": "benchmark"}}
    job = AlignmentJob.parse({**head, "spec": {**document, "storage": {"claimName": "workspace"}}})
    spec = resolve(job.spec).spec
    return RunConfig(
        job=JobIdentity(namespace="benchmark", name="benchmark", uid="0"),
        attempt=1,
        stage_name="lessons",
        input_hash="0" * 64,
        spec=spec,
        compute=spec.compute_of((spec.stages or [])[0]),
        paths=Paths(workspace=str(root), stage=str(root / "benchmark" / "lessons")),
        tracking=TrackingTarget(uri="sqlite:///none.db", experiment="benchmark"),
        world_size=1,
        grace_seconds=60,
    )


def write_prompts(root: Path, count: int) -> None:
    root.mkdir(parents=True, exist_ok=True)
    (root / "benchmark" / "lessons").mkdir(parents=True)
    with (root / "prompts.jsonl").open("w") as file:
        for number in range(count):
            file.write(
                json.dumps({"prompt": f"Explain how one adds {number} and {number + 1}, and why the order is free."}) + "\n"
            )


class Stub(asyncio.Protocol):
    """Answers each request at once, with as little work as possible."""

    arrivals: Any
    body = json.dumps(
        {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": "stub",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}],
            "usage": USAGE,
        }
    ).encode()
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        if len(body) >= length:
            self._received = body[length:]
            Stub.arrivals.value += 1
            self._transport.write(self.answer)


def serve(port: Any, arrivals: Any) -> None:
    async def run() -> None:
        Stub.arrivals = arrivals
        server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", 0, backlog=1024)
        port.value = server.sockets[0].getsockname()[1]
        await server.serve_forever()

    asyncio.run(run())


@contextmanager
def stub_server() -> Iterator[tuple[str, Any]]:
    port, arrivals = multiprocessing.Value("i", 0), multiprocessing.Value("q", 0)
    process = multiprocessing.Process(target=serve, args=(port, arrivals), daemon=True)
    process.start()
    while not port.value:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port.value}/v1", arrivals
    finally:
        process.kill()
        process.join()


def run_stage(root: Path, url: str, has_wire: bool) -> None:
    """Run the stage's page, as a rank does."""
    from alignment_trainer.endpoints.replies import Reply, Usage
    from alignment_trainer.endpoints.servers import Servers
    from alignment_trainer.stages import distill

    class NoWire:
        refused: frozenset[str] = frozenset()

        async def send(self, _: object) -> Reply:
            return Reply(ANSWER, "stop", Usage(USAGE["prompt_tokens"], USAGE["completion_tokens"]), "stub")

    if not has_wire:
        Servers.wire = lambda self, server: NoWire()  # type: ignore[assignment,method-assign]
    distill.run(run_config(root, url))


def start(root: Path, url: str, *options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-P", __file__, "--stage", str(root), "--url", url, *options])


class Watch:
    """The memory of a process, and the requests that it has sent, every second."""

    def __init__(self, process: subprocess.Popen[bytes], ledger: Path) -> None:
        self._process, self._ledger = process, ledger
        self.began = time.monotonic()
        self.memory: list[float] = []
        self.cpu_seconds = 0.0

    def sample(self) -> None:
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        self.memory += [int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS")]
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        self.cpu_seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def until(self, condition: Any) -> None:
        last = 0.0
        while self._process.poll() is None and not condition():
            if time.monotonic() - last >= SECONDS_BETWEEN_SAMPLES:
                last = time.monotonic()
                self.sample()
            time.sleep(0.005)

    def figures(self, rows: int) -> dict[str, Any]:
        seconds = time.monotonic() - self.began
        quarters = [self.memory[len(self.memory) * part // 4] for part in (1, 2, 3)]
        return {
            "rows": rows,
            "seconds": round(seconds, 1),
            "rows_per_second": round(rows / seconds),
            "cpu_ms_per_row": round(self.cpu_seconds / rows * 1000, 2),
            "memory_mib_after_each_quarter": [round(mib) for mib in (*quarters, self.memory[-1])],
        }


def without_wire(root: Path, count: int) -> dict[str, Any]:
    write_prompts(root, count)
    process = start(root, "http://127.0.0.1:1/v1", "--no-wire")
    watch = Watch(process, root)
    watch.until(lambda: False)
    assert process.returncode == 0
    return watch.figures(count)


def with_wire(root: Path, count: int) -> dict[str, Any]:
    write_prompts(root, count)
    with stub_server() as (url, arrivals):
        process = start(root, url)
        watch = Watch(process, root)
        watch.until(lambda: arrivals.value >= KILLED_AT * count)
        process.send_signal(signal.SIGKILL)
        process.wait()
        figures = watch.figures(arrivals.value)
        time.sleep(1)
        before, process = arrivals.value, start(root, url)
        resumed = Watch(process, root)
        resumed.until(lambda: arrivals.value > before)
        figures["seconds_from_start_to_first_request_after_kill"] = round(time.monotonic() - resumed.began, 1)
        resumed.until(lambda: False)
        assert process.returncode == 0
        manifest = json.loads((root / "benchmark/lessons/manifest.json").read_text())
        return {**figures, "arrivals_in_all": arrivals.value, "asked": manifest.get("asked")}


def from_kept_answers(root: Path, count: int) -> dict[str, Any]:
    """Run another job of the namespace that has the same prompts."""
    (root / "benchmark/lessons").rename(root / "benchmark/first")
    (root / "benchmark/lessons").mkdir()
    process = start(root, "http://127.0.0.1:1/v1", "--no-wire")
    watch = Watch(process, root)
    watch.until(lambda: False)
    assert process.returncode == 0
    return watch.figures(count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=100_000)
    parser.add_argument("--stage", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--url", default="", help=argparse.SUPPRESS)
    parser.add_argument("--no-wire", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.stage:
        run_stage(given.stage, given.url, not given.no_wire)
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        figures = {"without_wire": without_wire(root / "alone", given.prompts)}
        figures["from_kept_answers"] = from_kept_answers(root / "alone", given.prompts)
        print(json.dumps(figures, indent=1), file=sys.stderr, flush=True)
        figures["with_wire"] = with_wire(root / "wire", given.prompts)
        print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
