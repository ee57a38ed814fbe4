"""The Cluster of one machine: a folder of objects, and processes as children that survive the process that started them."""

import fcntl
import itertools
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alignment_api.exit_codes import Termination
from alignment_api.files import write_whole
from alignment_api.home import Home
from alignment_api.names import (
    RUN_CONFIG_FILE,
    stage_folder,
)
from alignment_api.resolving.record import settle
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import AlignmentJobStatus
from pydantic import ValidationError

from alignment_operator.backends.chosen import ON_MACHINE
from alignment_operator.backends.process import SeenProcess
from alignment_operator.deciding.job_status import is_finished
from alignment_operator.deciding.observation import LIVE, Child, Key, Report
from alignment_operator.machine.devices import VISIBLE_DEVICES, chosen, devices_of
from alignment_operator.machine.progress import read_stage, tracking_of
from alignment_operator.machine.stored_job import stored_job

_TERMINATION_BYTES = 4096
"""The most that a trainer writes about its end."""


class LocalCluster:
    """Implements the Cluster interface under a home folder."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.stop_requested = False
        """Whether this process suspends every job, without a change of the stored job."""
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def apply(self, job: AlignmentJob) -> AlignmentJob:
        """Store a job as `kubectl apply` would; applying a failed job again retries it."""
        namespace = job.metadata.namespace or "default"
        known = self._read_job(Key(namespace, job.metadata.name))
        changed = known is None or known.spec != job.spec
        again = known is not None and known.status is not None and known.status.phase == "Failed"
        generation = (known.metadata.generation or 1) if known else 1
        identity = {
            "namespace": namespace,
            "uid": known.metadata.uid if known else str(uuid.uuid4()),
            "creation_timestamp": known.metadata.creation_timestamp if known else datetime.now(UTC).replace(microsecond=0),
            "generation": generation + 1 if known and (changed or again) else generation,
        }
        stored = self.with_status(job).model_copy(update={"metadata": job.metadata.model_copy(update=identity)})
        self._write_job(stored)
        return stored

    def with_status(self, job: AlignmentJob) -> AlignmentJob:
        """Return the job with its stored status, if there is one."""
        known = self._read_job(_key(job))
        return job.model_copy(update={"status": _recorded(known) if known else None})

    def lock(self, key: Key) -> bool:
        """Lock a job, so that only this process reconciles it; return False if another process holds the lock."""
        folder = self.home.job_folder(*key)
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
        return _try_lock(self._lock)

    async def job(self, key: Key) -> AlignmentJob | None:
        """Read the job from its file."""
        job = self._read_job(key)
        if job is None or not self.stop_requested or is_finished(job.status):
            return job
        return job.model_copy(update={"spec": job.spec.model_copy(update={"suspend": True})})

    async def children(self, job: AlignmentJob) -> list[Child]:
        """Observe all of the job's children."""
        folders = self.home.job_folder(*_key(job)).glob("*/process.json")
        children = [self._child(path.parent) for path in folders if not (path.parent / "deleted").exists()]
        return sorted(children, key=lambda child: (child.stage, child.attempt))

    async def progress(self, job: AlignmentJob, children: list[Child]) -> Report:
        """Read the progress of the stages from the files that their processes write."""
        running = {child.stage: child for child in children if child.state == "Running"}
        now = datetime.now(UTC).replace(microsecond=0)
        found = {
            name: read_stage(self.stage_path(job, name), running.get(name), now) for name in {child.stage for child in children}
        }
        return Report(
            stages={name: files.progress for name, files in found.items() if files.progress},
            pulses={name: files.pulse for name, files in found.items() if files.pulse},
            run_ids={name: files.runs.ids.run_id for name, files in found.items() if files.runs},
            tracking=tracking_of([files.runs for files in found.values() if files.runs]),
        )

    async def create(self, job: AlignmentJob, manifests: list[dict[str, Any]]) -> None:
        """Write the child's objects and start its process. Raises Refused where other stages have the GPUs that it needs."""
        *companions, process = manifests
        folder = self.home.job_folder(*_key(job)) / process["metadata"]["name"]
        if (folder / "process.json").exists() and not (folder / "deleted").exists():
            return
        devices = chosen(process["spec"]["gpus"], devices_of(os.environ), self._taken(job))
        _set_aside(folder)
        folder.mkdir(parents=True)
        for companion in companions:
            for name, text in companion["data"].items():
                write_whole(folder / name, text)
        process["spec"]["devices"] = devices
        write_whole(folder / "process.json", json.dumps(process, indent=1))
        self._start(folder, process)

    async def delete(self, job: AlignmentJob, child: Child) -> None:
        """Ask a running child to save and stop; a finished child is only marked, so that its log stays."""
        folder = self.home.job_folder(*_key(job)) / child.name
        if child.state not in LIVE:
            (folder / "deleted").touch()
            return
        process = json.loads((folder / "process.json").read_text())
        write_whole(folder / "stopping", str(time.time() + process["spec"]["graceSeconds"]))
        self._signal(folder, signal.SIGTERM)

    async def write_status(self, job: AlignmentJob, status: AlignmentJobStatus) -> None:
        """Replace the job's status."""
        stored = self._read_job(_key(job))
        if stored is not None:
            self._write_job(stored.model_copy(update={"status": status}))

    async def delete_job(self, job: AlignmentJob) -> None:
        """Remove the job's objects; its workspace stays."""
        shutil.rmtree(self.home.job_folder(*_key(job)))

    def log_file(self, job: AlignmentJob, child: str) -> Path:
        """Return the log file of a child."""
        return self.home.job_folder(*_key(job)) / child / "output.log"

    def stage_path(self, job: AlignmentJob, stage: str) -> Path:
        """Return a stage's folder in the workspace."""
        assert job.metadata.namespace and job.metadata.uid
        return self.home.workspace / stage_folder(job.metadata.namespace, job.metadata.name, job.metadata.uid, stage)

    def _read_job(self, key: Key) -> AlignmentJob | None:
        path = self.home.job_folder(*key) / "job.json"
        return stored_job(path) if path.exists() else None

    def _write_job(self, job: AlignmentJob) -> None:
        folder = self.home.job_folder(*_key(job))
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / "job.json", json.dumps(job.dump(), indent=1))

    def _taken(self, job: AlignmentJob) -> list[list[str]]:
        """List the GPUs of each running attempt that uses any."""
        running = [path for path in self.home.job_folder(*_key(job)).glob("*/process.json") if self._is_alive(path.parent)]
        specs = [json.loads(path.read_text())["spec"] for path in running]
        return [spec.get("devices", []) for spec in specs if spec.get("gpus")]

    def _start(self, folder: Path, process: dict[str, Any]) -> None:
        devices = process["spec"]["devices"]
        environment = {
            "OMP_NUM_THREADS": "1",
            "TOKENIZERS_PARALLELISM": "false",
            **os.environ,
            **process["spec"]["environment"],
            **({VISIBLE_DEVICES: ",".join(devices)} if devices else {}),
            "PET_MASTER_PORT": str(_free_port()),
            "ALIGNMENT_RUNNER_PID": str(os.getpid()),
            "ALIGNMENT_RUN_CONFIG": str(folder / RUN_CONFIG_FILE),
            "ALIGNMENT_TERMINATION_LOG": str(folder / "termination.json"),
            "ALIGNMENT_SYNC_COMMAND": f"alignment sync --home {shlex.quote(str(self.home.root))}",
        }
        # Its bytes are there already when the trainer overwrites them on a full disk.
        (folder / "termination.json").write_text(" " * _TERMINATION_BYTES)
        lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR)
        assert _try_lock(lock), f"{folder.name} is already running"
        with (folder / "output.log").open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", process["spec"]["module"]],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C in this terminal must reach only this process, which then signals the child.
                start_new_session=True,
                # The child holds this lock while it lives, so that any process can check whether it does.
                pass_fds=(lock,),
            )
        os.close(lock)
        self._processes[str(folder)] = child
        try:
            write_whole(folder / "started.json", json.dumps({"pid": child.pid, "time": datetime.now(UTC).isoformat()}))
        except OSError:
            # Without this file no program could stop it.
            child.kill()
            raise

    def _child(self, folder: Path) -> Child:
        process = json.loads((folder / "process.json").read_text())
        alive = self._is_alive(folder)
        stopping = folder / "stopping"
        if stopping.exists():
            if not alive:
                # It is returned this last time, so that its final progress is read.
                (folder / "deleted").touch()
            elif time.time() > float(stopping.read_text()):
                self._signal(folder, signal.SIGKILL)
        return ON_MACHINE.observe(process, _seen(folder, alive, stopping.exists()))

    def _is_alive(self, folder: Path) -> bool:
        child = self._processes.get(str(folder))
        if child is not None and child.poll() is not None:
            del self._processes[str(folder)]
        lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
        try:
            return not _try_lock(lock)
        finally:
            os.close(lock)

    def _signal(self, folder: Path, number: signal.Signals) -> None:
        started = _started(folder)
        # Without its lock the child is dead, and its process id may belong to another process.
        if started and self._is_alive(folder):
            os.kill(started["pid"], number)


def _recorded(known: AlignmentJob) -> AlignmentJobStatus | None:
    """Return a stored job's status with its record, which separates edits of the user from changes of a new version."""
    status = known.status
    if status is None or status.record is not None or not status.stages:
        return status
    return status.model_copy(update={"record": settle(known).record})


def _set_aside(folder: Path) -> None:
    """Rename the folder of a deleted child, so that its log stays when a new child takes the name."""
    if folder.exists():
        number = next(number for number in itertools.count(1) if not folder.with_name(f"{folder.name}.{number}").exists())
        folder.rename(folder.with_name(f"{folder.name}.{number}"))


def _key(job: AlignmentJob) -> Key:
    return Key(job.metadata.namespace or "default", job.metadata.name)


def _seen(folder: Path, is_alive: bool, is_stopping: bool) -> SeenProcess:
    started = _started(folder)
    termination = None if is_alive else _termination(folder)
    return SeenProcess(
        is_alive=is_alive,
        is_stopping=is_stopping,
        termination=termination,
        start_time=datetime.fromisoformat(started["time"]) if started else None,
        end_time=_modified(folder / "termination.json") if termination else None,
    )


def _termination(folder: Path) -> Termination | None:
    try:
        return Termination.model_validate_json((folder / "termination.json").read_text())
    except (FileNotFoundError, ValidationError):
        return None


def _started(folder: Path) -> dict[str, Any] | None:
    path = folder / "started.json"
    return json.loads(path.read_text()) if path.exists() else None


def _modified(path: Path) -> datetime | None:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).replace(microsecond=0) if path.exists() else None


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
