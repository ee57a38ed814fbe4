"""Every example in the repository parses, resolves and renders."""

import re
from pathlib import Path

import pytest
import yaml
from alignment_api.document import read_document
from alignment_api.resolving.validation import read_job, resolve_job, runnable_job
from alignment_api.spec.job import AlignmentJob, AlignmentJobSpec
from alignment_api.spec.lineage import stages_needed
from alignment_operator.backends import pytorchjob
from alignment_operator.deciding.stage_run import fresh_run
from alignment_operator.machine.memory_table import gpu_memory
from alignment_operator.settings import Settings

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


def accepted(job: AlignmentJob) -> AlignmentJob:
    """Return a job as the API server has it."""
    return job.model_copy(update={"metadata": job.metadata.model_copy(update={"uid": "0123456789", "namespace": "team"})})


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_resolves_and_renders(path: Path) -> None:
    job = read_job(read_document(path))
    spec, named = resolve_job(job).spec, accepted(job)
    for stage in spec.stages or []:
        *_, child = pytorchjob.render(fresh_run(named, spec, stage), Settings())
        assert child["kind"] == "PyTorchJob"


def test_the_stage_of_the_page_on_exports_resolves_and_renders() -> None:
    [shown] = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/export.md").read_text(), re.DOTALL)
    document = read_document(ROOT / "examples/tiny.yaml")
    document["spec"]["stages"] += yaml.safe_load(shown)
    document["spec"] |= {
        "hubTokenSecret": {"name": "hub", "key": "token"},
        "s3CredentialsSecret": {"name": "bucket", "key": "credentials"},
    }
    spec = resolve_job(read_job(document)).spec
    named = accepted(read_job(document))
    export = (spec.stages or [])[-1]
    assert export.kind == "export" and stages_needed(spec, export)[-1].kind == "dpo"
    *_, child = pytorchjob.render(fresh_run(named, spec, export), Settings())
    assert child["kind"] == "PyTorchJob"


M1 = ("m1-capped-cos", "m1-capped-const", "m1-all-cos", "m1-all-const")
DPO_OF_M1 = ("dpo-capped-cos", "dpo-capped-const", "dpo-all-cos", "dpo-all-const")

FULL_SIZE: list[tuple[str, dict[str, tuple[int, int]], dict[str, float]]] = [
    # the pods and GPUs of each stage, and the most GiB that its GPUs may need
    (
        "zephyr-7b-teachers",
        {"distill": (1, 0), "sft": (2, 16), "feedback": (1, 0), "dpo": (2, 16)},
        {"sft": 40, "dpo": 40},
    ),
    ("dpo-kd-phi2", {"distill": (1, 1)}, {"distill": 16}),
    (
        "zephyr-7b-ablation",
        {
            **dict.fromkeys(("sft", "dpo-only", "sft-answers", "sft-two-epochs", "dpo-1", "dpo-3"), (2, 16)),
            **{"feedback-others": (1, 0), "feedback-own": (1, 1), "dpo-others": (2, 16), "dpo-own": (2, 16), "evaluate": (1, 8)},
        },
        dict.fromkeys(
            ("sft", "dpo-only", "sft-answers", "sft-two-epochs", "dpo-1", "dpo-3", "dpo-others", "dpo-own"),
            40,
        ),
    ),
    (
        "tutor-study",
        dict.fromkeys((*M1, *DPO_OF_M1, "dpo-m0", "int8", "int4", "evaluate"), (1, 1)),
        dict.fromkeys((*M1, *DPO_OF_M1, "dpo-m0"), 10),
    ),
]


@pytest.mark.usefixtures("every_kind_runs")
@pytest.mark.parametrize(("name", "pods", "most"), FULL_SIZE, ids=[row[0] for row in FULL_SIZE])
def test_a_full_size_example_fits_and_holds_gpus_only_where_weights_are_loaded(
    name: str, pods: dict[str, tuple[int, int]], most: dict[str, float], tmp_path: Path
) -> None:
    named = accepted(read_job(read_document(ROOT / f"examples/{name}.yaml")))
    spec = runnable_job(named).spec
    found = {}
    for stage in spec.stages or []:
        *_, child = pytorchjob.render(fresh_run(named, spec, stage), Settings())
        replicas = child["spec"]["pytorchReplicaSpecs"].values()
        gpus = [
            int(container["resources"].get("limits", {}).get("nvidia.com/gpu", 0)) * replica["replicas"]
            for replica in replicas
            for container in replica["template"]["spec"]["containers"]
        ]
        found[stage.name] = (sum(replica["replicas"] for replica in replicas), sum(gpus))
    assert found == pods
    needed = {memory.stage.name: memory.needed.total / 2**30 for memory in gpu_memory(spec, tmp_path)}
    assert needed.keys() == most.keys()
    assert all(0 < gibibytes < most[stage] for stage, gibibytes in needed.items())


def test_zephyr_with_teachers_learns_from_the_rows_of_its_stages_with_the_settings_of_the_recipe() -> None:
    with_teachers, published = (
        {stage.name: stage for stage in resolve_job(read_job(read_document(ROOT / f"examples/{name}.yaml"))).spec.stages or []}
        for name in ("zephyr-7b-teachers", "zephyr-7b")
    )
    for name, writer in (("sft", "distill"), ("dpo", "feedback")):
        ours, theirs = with_teachers[name].settings, published[name].settings
        assert [dataset.stage for dataset in getattr(ours, "datasets", [])] == [writer]
        own = {"datasets": None, "holdout": None}
        assert ours.model_copy(update=own) == theirs.model_copy(update=own)


def needs(name: str) -> tuple[AlignmentJobSpec, dict[str, list[str]]]:
    """Resolve an example, and say which stages each of its stages waits for."""
    spec = resolve_job(read_job(read_document(ROOT / f"examples/{name}.yaml"))).spec
    return spec, {stage.name: [known.name for known in stages_needed(spec, stage)] for stage in spec.stages or []}


def epochs(spec: AlignmentJobSpec) -> dict[str, float]:
    return {stage.name: stage.training.optimization.epochs for stage in spec.stages or [] if stage.training}  # type: ignore


def test_the_ablation_of_zephyr_has_the_rows_of_the_table_and_measures_all_of_them() -> None:
    spec, found = needs("zephyr-7b-ablation")
    measured = found.pop("evaluate")
    assert found == {
        "sft": [],
        "dpo-only": [],
        "sft-answers": ["sft"],
        "sft-two-epochs": [],
        "dpo-1": ["sft"],
        "dpo-3": ["sft"],
        "feedback-others": [],
        "feedback-own": ["sft"],
        "dpo-others": ["sft", "feedback-others"],
        "dpo-own": ["sft", "feedback-own"],
    }
    assert measured == [stage.name for stage in spec.stages or [] if stage.training]
    assert epochs(spec) == {
        **dict.fromkeys(("sft", "dpo-only", "sft-answers", "dpo-1", "dpo-others", "dpo-own"), 1),
        "sft-two-epochs": 2,
        "dpo-3": 3,
    }


def test_the_tutors_study_varies_mixture_and_schedule_and_starts_dpo_from_each_and_from_base() -> None:
    spec, found = needs("tutor-study")
    measured = found.pop("evaluate")
    assert found == {
        **{name: [] for name in (*M1, "dpo-m0")},
        **{dpo: [m1] for m1, dpo in zip(M1, DPO_OF_M1, strict=True)},
        **{name: ["dpo-capped-cos"] for name in ("int8", "int4")},
    }
    assert set(measured) == set(found)
    varied = {
        stage.name: (stage.sft.optimization.schedule, stage.sft.datasets[0].max_examples)
        for stage in spec.stages or []
        if stage.sft
    }  # type: ignore
    assert varied == dict(zip(M1, (("Cosine", 12000), ("Constant", 12000), ("Cosine", None), ("Constant", None)), strict=True))
    alike = [stage.dpo for stage in spec.stages or [] if stage.dpo]
    assert len(alike) == 5 and all(dpo == alike[0] for dpo in alike)


def test_there_are_examples() -> None:
    assert "tiny.yaml" in [path.name for path in EXAMPLES]


def test_the_tutor_compares_two_schedules_and_nothing_else() -> None:
    cosine, constant = (
        stage.sft for stage in resolve_job(read_job(read_document(ROOT / "examples/tutor-schedules.yaml"))).spec.stages or []
    )
    assert cosine and constant and cosine.optimization and constant.optimization
    assert (cosine.optimization.schedule, constant.optimization.schedule) == ("Cosine", "Constant")
    optimization = constant.optimization.model_copy(update={"schedule": "Cosine"})
    assert constant.model_copy(update={"optimization": optimization}) == cosine


def test_the_tutor_runs_with_the_other_model_of_its_report() -> None:
    document = read_document(ROOT / "examples/tutor.yaml")
    document["spec"]["model"] = {"uri": "hf://bigscience/bloom-560m", "chatTemplate": "ChatML"}
    assert runnable_job(read_job(document)).spec.stages


COPIED = [
    path
    for pattern in ("examples/*.yaml", "crds/alignment_api/recipes/*.yaml", "docs/*.md", "README.md", "crds/alignmentjobs.yaml")
    for path in sorted(ROOT.glob(pattern))
]


@pytest.mark.parametrize("path", COPIED, ids=lambda path: path.name)
def test_a_number_that_people_copy_is_one_for_every_yaml_reader(path: Path) -> None:
    # Readers of YAML 1.1 other than the API server's take 5e-7, which has no dot, for text.
    assert re.findall(r": \"?[0-9]+[eE][-+]?[0-9]+\b", re.sub(r"# .*", "", path.read_text())) == []
