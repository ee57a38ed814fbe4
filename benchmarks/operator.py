"""Measures the operator on a cluster whose training-operator is stopped: latency, load, idle cost, restart, next stage.

Run it on the test cluster, after `kubectl apply --server-side --filename crds/alignmentjobs.yaml`:
`python -P benchmarks/operator.py > figures.json` (-P prevents Python from importing this file instead of the standard
library's `operator`). It starts the operator as a separate process, stops the training-operator
before the measurements, and starts it again afterwards. With Kubeflow Trainer in the cluster (kubeflow-trainer.sh up;
--trainer-runtime benchmark), its time from TrainJob to JobSet is measured alternately with ours.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alignment_api.names import API_VERSION, GROUP, KIND, PLURAL, VERSION
from kubernetes import client, config, watch
from kubernetes.client import ApiException

NAMESPACE = "alignment-benchmark"
TRAINING = ("kubeflow.org", "v1", "pytorchjobs")
JOBSETS = ("jobset.x-k8s.io", "v1alpha2", "jobsets")
TRAIN_JOBS = ("trainer.kubeflow.org", "v1alpha1", "trainjobs")
METRICS_PORT, HEALTH_PORT = 19090, 18080
# Events are counted separately, because no state depends on them.
WRITES = ("POST", "PUT", "PATCH", "DELETE", "APPLY")
RESOURCES = ("alignmentjobs", "pytorchjobs", "configmaps", "persistentvolumeclaims", "events")
PATIENCE_SECONDS = 300

Figures = dict[str, Any]


class Arrivals:
    """The time at which a watch first saw each object of a kind."""

    def __init__(self, group: str, version: str, plural: str) -> None:
        self.times: dict[str, float] = {}
        self._arguments = (group, version, NAMESPACE, plural)
        self._started = threading.Event()
        threading.Thread(target=self._follow, daemon=True).start()
        self._started.wait()

    def _follow(self) -> None:
        api = client.CustomObjectsApi()
        listed = api.list_namespaced_custom_object(*self._arguments)
        self._started.set()
        version = listed["metadata"]["resourceVersion"]
        while True:
            for event in watch.Watch().stream(api.list_namespaced_custom_object, *self._arguments, resource_version=version):
                now = time.monotonic()
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] == "ADDED":
                    self.times.setdefault(event["object"]["metadata"]["name"], now)

    def wait(self, names: list[str]) -> None:
        """Wait until all objects were seen."""
        until(lambda: all(name in self.times for name in names))


class Operator:
    """The operator as a process, with its CPU time and memory."""

    def __init__(self, log: Path) -> None:
        environment = {
            **os.environ,
            "ALIGNMENT_METRICS_PORT": str(METRICS_PORT),
            "ALIGNMENT_HEALTH_PORT": str(HEALTH_PORT),
            "ALIGNMENT_WATCH_NAMESPACES": json.dumps([NAMESPACE]),
            "ALIGNMENT_TRACKING_URI": "http://127.0.0.1:9",
        }
        with log.open("ab") as output:
            self._process = subprocess.Popen([sys.executable, "-m", "alignment_operator"], env=environment, stderr=output)

    def cpu_seconds(self) -> float:
        """Return the CPU time used so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_megabytes(self) -> float:
        """Return the memory in use."""
        used = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self._process.pid}/status").read_text())
        assert used is not None, "the operator has ended; look at its log"
        return int(used[1]) / 1024

    def reconciles(self) -> int:
        """Return the number of reconciles so far; 0 while the operator starts."""
        return int(self._metric(r'^alignment_reconciles_total\{outcome="done"\} (\S+)'))

    def is_at_work(self) -> bool:
        """Return whether the operator holds the lease of the namespace."""
        return self._metric(r"^alignment_scopes_held (\S+)") == 1

    def is_idle(self) -> bool:
        """Return whether the queue is empty."""
        return self._metric(r"^alignment_queue_length (\S+)") == 0

    def stop(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.wait()

    def _metric(self, pattern: str) -> float:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{METRICS_PORT}/metrics", timeout=5) as answer:
                found = re.search(pattern, answer.read().decode(), re.MULTILINE)
        except OSError:
            return 0.0
        return float(found[1]) if found else 0.0


def until(holds: Callable[[], bool], pause: float = 0.002) -> None:
    """Wait until the condition holds."""
    limit = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > limit:
            raise SystemExit("error: it took too long; look at the operator's log")
        time.sleep(pause)


def api_writes() -> dict[str, int]:
    """Return the number of writes that the API server has answered, by resource."""
    text = client.ApiClient().call_api("GET", client.Configuration.get_default_copy().host + "/metrics")
    text.read()
    counts = dict.fromkeys(RESOURCES, 0)
    pattern = re.compile(r'apiserver_request_total\{[^}]*,resource="(\w+)"[^}]*verb="(\w+)"[^}]*\} (\S+)')
    for resource, verb, value in pattern.findall(text.data.decode()):
        if resource in counts and verb in WRITES:
            counts[resource] += int(float(value))
    return counts


def since(before: dict[str, int]) -> dict[str, int]:
    """Return the number of writes since an earlier count."""
    return {resource: count - before[resource] for resource, count in api_writes().items()}


def a_job(name: str) -> dict[str, Any]:
    """Return a job with two stages on two nodes of eight GPUs."""
    training = {"datasets": [{"uri": "workspace://rows.jsonl"}], "maxLength": 1024}
    training["optimization"] = {"learningRate": 1e-6, "globalBatchSize": 32, "epochs": 1}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "model": {"uri": "workspace://model"},
            "stages": [{"name": "sft", "sft": training}, {"name": "dpo", "dpo": training}],
            "compute": {"nodes": 2, "gpusPerNode": 8},
            "storage": {"claimName": "workspace"},
        },
    }


def create(name: str) -> float:
    """Create a job and return the time before the request."""
    began = time.monotonic()
    client.CustomObjectsApi().create_namespaced_custom_object(GROUP, VERSION, NAMESPACE, PLURAL, a_job(name))
    return began


def spread(seconds: list[float]) -> Figures:
    """Return a summary of measurements, in milliseconds."""
    ordered = sorted(seconds)
    at = lambda share: round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)  # noqa: E731
    return {"n": len(ordered), "p50_ms": round(1000 * statistics.median(ordered), 1), "p95_ms": at(0.95), "max_ms": at(1.0)}


def measure_single(children: Arrivals, runtime: str | None, count: int) -> Figures:
    """Measure apply -> PyTorchJob one at a time, alternately with TrainJob -> JobSet."""
    ours, theirs = [], []
    jobsets = Arrivals(*JOBSETS) if runtime else None
    for number in range(count):
        began = create(f"single-{number}")
        children.wait([f"single-{number}-sft-1"])
        ours.append(children.times[f"single-{number}-sft-1"] - began)
        time.sleep(0.3)
        if jobsets and runtime:
            began = create_train_job(f"train-{number}", runtime)
            jobsets.wait([f"train-{number}"])
            theirs.append(jobsets.times[f"train-{number}"] - began)
            time.sleep(0.3)
    figures: Figures = {"alignmentjob_to_pytorchjob": spread(ours)}
    if theirs:
        figures["trainjob_to_jobset"] = spread(theirs)
        figures["ratio_of_medians"] = round(statistics.median(ours) / statistics.median(theirs), 2)
    return figures


def create_train_job(name: str, runtime: str) -> float:
    """Create a TrainJob of the same size and return the time before the request."""
    body = {
        "apiVersion": f"{TRAIN_JOBS[0]}/{TRAIN_JOBS[1]}",
        "kind": "TrainJob",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"runtimeRef": {"name": runtime}, "trainer": {"numNodes": 2}},
    }
    began = time.monotonic()
    client.CustomObjectsApi().create_namespaced_custom_object(TRAIN_JOBS[0], TRAIN_JOBS[1], NAMESPACE, TRAIN_JOBS[2], body)
    return began


def measure_burst(operator: Operator, children: Arrivals, count: int) -> Figures:
    """Apply many jobs at once and wait until each has its child and its status."""
    before, cpu = api_writes(), operator.cpu_seconds()
    names = [f"many-{number}" for number in range(count)]
    with ThreadPoolExecutor(16) as pool:
        began = min(pool.map(create, names))
    children.wait([f"{name}-sft-1" for name in names])
    there = time.monotonic()
    until(lambda: since(before)["alignmentjobs"] >= 2 * count and operator.is_idle(), pause=0.2)
    settled = time.monotonic()
    time.sleep(3)
    writes = since(before)
    # Do not count the jobs, which this benchmark wrote itself.
    counted = sum(writes.values()) - writes["events"] - count
    return {
        "jobs": count,
        "all_children_seconds": round(there - began, 1),
        "converged_seconds": round(settled - began, 1),
        "writes_per_job": round(counted / count, 2),
        "events_per_job": round(writes["events"] / count, 2),
        "operator_cpu_seconds": round(operator.cpu_seconds() - cpu, 1),
        "operator_memory_megabytes": round(operator.memory_megabytes()),
    }


def measure_idle(operator: Operator, seconds: int) -> Figures:
    """Measure writes and CPU while nothing happens."""
    before, cpu = api_writes(), operator.cpu_seconds()
    time.sleep(seconds)
    used = operator.cpu_seconds() - cpu
    return {"seconds": seconds, "writes": sum(since(before).values()), "cpu_percent": round(100 * used / seconds, 2)}


def measure_restart(operator: Operator, before: dict[str, int], jobs: int) -> Figures:
    """Measure writes and CPU of a restart with all jobs in the cluster."""
    until(lambda: operator.reconciles() >= jobs and operator.is_idle(), pause=0.2)
    cpu = operator.cpu_seconds()
    time.sleep(3)
    return {"jobs": jobs, "writes": sum(since(before).values()), "cpu_seconds": round(cpu, 2)}


def measure_next_stage(children: Arrivals, count: int) -> Figures:
    """Mark SFT as ended, as the training-operator would, and wait for the PyTorchJob of DPO."""
    taken = []
    api = client.CustomObjectsApi()
    done = {"status": {"conditions": [{"type": "Succeeded", "status": "True", "reason": "Done", "message": "done"}]}}
    for number in range(count):
        began = time.monotonic()
        api.patch_namespaced_custom_object_status(
            TRAINING[0], TRAINING[1], NAMESPACE, TRAINING[2], f"single-{number}-sft-1", done
        )
        children.wait([f"single-{number}-dpo-1"])
        taken.append(children.times[f"single-{number}-dpo-1"] - began)
        time.sleep(0.2)
    return spread(taken)


@contextmanager
def running_operator(log: Path) -> Iterator[Operator]:
    """Start the operator, and kill it at the end in any case."""
    operator = Operator(log)
    try:
        yield operator
    finally:
        operator.stop()


@contextmanager
def quiet_training_operator() -> Iterator[None]:
    """Stop the training-operator and its webhook, so that only the operator under test writes."""
    hooks, apps = client.AdmissionregistrationV1Api(), client.AppsV1Api()
    scale = lambda replicas: apps.patch_namespaced_deployment_scale(  # noqa: E731
        "training-operator", "kubeflow", {"spec": {"replicas": replicas}}
    )
    kept = [
        hook
        for hook in hooks.list_validating_webhook_configuration().items
        if any("pytorchjob" in known.name for known in hook.webhooks or [])
    ]
    scale(0)
    for hook in kept:
        hooks.delete_validating_webhook_configuration(hook.metadata.name)
    try:
        yield
    finally:
        for hook in kept:
            hook.metadata.resource_version = hook.metadata.uid = None
            hooks.create_validating_webhook_configuration(hook)
        scale(1)


@contextmanager
def own_namespace() -> Iterator[None]:
    """Create a namespace for the benchmark, and remove it at the end."""
    core, custom = client.CoreV1Api(), client.CustomObjectsApi()
    # The namespace of an earlier run may still be terminating.
    until(lambda: all(known.metadata.name != NAMESPACE for known in core.list_namespace().items), pause=1)
    core.create_namespace({"metadata": {"name": NAMESPACE}})
    try:
        yield
    finally:
        # Delete children first: otherwise the garbage collector handles each of them separately.
        for group, version, plural in (TRAINING, (GROUP, VERSION, PLURAL), TRAIN_JOBS):
            try:
                custom.delete_collection_namespaced_custom_object(group, version, NAMESPACE, plural)
            except ApiException as error:
                if error.status != 404:
                    raise
        core.delete_namespace(NAMESPACE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1000, help="number of jobs applied at once")
    parser.add_argument("--single", type=int, default=40, help="number of jobs applied one at a time")
    parser.add_argument("--idle-seconds", type=int, default=600, help="length of the idle measurement")
    parser.add_argument("--trainer-runtime", help="a ClusterTrainingRuntime of Kubeflow Trainer, for the comparison")
    parser.add_argument("--log", type=Path, default=Path("operator.log"), help="file for the operator's log")
    options = parser.parse_args()
    config.load_kube_config()
    figures: Figures = {}
    with own_namespace(), quiet_training_operator():
        children = Arrivals(*TRAINING)
        with running_operator(options.log) as operator:
            until(operator.is_at_work, pause=0.2)
            figures["single"] = measure_single(children, options.trainer_runtime, options.single)
            figures["next_stage"] = measure_next_stage(children, options.single)
            figures["burst"] = measure_burst(operator, children, options.jobs)
            figures["idle"] = measure_idle(operator, options.idle_seconds)
        before = api_writes()
        with running_operator(options.log) as operator:
            figures["restart"] = measure_restart(operator, before, options.jobs + options.single)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
