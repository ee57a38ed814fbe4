"""An installation of the chart: how tests install, upgrade, test and remove it, and read its operator's log."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.kubectl import Kubectl, Object, Refused, wait_for

CHART = Path(__file__).parents[2] / "charts/alignment-operator"


@dataclass(frozen=True)
class Installation:
    """One release of the chart."""

    kubectl: Kubectl
    release: str
    values: Object
    """The values that each installation and upgrade sets; a test can add more."""
    chart: Path = CHART

    @property
    def name(self) -> str:
        """Return the name that the chart gives to its objects."""
        return f"{self.release}-alignment-operator"

    def apply(self, values: Object | None = None, wait: bool = True) -> None:
        """Install or upgrade the chart, and by default wait until it is ready."""
        given = json.dumps(merged(self.values, values or {}))
        helm(
            *("upgrade", "--install", self.release, str(self.chart), "--namespace", self.kubectl.namespace),
            *("--values", "-", "--take-ownership", "--timeout", "10m"),
            *(["--wait"] if wait else []),
            given=given,
        )

    def test(self) -> str:
        """Run `helm test`, which checks that every part answers, and return its output."""
        return helm("test", self.release, "--namespace", self.kubectl.namespace, "--logs")

    def remove(self, wait: bool = True) -> None:
        """Uninstall the chart, and by default wait until its objects are gone."""
        helm(
            *("uninstall", self.release, "--namespace", self.kubectl.namespace, "--ignore-not-found"),
            *(["--wait"] if wait else []),
        )

    def operator_pods(self) -> list[Object]:
        """Return the operator's pods."""
        selector = f"app.kubernetes.io/instance={self.release},app.kubernetes.io/component=operator"
        return self.kubectl.list("pods", selector)

    def kill_operator(self) -> None:
        """Kill the operator without a grace period."""
        for pod in self.operator_pods():
            self.kubectl.delete("pod", pod["metadata"]["name"], "--grace-period=0", "--force", "--wait=false")

    def await_operator(self) -> None:
        """Wait until the operator is ready."""
        wait_for("the operator is ready", lambda: self.is_ready(), self.operator_log)

    def is_ready(self) -> bool:
        """Return whether one of the operator's pods is ready."""
        conditions = [known for pod in self.operator_pods() for known in pod["status"].get("conditions", [])]
        return any(known["type"] == "Ready" and known["status"] == "True" for known in conditions)

    def operator_log(self) -> str:
        """Return the end of the operator's log."""
        try:
            return self.kubectl("logs", f"deployment/{self.name}", "--tail=60")
        except Refused as refusal:
            return str(refusal)


def helm(*arguments: str, given: str | None = None) -> str:
    """Run helm; a failure raises Refused."""
    done = subprocess.run(["helm", *arguments], input=given, capture_output=True, text=True, check=False, timeout=900)
    if done.returncode != 0:
        raise Refused(done.stderr.strip() + done.stdout)
    return done.stdout


def merged(values: Object, others: Object) -> Object:
    """Merge nested values; the second argument has precedence."""
    result: dict[str, Any] = dict(values)
    for name, value in others.items():
        known = result.get(name)
        result[name] = merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return result
