"""Turns a document into a job that can run, or raises sentences about its problems."""

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from alignment_api.memory.known_sizes import known_base_shape
from alignment_api.memory.stages import memory_problems
from alignment_api.names import BUCKET_PREFIX
from alignment_api.problems import InvalidJob, Problem, from_validation, stage_path
from alignment_api.resolving.recipes import Recorded, Resolved, UnknownRecipe, resolve
from alignment_api.spec.batch import world_size
from alignment_api.spec.combinations import combination_problems, packing_problem, price_problems
from alignment_api.spec.job import AlignmentJob, AlignmentJobSpec
from alignment_api.spec.kinds import KINDS
from alignment_api.spec.lineage import stages_before
from alignment_api.spec.parts import loads_model, models_asked, starts_from_model
from alignment_api.spec.settings.evaluation import JUDGED, Evaluate
from alignment_api.spec.stages import Stage

_COPY = "copy it to the workspace volume and use workspace://"


def read_job(document: Any) -> AlignmentJob:
    """Read a job as its author wrote it: check fields and the rules between them, and fill in nothing."""
    return _read(document, AlignmentJob.parse)


def read_stored_job(document: Any) -> AlignmentJob:
    """Read a job that was accepted before, perhaps by an earlier version; resolving it reports the rules that it breaks."""
    return _read(document, AlignmentJob.parse_stored)


def _read(document: Any, parse: Callable[[Any], AlignmentJob]) -> AlignmentJob:
    if not isinstance(document, dict):
        raise InvalidJob([Problem("the document", "is not an AlignmentJob; begin with apiVersion, kind, metadata and spec")])
    try:
        return parse(document)
    except ValidationError as error:
        raise InvalidJob(_kinds_first(from_validation(error, AlignmentJob), _written_kinds(document))) from error


def resolve_job(job: AlignmentJob, recorded: Recorded | None = None) -> Resolved:
    """Fill in the job from its record, its recipe and the defaults, and refuse what cannot run."""
    try:
        resolved = resolve(job.spec, recorded)
    except UnknownRecipe as error:
        raise InvalidJob(_kinds_first([Problem("spec.recipe", str(error))], _kinds(job.spec))) from error
    except ValidationError as error:
        problems = [Problem(f"spec.{problem.path}", problem.sentence) for problem in from_validation(error, AlignmentJobSpec)]
        raise InvalidJob(_kinds_first(problems, _kinds(job.spec))) from error
    if problems := _job_problems(resolved.spec):
        raise InvalidJob(_kinds_first(problems, _kinds(resolved.spec)))
    return resolved


def runnable_job(job: AlignmentJob, recorded: Recorded | None = None) -> Resolved:
    """Resolve a job, and refuse stages that this version cannot run or that do not fit into their GPUs."""
    resolved = resolve_job(job, recorded)
    problems = _kinds_first([], _kinds(resolved.spec)) or memory_problems(job, resolved.spec)
    if problems:
        raise InvalidJob(problems)
    return resolved


def _kinds(spec: AlignmentJobSpec) -> list[tuple[str, str]]:
    """Return path and kind of each stage."""
    return [(stage_path(index, stage.kind), stage.kind) for index, stage in enumerate(spec.stages or [])]


def _written_kinds(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Return path and kind of each stage of a document that may have any form."""
    spec = document.get("spec")
    stages = spec.get("stages") if isinstance(spec, dict) else None
    return [
        (stage_path(index, kind), kind)
        for index, stage in enumerate(stages if isinstance(stages, list) else [])
        for kind in (KINDS if isinstance(stage, dict) else ())
        if to_camel(kind) in stage
    ]


def _kinds_first(problems: list[Problem], kinds: list[tuple[str, str]]) -> list[Problem]:
    """Put the stages that this version cannot run before the other problems, and leave out the problems within them."""
    unrun = [path for path, kind in kinds if not KINDS[kind].runs]
    sentence = (
        "this version cannot run this kind of stage yet; remove it, or use a later version "
        f"(it runs {', '.join(to_camel(kind) for kind in KINDS if KINDS[kind].runs)})"
    )
    others = [problem for problem in problems if not any(f"{problem.path}.".startswith(f"{path}.") for path in unrun)]
    return [*(Problem(path, sentence) for path in unrun), *others]


def _job_problems(spec: AlignmentJobSpec) -> list[Problem]:
    problems = []
    if spec.model is None or spec.model.uri is None:
        problems.append(Problem("spec.model.uri", "is not set, and the recipe has none; name the model to start from"))
    elif spec.model.uri.startswith(BUCKET_PREFIX):
        problems.append(Problem("spec.model.uri", f"this version cannot read {spec.model.uri}; {_COPY}"))
    for index, stage in enumerate(spec.stages or []):
        problems += _stage_problems(spec, stage, f"spec.stages[{index}]")
    # Every stage finds the problems of the whole job again.
    return list(dict.fromkeys(problems))


def _stage_problems(spec: AlignmentJobSpec, stage: Stage, path: str) -> list[Problem]:
    kind = f"{path}.{to_camel(stage.kind)}"
    problems = [*_unset_problems(stage, kind), *_model_problems(spec, stage, path), *price_problems(stage, path)]
    if loads_model(stage) and spec.compute_of(stage).gpus_per_node is None:
        sentence = "is not set; set it to the GPUs of each node, or to 0 to run on CPUs"
        problems.append(Problem("spec.compute.gpusPerNode", sentence))
    if not loads_model(stage) and world_size(spec.compute_of(stage)) > 1:
        sentence = "has more than one process, but a stage that loads no model asks its servers from one; remove nodes, "
        problems.append(Problem(f"{path}.compute", f"{sentence}gpusPerNode and processesPerNode"))
    if isinstance(stage.settings, Evaluate):
        problems += _evaluation_problems(stage.settings, kind)
    if stage.training:
        problems += _training_problems(spec, stage, path, kind)
    return problems


def _unset_problems(stage: Stage, path: str) -> list[Problem]:
    needed, replacement = KINDS[stage.kind].needed, KINDS[stage.kind].needed_unless
    if replacement and getattr(stage.settings, replacement) is not None:
        return []
    instead = f", or {replacement} instead" if replacement else ""
    return [
        Problem(f"{path}.{_camel_path(name)}", f"is not set, and neither recipe nor default gives it; set it{instead}")
        for name in needed
        if _value(stage.settings, name) is None
    ]


def _model_problems(spec: AlignmentJobSpec, stage: Stage, path: str) -> list[Problem]:
    if stage.model and not starts_from_model(stage):
        why = (
            "evaluate.models names what is measured"
            if KINDS[stage.kind].loads_model
            else f"a {to_camel(stage.kind)} stage does not start from a model"
        )
        return [Problem(f"{path}.model", f"has no effect: {why}; remove it")]
    named = [("model", stage.model), *models_asked(stage)]
    found = (_untrained_problem(spec, stage, f"{path}.{field}", model.stage) for field, model in named if model)
    return [problem for problem in found if problem]


def _untrained_problem(spec: AlignmentJobSpec, stage: Stage, path: str, named: str | None) -> Problem | None:
    parent = next((known for known in spec.stages or [] if known.name == named), None)
    if parent is None or _can_take(stage, parent):
        return None
    trained = [known.name for known in stages_before(spec, stage) if _can_take(stage, known)]
    advice = (
        f"name {' or '.join(trained)}, or set base: true in place of stage" if trained else "set base: true in place of stage"
    )
    return Problem(f"{path}.stage", f"stage {named!r} is of kind {to_camel(parent.kind)}, which trains no model; {advice}")


def _can_take(stage: Stage, other: Stage) -> bool:
    """Return whether a stage can use what another one leaves as a model: exported ones are only measured."""
    kind = KINDS[other.kind]
    return kind.trains or (stage.kind == "evaluate" and kind.leaves_weights)


def _evaluation_problems(evaluate: Evaluate, path: str) -> list[Problem]:
    judged = [index for index, task in enumerate(evaluate.tasks or []) if task.measure in JUDGED]
    problems = []
    if judged and not evaluate.judges:
        problems.append(Problem(f"{path}.judges", f"is not set, and tasks[{judged[0]}] needs a judge; add its endpoint"))
    if evaluate.judges and not judged:
        problems.append(Problem(f"{path}.judges", f"has no effect: only {' and '.join(JUDGED)} ask judges; remove it"))
    return problems


def _training_problems(spec: AlignmentJobSpec, stage: Stage, path: str, kind: str) -> list[Problem]:
    problems = []
    compute = spec.compute_of(stage)
    optimization = getattr(stage.settings, "optimization", None)
    if optimization is None or (optimization.epochs is None and optimization.max_steps is None):
        problems.append(Problem(f"{kind}.optimization.epochs", "neither epochs nor maxSteps is set; set one of them"))
    problems += combination_problems(stage, compute, path, kind)
    shape = known_base_shape(spec)
    if shape and not shape.traits.takes_positions and getattr(stage.settings, "packing", None):
        problems.append(packing_problem(kind, shape.family))
    return problems


def _value(settings: Any, path: str) -> Any:
    for part in path.split("."):
        settings = getattr(settings, part) if settings is not None else None
    return settings


def _camel_path(path: str) -> str:
    return ".".join(to_camel(part) for part in path.split("."))
