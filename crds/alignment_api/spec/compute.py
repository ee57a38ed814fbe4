"""Where and how a stage runs."""

import re
from typing import Annotated, Literal

from pydantic import Field

from alignment_api.schema import FieldRule, Schema, form
from alignment_api.spec.values import Quantity


class Toleration(Schema):
    """A node taint that the pods accept."""

    key: Annotated[str | None, Field(max_length=253, description="Taint key; if unset, every key.")] = None
    operator: Annotated[Literal["Exists", "Equal"] | None, Field(description="How the value is compared.")] = None
    value: Annotated[str | None, Field(max_length=63, description="Taint value, with Equal.")] = None
    effect: Annotated[
        Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None,
        Field(description="Taint effect; if unset, every effect."),
    ] = None


# GPU resources of any vendor, also shared, virtual or MIG ones; the operator would neither count nor queue them.
_GPU_RESOURCE = r"^(gpu\.[^/]*/.*|[^/]*/[vp]?gpu.*|[^/]*/mig-.*)$"
_is_gpu = re.compile(_GPU_RESOURCE).fullmatch
_NO_GPU = FieldRule(
    f"!self.matches(r'{_GPU_RESOURCE}')",
    lambda name: _is_gpu(name) is None,
    "must not be a GPU resource, which gpusPerNode asks for; name the network devices, such as rdma/hca",
)


class Rdma(Schema):
    """A high-speed network between the nodes."""

    resource_name: Annotated[
        str,
        Field(max_length=253, description="Extended resource of the network devices, such as rdma/hca."),
        form(r"^[a-z0-9.-]+/[A-Za-z0-9._-]+$", "must be an extended resource, domain/name, such as rdma/hca"),
        _NO_GPU,
    ]
    count: Annotated[int, Field(ge=1, le=64, description="Devices per node.")]
    interfaces: Annotated[
        str | None,
        Field(
            max_length=253,
            pattern=r"^[A-Za-z0-9_,:=^-]+$",
            description="Network devices that NCCL may use, such as mlx5_0,mlx5_1.",
        ),
    ] = None


COMPUTE_WITHOUT_MODEL = {
    "nodes": 1,
    "gpus_per_node": 0,
    "processes_per_node": None,
    "accelerator_type": None,
    "rdma": None,
}
"""What replaces the job's compute in a stage that loads no model: it asks endpoints from one process on CPUs."""


class Compute(Schema):
    """Where and how a stage runs; nothing here changes what is learned beyond rounding."""

    nodes: Annotated[int | None, Field(ge=1, le=100, description="Nodes, one pod each.")] = None
    gpus_per_node: Annotated[
        int | None, Field(ge=0, le=16, description="GPUs of each pod, with one process each; 0 runs on CPUs.")
    ] = None
    processes_per_node: Annotated[int | None, Field(ge=1, le=64, description="Processes of each pod on CPUs; one if unset.")] = (
        None
    )
    accelerator_type: Annotated[
        str | None,
        Field(
            max_length=63, pattern=r"^[A-Za-z0-9._-]+$", description="GPU product, as in the node label nvidia.com/gpu.product."
        ),
    ] = None
    micro_batch_size: Annotated[
        int | None,
        Field(
            ge=1,
            le=4096,
            description="Examples in one forward pass of one process; accumulation follows from globalBatchSize. For packed "
            "pairs, a forward pass takes as many tokens as this number of full pairs has.",
        ),
    ] = None
    sharding: Annotated[
        Literal["None", "ZeRO1", "ZeRO2", "ZeRO3"] | None,
        Field(description="What is sharded across the processes instead of replicated."),
    ] = None
    offload: Annotated[
        Literal["None", "Optimizer", "OptimizerAndParameters"] | None, Field(description="What ZeRO keeps in host memory.")
    ] = None
    gradient_checkpointing: Annotated[bool | None, Field(description="Recompute activations instead of keeping them.")] = None
    cpu: Annotated[Quantity | None, Field(description="CPUs of each pod.")] = None
    memory: Annotated[Quantity | None, Field(description="Memory of each pod.")] = None
    shared_memory: Annotated[Quantity | None, Field(description="Size of /dev/shm; it counts as memory.")] = None
    node_selector: Annotated[
        dict[str, Annotated[str, Field(max_length=63)]] | None, Field(max_length=32, description="Labels a node must have.")
    ] = None
    tolerations: Annotated[list[Toleration] | None, Field(max_length=32, description="Node taints the pods accept.")] = None
    rdma: Annotated[Rdma | None, Field(description="High-speed network between the nodes.")] = None
