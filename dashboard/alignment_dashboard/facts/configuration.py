"""The parameters of a job under the short names that people use, and which of them differ among jobs."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache

from alignment_api.resolving.parameters import MODEL, SEED, STAGES, Value
from alignment_api.resolving.parameters import parameters as spec_parameters
from alignment_api.resolving.recipes import UnknownRecipe, resolve
from alignment_api.spec.job import AlignmentJob, AlignmentJobSpec
from pydantic import ValidationError

_MOST_TELLING = (
    *("learningRate", "beta", "loss", "epochs", "maxSteps", "globalBatchSize"),
    *(SEED, "datasets", "prompts", MODEL, "labelSmoothing", "lora.rank", "lora.alpha", "schedule", "warmup.fraction"),
)


def parameters(job: AlignmentJob) -> dict[str, Value]:
    """Return what a job learns with and runs on; where its files are, how it is tracked and when it is retried is left out."""
    record = job.status.record if job.status else None
    recorded = _of_record(record.resolved) if record is not None else None
    return dict(_of_spec(json.dumps(job.spec.dump())) if recorded is None else recorded)


def varying(jobs: Sequence[AlignmentJob]) -> list[str]:
    """Return the names whose values differ among jobs, most telling first; a job without the stage does not count."""
    return differing([parameters(job) for job in jobs])


def differing(known: Sequence[Mapping[str, Value]]) -> list[str]:
    """Return the names whose values differ among the parameters of several jobs, most telling first."""
    # A list of hundreds of runs asks at each visit.
    stages = [{"", *stage_names(values)} for values in known]
    names = dict.fromkeys(name for values in known for name in values)
    return most_telling([name for name in names if _varies(name, known, stages)])


def most_telling(names: Sequence[str]) -> list[str]:
    """Return names of parameters in the order in which they say most about a run."""
    return sorted(names, key=_rank)


def without_seed(values: Mapping[str, Value]) -> dict[str, Value]:
    """Return what makes a configuration: runs that differ only in the seed have the same."""
    return {name: value for name, value in values.items() if name != SEED}


def stage_names(values: Mapping[str, Value]) -> list[str]:
    """Return the names of a job's stages from its parameters."""
    return [part.split(" ")[0] for part in str(values.get(STAGES, "")).split(" → ") if part]


def applies(name: str, values: Mapping[str, Value]) -> bool:
    """Return whether a parameter has a meaning in a job: one of a stage needs that stage."""
    return _stage(name) in ("", *stage_names(values))


def _varies(name: str, known: Sequence[Mapping[str, Value]], stages: Sequence[set[str]]) -> bool:
    stage = _stage(name)
    return len({values.get(name) for values, has in zip(known, stages, strict=True) if stage in has}) > 1


def _stage(name: str) -> str:
    """Return the stage of a parameter; empty for one of the whole job."""
    stage, dot, _ = name.partition(".")
    return stage if dot else ""


def _rank(name: str) -> int:
    last = name.partition(".")[2] or name
    return _MOST_TELLING.index(last) if last in _MOST_TELLING else len(_MOST_TELLING) + (name == STAGES)


# Lists of many jobs ask again and again.
@lru_cache(maxsize=4096)
def _of_record(resolved: str) -> Mapping[str, Value] | None:
    """Read a recorded spec; None if it is none that this version knows, since the job's own spec can still be read."""
    try:
        found = _parameters(resolved)
    except (ValueError, TypeError, AttributeError, KeyError):
        return None
    return found if all(isinstance(value, Value) for value in found.values()) else None


@lru_cache(maxsize=4096)
def _of_spec(spec: str) -> Mapping[str, Value]:
    """Resolve a spec that no operator has recorded yet."""
    try:
        return _parameters(json.dumps(resolve(AlignmentJobSpec.parse_stored(json.loads(spec))).spec.dump()))
    except (UnknownRecipe, ValidationError):
        return _parameters(spec)


def _parameters(resolved: str) -> Mapping[str, Value]:
    return spec_parameters(json.loads(resolved))
