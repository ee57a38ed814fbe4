"""The memory that each training stage of a resolved job needs, and which stages do not fit into their GPUs."""

from typing import NamedTuple

from alignment_api.memory.estimate import Estimate, estimate, merging_bytes, sampling_bytes
from alignment_api.memory.fitting import advice, cannot_fit, gibibytes, least_estimate
from alignment_api.memory.known_sizes import accelerator_bytes, known_base_shape
from alignment_api.memory.shape import ModelShape
from alignment_api.memory.workload import workload_of
from alignment_api.problems import Problem
from alignment_api.spec.compute import Compute
from alignment_api.spec.job import AlignmentJob, AlignmentJobSpec
from alignment_api.spec.lineage import input_hash
from alignment_api.spec.stages import Stage


class StageMemory(NamedTuple):
    """The memory of one stage on one kind of GPU."""

    stage: Stage
    compute: Compute
    shape: ModelShape
    needed: Estimate

    @property
    def gpu_bytes(self) -> int | None:
        """Return the memory of the GPU that the job asks for; None if it is unknown."""
        product = self.compute.accelerator_type
        return accelerator_bytes(product) if product else None

    @property
    def merging_bytes(self) -> int:
        """Return the host memory for merging the stage's adapter; 0 without an adapter."""
        return merging_bytes(self.shape, workload_of(self.stage, self.compute))

    @property
    def sampling_bytes(self) -> int:
        """Return what the weights take of each GPU while the stage samples its own model; 0 if it does not."""
        settings = self.stage.dpo_distillation
        if settings is None or settings.student is not None:
            return 0
        return sampling_bytes(self.shape, workload_of(self.stage, self.compute))

    def refusal(self, gpu: str, gpu_bytes: int) -> str | None:
        """Return why the stage cannot run on such a GPU and what to change; None if it may fit."""
        # For families that this version cannot count, only the order of magnitude is known.
        if not self.shape.is_known:
            return None
        if self.sampling_bytes > gpu_bytes:
            takes = f"samples its model, whose weights take {gibibytes(self.sampling_bytes)} GiB of each GPU"
            return f"{takes}, and {gpu} has {gibibytes(gpu_bytes)}; use larger GPUs, or name a server of the model as student"
        if not cannot_fit(least_estimate(self.shape, workload_of(self.stage, self.compute)), gpu_bytes):
            return None
        needs = f"needs about {gibibytes(self.needed.total)} GiB of each GPU, and {gpu} has {gibibytes(gpu_bytes)}"
        return f"{needs}; {self.advice(gpu_bytes)}"

    def advice(self, gpu_bytes: int) -> str:
        """Return what to change so that the stage fits."""
        training = self.stage.training
        batch = training.optimization.global_batch_size if training and training.optimization else None
        return advice(self.shape, workload_of(self.stage, self.compute), batch or 1, gpu_bytes)


def stage_memory(stage: Stage, compute: Compute, shape: ModelShape) -> StageMemory:
    """Estimate one training stage; `compute` is the stage's own."""
    return StageMemory(stage, compute, shape, estimate(shape, workload_of(stage, compute)))


def memory_problems(job: AlignmentJob, spec: AlignmentJobSpec) -> list[Problem]:
    """List the stages that cannot fit into the GPUs that the job names; pods check models of unknown size."""
    shape = known_base_shape(spec)
    if shape is None:
        return []
    problems = []
    for index, stage in enumerate(spec.stages or []):
        compute = spec.compute_of(stage)
        if stage.training is None or not compute.gpus_per_node or _has_run(job, spec, stage):
            continue
        memory = stage_memory(stage, compute, shape)
        refusal = memory.gpu_bytes and memory.refusal(compute.accelerator_type or "", memory.gpu_bytes)
        if refusal:
            problems.append(Problem(f"spec.stages[{index}].compute", f"{stage.name} {refusal}"))
    return problems


def _has_run(job: AlignmentJob, spec: AlignmentJobSpec, stage: Stage) -> bool:
    """Return whether the stage has trained a step before: it fits, whatever the estimate."""
    status = job.status
    record = next((known for known in (status.stages if status else None) or [] if known.name == stage.name), None)
    if status is None or record is None or record.input_hash != input_hash(spec, stage):
        return False
    unchanged = status.observed_generation == job.metadata.generation
    return record.state == "Succeeded" or (unchanged and record.progress is not None)
