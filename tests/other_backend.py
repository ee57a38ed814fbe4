"""A second backend of a cluster, for tests of what all backends share."""

from alignment_operator.backends import ClusterBackend, Manifest, Resource
from alignment_operator.backends.labels import attempt_of
from alignment_operator.deciding.observation import Child
from alignment_operator.deciding.stage_run import StageRun
from alignment_operator.settings import Settings


class OtherBackend:
    """A backend whose pods are controlled by a Job, and that by a JobSet, as those of Kubeflow Trainer's TrainJob are."""

    BETWEEN = (Resource("JobSet", "jobset.x-k8s.io", "v1alpha2", "jobsets"), Resource("Job", "batch", "v1", "jobs"))
    RESOURCE = Resource("TrainJob", "trainer.kubeflow.org", "v1alpha1", "trainjobs")
    NOT_INSTALLED = ("TrainerMissing", "the cluster has no TrainJob resource: install Kubeflow Trainer")

    def render(self, run: StageRun, settings: Settings) -> list[Manifest]:
        return []

    def observe(self, child: Manifest, seen: list[Manifest]) -> Child:
        name, stage = child["metadata"]["name"], "sft"
        return Child(
            name, child["metadata"]["uid"], stage, attempt_of(child) or 0, "", "", "Running", message=f"{len(seen)} pods"
        )

    def observe_leftover(self, pods: list[Manifest]) -> Child:
        return Child("job-sft-2", "", "sft", 2, "", "", "Stopping")

    def is_replica(self, child: Manifest, pod: Manifest) -> bool:
        return bool(pod["metadata"]["name"].startswith(child["metadata"]["name"]))

    def first_pod(self, child: Manifest) -> str:
        return f"{child['metadata']['name']}-node-0"

    def was_lost(self, pod: Manifest) -> bool:
        return False

    def trimmed(self, child: Manifest) -> Manifest:
        return {}


OTHER: ClusterBackend = OtherBackend()
