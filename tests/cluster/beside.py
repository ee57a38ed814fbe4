"""Jobs that take long and wait much: they run beside other tests, in installations of their own."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

from cluster.delays import Delays, delays
from cluster.environment import Environment
from cluster.installation import Installation
from cluster.interruptions import Interruptions, interruptions
from cluster.kills import Kills, kills
from cluster.kubectl import DEFINITION, wait_for
from cluster.names import BESIDE, KILLED, TAUGHT
from cluster.strangers import Victim, surrounded
from cluster.workspace import Workspace, volume_of_mlflow

MakeFilled = Callable[[str, str], Workspace]
"""Creates a volume with the inputs of examples/tiny.yaml in a namespace."""


class Beside(NamedTuple):
    """Delays and victim follow each other in one installation; the others have one each."""

    delays: Future[Delays] | None
    """None on a foreign cluster, whose nodes cannot be prepared."""
    victim: Future[Victim]
    interruptions: Future[Interruptions]
    kills: Future[Kills]


@contextmanager
def run_beside(
    environment: Environment, releases: dict[str, Installation], image: str, make_filled: MakeFilled
) -> Iterator[Beside]:
    """Install the releases, named by their namespaces, and run the jobs."""

    def install(release: Installation) -> Workspace:
        release.apply()
        workspace = make_filled(release.kubectl.namespace, release.release)
        # The suite's own release is installed at the same time.
        wait_for("jobs are defined", lambda: workspace.kubectl.get("crd", DEFINITION))
        return workspace

    def install_first() -> Workspace:
        releases[BESIDE].kubectl.apply(*volume_of_mlflow(environment, BESIDE))
        return install(releases[BESIDE])

    def run_interruptions() -> Interruptions:
        release = releases[TAUGHT]
        return interruptions(release, install(release), image, environment.steady)

    def run_kills() -> Kills:
        release = releases[KILLED]
        return kills(release, install(release))

    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(2) as others:
        installed = first.submit(install_first)
        yield Beside(
            first.submit(lambda: delays(releases[BESIDE], installed.result())) if environment.state else None,
            first.submit(lambda: surrounded(releases[BESIDE], installed.result(), environment, image)),
            others.submit(run_interruptions),
            others.submit(run_kills),
        )
