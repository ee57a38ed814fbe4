"""Each problem of a job has one sentence that names the field."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from alignment_api.problems import FORMS, InvalidJob, first_line
from alignment_api.resolving.validation import read_job, resolve_job, runnable_job
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.kinds import KINDS
from builders import a_document, a_training

SITUATIONS: list[tuple[str, dict[str, Any], str]] = [
    (
        "a misspelt field",
        {"stages": [{"name": "sft", "sft": a_training(optimzation={})}]},
        "spec.stages[0].sft.optimzation: is not a field; did you mean optimization?",
    ),
    (
        "an unknown field",
        {"storage": {"claimName": "a", "zzz": 1}},
        "spec.storage.zzz: is not a field; there are claimName, size, storageClassName",
    ),
    (
        "a reference to no stage",
        {"stages": [{"name": "sft", "sft": a_training()}, {"name": "dpo", "model": {"stage": "stf"}, "dpo": a_training()}]},
        "spec.stages[1].model.stage: 'stf' is not an earlier stage; name one of sft",
    ),
    (
        "a reference forwards",
        {"stages": [{"name": "dpo", "model": {"stage": "sft"}, "dpo": a_training()}, {"name": "sft", "sft": a_training()}]},
        "spec.stages[0].model.stage: 'sft' is not an earlier stage; before the first stage there is only the base model",
    ),
    (
        "a stage called as the job's own model",
        {
            "stages": [
                {"name": "base", "sft": a_training()},
                {"name": "b", "evaluate": {"tasks": [{"name": "x", "benchmark": "arc_easy"}]}},
            ]
        },
        "spec.stages[0].name: 'base' is how reports call the job's own model; choose another name",
    ),
    (
        "a model twice",
        {
            "stages": [
                {"name": "a", "sft": a_training()},
                {
                    "name": "b",
                    "evaluate": {"models": [{"stage": "a"}] * 2, "tasks": [{"name": "x", "benchmark": "arc_easy"}]},
                },
            ]
        },
        "spec.stages[1].evaluate.models[1]: stage 'a' is in the list already; remove it",
    ),
    (
        "rows of no stage",
        {"stages": [{"name": "one", "distill": {}}, {"name": "two", "sft": a_training(datasets=[{"stage": "on"}])}]},
        "spec.stages[1].sft.datasets[0].stage: 'on' is not a stage before 'two'; name one of one",
    ),
    (
        "rows of a later stage",
        {
            "stages": [
                {"name": "sft", "sft": a_training(holdout={"datasets": [{"uri": "hf://a/b"}, {"stage": "later"}]})},
                {"name": "later", "feedback": {}},
            ]
        },
        "spec.stages[0].sft.holdout.datasets[1].stage: 'later' is not a stage before 'sft'; name a uri, or add "
        "a stage of kind distill or feedback before stage 'sft'",
    ),
    (
        "weights of a stage that trains none",
        {
            "stages": [
                {"name": "a", "sft": a_training()},
                {"name": "b", "evaluate": {"tasks": [{"name": "x", "benchmark": "arc_easy"}]}},
                {"name": "c", "sft": a_training(), "model": {"stage": "b"}},
            ]
        },
        "spec.stages[2].model.stage: stage 'b' is of kind evaluate, which trains no model; name a, or set "
        "base: true in place of stage",
    ),
    (
        "rows of a training stage",
        {
            "stages": [
                {"name": "a", "sft": a_training()},
                {"name": "b", "sft": a_training(datasets=[{"stage": "a"}])},
            ]
        },
        "spec.stages[1].sft.datasets[0].stage: stage 'a' is of kind sft, which writes no rows; name a stage "
        "of kind distill or feedback, or a uri",
    ),
    (
        "a uri and a stage",
        {"stages": [{"name": "a", "sft": a_training(datasets=[{"stage": "a", "uri": "hf://a/b"}])}]},
        "spec.stages[0].sft.datasets[0]: set exactly one of uri and stage (an earlier stage that writes rows)",
    ),
    (
        "a revision of a stage's rows",
        {"stages": [{"name": "a", "sft": a_training(datasets=[{"stage": "a", "revision": "main"}])}]},
        "spec.stages[0].sft.datasets[0]: revision, configuration and split need uri: the rows of a stage have none of them; "
        "remove them",
    ),
    (
        "a name twice",
        {"stages": [{"name": "a", "sft": a_training()}, {"name": "a", "dpo": a_training()}]},
        "spec.stages[1].name: 'a' is the name of an earlier stage already; rename one of them",
    ),
    (
        "two kinds in one stage",
        {"stages": [{"name": "a", "sft": a_training(), "dpo": a_training()}]},
        "spec.stages[0]: set exactly one of distill, feedback, sft, dpo, dpoDistillation, evaluate and export",
    ),
    (
        "a batch that does not divide",
        {
            "stages": [
                {"name": "sft", "sft": a_training(optimization={"learningRate": 1, "globalBatchSize": 30, "epochs": 1})},
            ],
            "compute": {"nodes": 2, "gpusPerNode": 8},
        },
        "spec.stages[0].sft.optimization.globalBatchSize: 30 cannot be divided among 16 processes with micro-batches of 1: "
        "it must be a multiple of 16; the nearest possible values are 16 or 32",
    ),
    (
        "a batch that is too small",
        {"compute": {"nodes": 2, "gpusPerNode": 8}},
        "spec.stages[0].sft.optimization.globalBatchSize: 8 is too small for 16 processes with micro-batches of 1: "
        "it must be a multiple of 16, at least 16",
    ),
    (
        "nothing to train on",
        {
            "stages": [
                {"name": "sft", "sft": {"maxLength": 8, "optimization": {"learningRate": 1, "globalBatchSize": 2, "epochs": 1}}}
            ]
        },
        "spec.stages[0].sft.datasets: is not set, and neither recipe nor default gives it; set it",
    ),
    (
        "no end",
        {"stages": [{"name": "sft", "sft": a_training(optimization={"learningRate": 1, "globalBatchSize": 2})}]},
        "spec.stages[0].sft.optimization.epochs: neither epochs nor maxSteps is set; set one of them",
    ),
    (
        "two ends",
        {
            "stages": [
                {
                    "name": "a",
                    "sft": a_training(optimization={"learningRate": 1, "globalBatchSize": 2, "epochs": 1, "maxSteps": 1}),
                }
            ]
        },
        "spec.stages[0].sft.optimization: set only one of epochs and maxSteps",
    ),
    (
        "a rate as text",
        {"stages": [{"name": "a", "sft": a_training(optimization={"learningRate": "fast"})}]},
        "spec.stages[0].sft.optimization.learningRate: 'fast' is not possible: it must be a number; correct it",
    ),
    (
        "a rate in quotes, or as YAML readers take it that want a dot",
        {"stages": [{"name": "a", "sft": a_training(optimization={"learningRate": "3e-3"})}]},
        "spec.stages[0].sft.optimization.learningRate: '3e-3' is text, not a number; write 3.0e-3, without quotes",
    ),
    (
        "a rate without a sign",
        {"stages": [{"name": "a", "sft": a_training(optimization={"maximumGradientNorm": "1.5E3"})}]},
        "spec.stages[0].sft.optimization.maximumGradientNorm: '1.5E3' is text, not a number; write 1.5e+3, without quotes",
    ),
    (
        "a count in quotes",
        {"compute": {"nodes": "2", "gpusPerNode": 0}},
        "spec.compute.nodes: '2' is text, not a number; write 2, without quotes",
    ),
    (
        "half a node in quotes",
        {"compute": {"nodes": "1.5", "gpusPerNode": 0}},
        "spec.compute.nodes: '1.5' is not possible: it must be a whole number; correct it",
    ),
    (
        "a rate below zero",
        {"stages": [{"name": "a", "sft": a_training(optimization={"learningRate": -1})}]},
        "spec.stages[0].sft.optimization.learningRate: -1 is not possible: it must be greater than 0; correct it",
    ),
    (
        "an unknown scheme",
        {"model": {"uri": "ftp://x"}},
        "spec.model.uri: 'ftp://x' is not possible: it must be hf://owner/name, workspace://path or s3://bucket/key; "
        "a path has no backslash or control character, and does not begin with / or a space or end with a space",
    ),
    (
        "a way out of the workspace",
        {"model": {"uri": "workspace://a/../../etc"}},
        "spec.model.uri: 'workspace://a/../../etc' must not contain '..'; name the path from the workspace's root",
    ),
    (
        "an unknown recipe",
        {"recipe": "zephyr"},
        "spec.recipe: 'zephyr' is not a recipe; choose one of dpo-kd-offline, dpo-kd-online, tutor-lora, zephyr-handbook, "
        "zephyr-paper, zephyr-qlora",
    ),
    (
        "quantized weights without an adapter",
        {"stages": [{"name": "a", "sft": a_training(adapter={"quantization": "NF4"})}]},
        "spec.stages[0].sft.adapter: quantization needs lora: quantized weights cannot be trained themselves",
    ),
    (
        "gpusPerNode is not set",
        {"compute": {}},
        "spec.compute.gpusPerNode: is not set; set it to the GPUs of each node, or to 0 to run on CPUs",
    ),
    (
        "offload without sharding",
        {"compute": {"nodes": 1, "gpusPerNode": 0, "offload": "Optimizer"}},
        "spec.stages[0].compute.offload: Optimizer needs sharding; set sharding to ZeRO2 or ZeRO3, or offload to None",
    ),
    (
        "quantized weights that are sharded",
        {
            "stages": [{"name": "a", "sft": a_training(adapter={"lora": {}, "quantization": "NF4"})}],
            "compute": {"nodes": 1, "gpusPerNode": 0, "sharding": "ZeRO3"},
        },
        "spec.stages[0].compute.sharding: ZeRO3 cannot shard quantized weights; "
        "set sharding to ZeRO2 or None, or leave out adapter.quantization",
    ),
    (
        "label smoothing without effect",
        {"stages": [{"name": "a", "dpo": a_training(labelSmoothing=0.1)}]},
        "spec.stages[0].dpo.labelSmoothing: 0.1 has no effect on the loss Sigmoid; set loss to Robust, or labelSmoothing to 0",
    ),
    (
        "offloaded parameters that are not sharded",
        {"compute": {"nodes": 1, "gpusPerNode": 0, "sharding": "ZeRO2", "offload": "OptimizerAndParameters"}},
        "spec.stages[0].compute.offload: parameters can only be offloaded if they are sharded, and ZeRO2 does not shard them; "
        "set sharding to ZeRO3, or offload to Optimizer",
    ),
    (
        "packing for a model that takes no positions",
        {"model": {"uri": "hf://bigscience/bloom-560m"}},
        "spec.stages[0].sft.packing: bloom models would attend across packed examples; set packing to false",
    ),
    (
        "an optimizer for GPUs on CPUs",
        {
            "stages": [
                {
                    "name": "a",
                    "sft": a_training(
                        optimization={"learningRate": 1, "globalBatchSize": 2, "epochs": 1, "optimizer": "PagedAdamW32bit"}
                    ),
                }
            ]
        },
        "spec.stages[0].sft.optimization.optimizer: PagedAdamW32bit pages GPU memory, and there is no GPU; set it to AdamW",
    ),
    (
        "an unknown cleaning",
        {"stages": [{"name": "a", "sft": a_training(datasets=[{"uri": "hf://a/b", "cleaning": ["Lowercase"]}])}]},
        "spec.stages[0].sft.datasets[0].cleaning[0]: 'Lowercase' is not possible; use 'Truecase' or 'DropRefusals'",
    ),
    (
        "cleaning of evaluation datasets",
        {
            "stages": [
                {
                    "name": "a",
                    "sft": a_training(decontamination={"datasets": [{"uri": "hf://a/b", "cleaning": ["Truecase"]}]}),
                }
            ]
        },
        "spec.stages[0].sft.decontamination: evaluation datasets are not cleaned; remove cleaning",
    ),
    (
        "pairs for sft",
        {
            "stages": [
                {"name": "a", "sft": a_training(datasets=[{"uri": "hf://a/b", "columns": {"chosen": "c", "rejected": "r"}}])}
            ]
        },
        "spec.stages[0].sft.datasets[0].columns: chosen and rejected make pairs, and sft learns from single answers; set prompt "
        "and answer, or use a dpo stage",
    ),
    (
        "labels for sft",
        {
            "stages": [
                {
                    "name": "a",
                    "sft": a_training(datasets=[{"uri": "hf://a/b", "columns": {"prompt": "q", "answer": "a", "label": "l"}}]),
                }
            ]
        },
        "spec.stages[0].sft.datasets[0].columns: label marks good and bad answers, and sft would learn both; remove the bad rows "
        "and label, or use a dpo stage",
    ),
    (
        "single answers for dpo, in a holdout",
        {"stages": [{"name": "a", "dpo": a_training(holdout={"datasets": [{"uri": "hf://a/b", "columns": {"messages": "m"}}]})}]},
        "spec.stages[0].dpo.holdout.datasets[0].columns: dpo learns from pairs; set chosen and rejected, or prompt, answer and "
        "label",
    ),
    (
        "a misspelt target of a column",
        {"stages": [{"name": "a", "sft": a_training(datasets=[{"uri": "hf://a/b", "columns": {"message": "m"}}])}]},
        "spec.stages[0].sft.datasets[0].columns.message: is not a field; did you mean messages?",
    ),
    (
        "a model in a bucket",
        {"model": {"uri": "s3://models/one"}},
        "spec.model.uri: this version cannot read s3://models/one; copy it to the workspace volume and use workspace://",
    ),
    (
        "a size in words",
        {"storage": {"size": "large"}},
        "spec.storage.size: 'large' is not possible: it must be a quantity such as 500m, 4 or 16Gi; units are k, M, G, T and "
        "Ki, Mi, Gi, Ti, without B, and m for a thousandth",
    ),
    (
        "a quantity that only text can be",
        {"compute": {"nodes": 1, "gpusPerNode": 0, "cpu": 0.5}},
        'spec.compute.cpu: 0.5 is not text; write "0.5", in quotes',
    ),
    (
        "a GPU as a network",
        {"compute": {"nodes": 1, "gpusPerNode": 0, "rdma": {"resourceName": "nvidia.com/gpu", "count": 1}}},
        "spec.compute.rdma.resourceName: 'nvidia.com/gpu' is not possible: it must not be a GPU resource, which gpusPerNode asks "
        "for; name the network devices, such as rdma/hca",
    ),
    ("no stages", {"stages": None}, "spec: set stages, or a recipe that has them"),
    (
        "an empty list of stages",
        {"stages": []},
        "spec.stages: [] is not possible: it must have at least 1 item; correct it",
    ),
    (
        "a name that YAML takes for a truth",
        {"stages": [{"name": False, "sft": a_training()}]},
        "spec.stages[0].name: false is not text, and without quotes yes, no, on, off, y and n mean true or false; "
        "write the text in quotes",
    ),
]

SERVER = {"baseUrl": "http://server:8000/v1", "model": "m"}
PRICE = {"promptPerMillionTokens": 0.5, "answerPerMillionTokens": 1.5}
ROWS = [{"uri": "workspace://rows.jsonl"}]
_UNSET = "is not set, and neither recipe nor default gives it; set it"
_UNPAID = "is not set, and budget.cost needs the price of every endpoint; set it, with 0 for a server that charges nothing"

ASKING: list[tuple[str, dict[str, Any], list[str]]] = [
    ("no teacher", {"distill": {"prompts": ROWS}}, [f"distill.teachers: {_UNSET}"]),
    (
        "nobody who answers or judges",
        {"feedback": {"prompts": ROWS}},
        [
            f"feedback.responders: {_UNSET}, or judged instead",
            f"feedback.judge: {_UNSET}, or judged instead",
        ],
    ),
    ("rows that are judged", {"feedback": {"judged": ROWS}}, []),
    (
        "a cost without a price",
        {"distill": {"teachers": [{**SERVER, "price": PRICE}, SERVER], "prompts": ROWS, "budget": {"cost": 5, "tokens": 9}}},
        [f"distill.teachers[1].price: {_UNPAID}"],
    ),
    (
        "a cost without the price of a simulated user",
        {
            "distill": {
                "method": "Dialogues",
                "teachers": [{**SERVER, "price": PRICE}],
                "user": SERVER,
                "prompts": ROWS,
                "budget": {"cost": 5},
            }
        },
        [f"distill.user.price: {_UNPAID}"],
    ),
    (
        "a cost without the price of a judge",
        {
            "feedback": {
                "responders": [{"endpoint": {**SERVER, "price": PRICE}}, {"model": {"base": True}}],
                "judge": SERVER,
                "prompts": ROWS,
                "budget": {"cost": 5},
            }
        },
        [f"feedback.judge.price: {_UNPAID}"],
    ),
    ("tokens without a price", {"distill": {"teachers": [SERVER], "prompts": ROWS, "budget": {"tokens": 9}}}, []),
    (
        "a model for a stage that starts from none",
        {"model": {"base": True}, "distill": {"teachers": [SERVER], "prompts": ROWS}},
        ["model: has no effect: a distill stage does not start from a model; remove it"],
    ),
    (
        "several processes without a model",
        {"distill": {"teachers": [SERVER], "prompts": ROWS}, "compute": {"nodes": 2}},
        [
            "compute: has more than one process, but a stage that loads no model asks its servers from one; "
            "remove nodes, gpusPerNode and processesPerNode"
        ],
    ),
    ("more memory without a model", {"distill": {"teachers": [SERVER], "prompts": ROWS}, "compute": {"memory": "4Gi"}}, []),
    (
        "turns without a user",
        {"distill": {"teachers": [SERVER], "prompts": ROWS, "turns": 3}},
        ["distill: turns above 1, user and promptsAre: Topics need method: Dialogues, in which a simulated user asks"],
    ),
]


@pytest.mark.usefixtures("every_kind_runs")
@pytest.mark.parametrize(("stage", "sentences"), [row[1:] for row in ASKING], ids=[row[0] for row in ASKING])
def test_a_broken_stage_that_asks_endpoints_is_refused_in_sentences(stage: dict[str, Any], sentences: list[str]) -> None:
    document = a_document(stages=[{"name": "a", **stage}])
    try:
        runnable_job(read_job(document))
    except InvalidJob as refused:
        assert [str(problem) for problem in refused.problems] == [f"spec.stages[0].{sentence}" for sentence in sentences]
    else:
        assert sentences == []


@pytest.mark.parametrize(("spec", "sentence"), [row[1:] for row in SITUATIONS], ids=[row[0] for row in SITUATIONS])
def test_a_broken_spec_is_refused_in_a_sentence(spec: dict[str, Any], sentence: str) -> None:
    document = a_document()
    document["spec"] = {key: value for key, value in {**document["spec"], **spec}.items() if value is not None}
    with pytest.raises(InvalidJob) as refused:
        resolve_job(read_job(document))
    assert sentence in str(refused.value).splitlines()


def patterns(schema: Any) -> Iterator[str]:
    """Find all regular expressions of a schema."""
    if isinstance(schema, dict):
        yield from [schema["pattern"]] if isinstance(schema.get("pattern"), str) else []
        schema = list(schema.values())
    for inner in schema if isinstance(schema, list) else []:
        yield from patterns(inner)


def test_every_regular_expression_of_a_field_has_its_words() -> None:
    assert set(patterns(AlignmentJob.model_json_schema())) <= set(FORMS)


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ([], "the document: is not an AlignmentJob; begin with apiVersion, kind, metadata and spec"),
        ({**a_document(), "kind": "Pod"}, "kind: 'Pod' is not possible; use 'AlignmentJob'"),
        ({**a_document(), "metadata": {}}, "metadata.name: is missing; add it"),
        (
            {**a_document(), "metadata": {"name": "Job_1"}},
            "metadata.name: 'Job_1' must be lowercase letters, digits and '-', starting with a letter; correct it",
        ),
    ],
)
def test_a_foreign_document_is_refused_in_a_sentence(document: Any, sentence: str) -> None:
    with pytest.raises(InvalidJob) as refused:
        read_job(document)
    assert sentence in str(refused.value).splitlines()


@pytest.mark.parametrize(("written", "read"), [(1, "1"), ("1", "1"), ("500m", "500m"), (1073741824, "1073741824")])
def test_whole_numbers_and_text_are_the_same_quantity(written: Any, read: str) -> None:
    compute = read_job(a_document(compute={"nodes": 2, "gpusPerNode": 0, "cpu": written})).spec.compute
    assert compute and compute.cpu == read


def test_datasets_may_lie_in_a_bucket() -> None:
    job = read_job(a_document(stages=[{"name": "a", "sft": a_training(datasets=[{"uri": "s3://rows/sft.jsonl"}])}]))
    assert runnable_job(job).spec.stages


def test_every_problem_is_named_at_once() -> None:
    stages = [{"name": "sft", "sft": {"packin": True, "maxLength": 1}}]
    with pytest.raises(InvalidJob) as refused:
        read_job(a_document(stages=stages))
    assert [problem.path for problem in refused.value.problems] == ["spec.stages[0].sft.maxLength", "spec.stages[0].sft.packin"]


@pytest.fixture
def unrun(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this version lack a page for one kind."""
    monkeypatch.setitem(KINDS, "export", replace(KINDS["export"], runs=False))


def test_a_stage_without_a_trainer_page_resolves_but_does_not_run(unrun: None) -> None:
    job = read_job(a_document(stages=[{"name": "out", "export": {}}]))
    assert resolve_job(job).spec.stages is not None
    with pytest.raises(InvalidJob, match=r"spec.stages\[0\].export: this version cannot run this kind of stage yet"):
        runnable_job(job)


UNRUN = "spec.stages[1].export"


@pytest.mark.parametrize(
    ("settings", "changes", "paths"),
    [
        ({}, {}, [UNRUN]),
        ({"zzz": 1}, {}, [UNRUN]),
        ([], {}, [UNRUN]),
        ({"calibration": {"stage": "sft"}}, {}, [UNRUN]),
        ({"zzz": 1}, {"zzz": 1}, [UNRUN, "spec.zzz"]),
        ({"quantization": "Int8"}, {"compute": {}}, [UNRUN, "spec.compute.gpusPerNode"]),
        ({}, {"recipe": "none"}, [UNRUN, "spec.recipe"]),
    ],
)
def test_a_kind_that_does_not_run_is_named_before_all_fields_and_in_place_of_its_own(
    settings: Any, changes: dict[str, Any], paths: list[str], unrun: None
) -> None:
    document = a_document(stages=[{"name": "sft", "sft": a_training()}, {"name": "b", "export": settings}], **changes)
    with pytest.raises(InvalidJob) as refused:
        runnable_job(read_job(document))
    assert [problem.path for problem in refused.value.problems] == paths


@pytest.mark.parametrize("stages", [None, 1, {}, "x", [None], [[]], ["evaluate"], [{"evaluate": None}]])
def test_stages_of_any_form_are_refused_in_sentences(stages: Any) -> None:
    document = a_document()
    document["spec"]["stages"] = stages
    for broken in (document, {**document, "spec": stages}):
        with pytest.raises(InvalidJob):
            runnable_job(read_job(broken))


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError("no such file\nsee the manual"), "no such file"),
        (OSError("\n  no such file"), "no such file"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_an_error_in_one_line(error: Exception, line: str) -> None:
    assert first_line(error) == line
