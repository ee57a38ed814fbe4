"""Prints what a cluster would get for a job."""

import argparse

from alignment_api.document import read_document, write_documents
from alignment_api.resolving.validation import read_job, resolve_job

from alignment_operator.backends.chosen import ON_CLUSTER
from alignment_operator.commands.ending import SUCCEEDED
from alignment_operator.deciding.stage_run import fresh_run
from alignment_operator.settings import read_settings

# Replaces the uid of the API server, which is not asked.
_NO_UID = "00000000-0000-0000-0000-000000000000"


def render(options: argparse.Namespace) -> int:
    """Print the Kubernetes objects of a job."""
    job = read_job(read_document(options.file))
    resolved = resolve_job(job)
    named = job.model_copy(
        update={"metadata": job.metadata.model_copy(update={"uid": _NO_UID, "namespace": job.metadata.namespace or "default"})}
    )
    settings = read_settings()
    manifests: list[object] = []
    for stage in resolved.spec.stages or []:
        for manifest in ON_CLUSTER.render(fresh_run(named, resolved.spec, stage), settings):
            if manifest not in manifests:
                manifests.append(manifest)
    print(write_documents(manifests), end="")
    return SUCCEEDED
