"""Specs that the API server refuses, each with its sentence, and similar specs that it accepts."""

from typing import Any, NamedTuple

from builders import a_document, a_training


class Refusal(NamedTuple):
    """How one spec differs from a valid one, and the sentence with which the API server refuses it."""

    situation: str
    spec: dict[str, Any]
    sentence: str


def stages(**training: Any) -> dict[str, Any]:
    return {"stages": [{"name": "a", "sft": a_training(**training)}]}


def optimization(**settings: Any) -> dict[str, Any]:
    return stages(optimization={"learningRate": 1e-3, "globalBatchSize": 8, **settings})


def batch(size: int, compute: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {**optimization(epochs=1, globalBatchSize=size), "compute": compute, **others}


def documented(spec: dict[str, Any], name: str = "job") -> dict[str, Any]:
    """Write a spec's differences into a valid job; None leaves a field out."""
    document = a_document(name)
    document["spec"] = {key: value for key, value in {**document["spec"], **spec}.items() if value is not None}
    return document


def columns(**mapping: str) -> dict[str, Any]:
    return stages(datasets=[{"uri": "hf://a/b", "columns": mapping}])


def reading(settings: dict[str, Any], *, before: str = "distill") -> dict[str, Any]:
    """A stage `first` and one behind it with the given settings."""
    kinds: dict[str, Any] = {"distill": {}, "feedback": {}, "sft": a_training()}
    return {"stages": [{"name": "first", before: kinds[before]}, {"name": "second", **settings}]}


def pairs(size: int, micro: int, **settings: Any) -> dict[str, Any]:
    optimization = {"learningRate": 1e-3, "globalBatchSize": size, "epochs": 1}
    compute = {"nodes": 1, "gpusPerNode": 4, "microBatchSize": micro}
    return {"stages": [{"name": "a", "dpo": a_training(optimization=optimization, **settings)}], "compute": compute}


SERVER = {"baseUrl": "http://server:8000/v1", "model": "m"}
ROWS = [{"uri": "workspace://rows.jsonl"}]


def distilling(**settings: Any) -> dict[str, Any]:
    return {"stages": [{"name": "a", "distill": {"teachers": [SERVER], "prompts": ROWS, **settings}}]}


def judging(**settings: Any) -> dict[str, Any]:
    return {"stages": [{"name": "a", "feedback": settings}]}


def measuring(measure: str, **task: Any) -> dict[str, Any]:
    return {"stages": [{"name": "a", "evaluate": {"tasks": [{"name": "t", "measure": measure, "dataset": ROWS[0], **task}]}}]}


MEASURED = {"tasks": [{"name": "t", "measure": "Perplexity", "dataset": ROWS[0]}]}


def named(name: str, then: dict[str, Any]) -> dict[str, Any]:
    """A training stage with a name, and a stage after it."""
    return {"stages": [{"name": name, "sft": a_training()}, {"name": "then", **then}]}


SIXTEEN = {"nodes": 2, "gpusPerNode": 8, "microBatchSize": 1}
_INDIVISIBLE = "a stage's globalBatchSize must be a multiple of nodes x gpusPerNode"
_FORWARDS = "a dataset's stage must name an earlier stage"
_NO_BASE = "in a job that measures or exports models, no stage can be called base: that is the job's own model"
_ONCE = "each of models can be named once"
_BETWEEN_WINDOWS = "stride must not exceed window, which is at most 2048 if unset"
_NO_ROWS = "a dataset's stage must write rows: name a stage of kind distill or feedback"
_INSTRUCTIONS = "method SelfInstruct needs instructions, the number of new ones; no other method has it"
_DIALOGUES = "turns above 1, user and promptsAre: Topics need method: Dialogues, in which a simulated user asks"
_JUDGED = "judged rows are paired without asking anyone: set either judged, or prompts, responders and judge"
_NO_GPU = "must not be a GPU resource, which gpusPerNode asks for; name the network devices, such as rdma/hca"


def rdma(resource: str) -> dict[str, Any]:
    return {"compute": {"nodes": 2, "gpusPerNode": 0, "rdma": {"resourceName": resource, "count": 1}}}


def memory(amount: Any) -> dict[str, Any]:
    return {"compute": {"nodes": 2, "gpusPerNode": 0, "memory": amount}}


REFUSED = [
    Refusal("a misspelt field", stages(optimzation={}), 'unknown field "spec.stages[0].sft.optimzation"'),
    Refusal("an unknown field", {"storage": {"claimName": "a", "zzz": 1}}, 'unknown field "spec.storage.zzz"'),
    Refusal("no stages", {"stages": None}, "set stages, or a recipe that has them"),
    Refusal("an empty list of stages", {"stages": []}, "spec.stages in body should have at least 1 items"),
    Refusal("no model", {"model": None}, "set model.uri, or a recipe that has it"),
    Refusal(
        "a reference to no stage",
        {"stages": [{"name": "dpo", "model": {"stage": "stf"}, "dpo": a_training()}]},
        "a stage's model.stage must name an earlier stage",
    ),
    Refusal(
        "a reference forwards",
        {"stages": [{"name": "dpo", "model": {"stage": "sft"}, "dpo": a_training()}, {"name": "sft", "sft": a_training()}]},
        "a stage's model.stage must name an earlier stage",
    ),
    Refusal(
        "a reference and the base",
        {"stages": [{"name": "sft", "model": {"stage": "x", "base": True}, "sft": a_training()}]},
        "set exactly one of stage (an earlier stage's name) and base: true",
    ),
    Refusal(
        "a name twice",
        {"stages": [{"name": "a", "sft": a_training()}, {"name": "a", "dpo": a_training()}]},
        "stage names must be unique",
    ),
    Refusal(
        "two kinds in one stage",
        {"stages": [{"name": "a", "sft": a_training(), "dpo": a_training()}]},
        "set exactly one of distill, feedback, sft, dpo, dpoDistillation, evaluate and export",
    ),
    Refusal("two ends", optimization(epochs=1, maxSteps=1), "set only one of epochs and maxSteps"),
    Refusal(
        "two warm-ups", optimization(epochs=1, warmup={"fraction": 0.1, "steps": 3}), "set exactly one of fraction and steps"
    ),
    Refusal("a rate below zero", optimization(epochs=1, learningRate=-1), "learningRate in body should be greater than 0"),
    Refusal("a rate as text", optimization(epochs=1, learningRate="3e-3"), 'in body must be of type number: "string"'),
    Refusal("an unknown scheme", {"model": {"uri": "ftp://x"}}, "must be hf://owner/name, workspace://path or s3://"),
    Refusal("a model without a scheme", {"model": {"uri": "team/model"}}, "must be hf://owner/name, workspace://path or s3://"),
    Refusal(
        "rows without a scheme",
        stages(datasets=[{"uri": "inputs/rows.jsonl"}]),
        "must be hf://owner/name, workspace://path or s3://bucket/key",
    ),
    Refusal("a path from the root", stages(datasets=[{"uri": "workspace:///rows.jsonl"}]), "does not begin with / or a space"),
    Refusal("a line break in a path", stages(datasets=[{"uri": "workspace://a\nb.jsonl"}]), "no backslash or control character"),
    Refusal(
        "a path that runs backwards", stages(datasets=[{"uri": "workspace://a\u202eb"}]), "no backslash or control character"
    ),
    Refusal("a path of Windows", stages(datasets=[{"uri": r"workspace://a\b.jsonl"}]), "no backslash or control character"),
    Refusal("columns without an aim", columns(prompt="q"), "set exactly one of answer, chosen, messages and text"),
    Refusal("columns with two aims", columns(prompt="q", answer="a", text="t"), "set exactly one of answer, chosen, messages"),
    Refusal("half a pair", columns(prompt="q", chosen="a"), "set chosen and rejected together, since a pair has both"),
    Refusal("an answer to nothing", columns(answer="a"), "answer needs prompt: name the column with the question"),
    Refusal("context of nothing", columns(messages="m", context="c"), "context needs prompt, to which it is added"),
    Refusal("messages and a question", columns(messages="m", prompt="q"), "messages and text already contain the question"),
    Refusal(
        "a system message of a plain text", columns(text="t", system="s"), "text is learned as it is, without a chat template"
    ),
    Refusal(
        "a label of messages", columns(messages="m", label="l"), "label says whether an answer is good; set prompt and answer"
    ),
    Refusal("a column without a name", columns(text=""), "should be at least 1 chars long"),
    Refusal(
        "columns of evaluation datasets",
        stages(decontamination={"datasets": [{"uri": "hf://a/b", "columns": {"text": "t"}}]}),
        "all texts of evaluation datasets are compared, whatever their columns; remove columns",
    ),
    Refusal("neither a uri nor a stage", stages(datasets=[{"name": "a"}]), "set exactly one of uri and stage"),
    Refusal(
        "a uri and a stage",
        reading({"sft": a_training(datasets=[{"stage": "first", "uri": "hf://a/b"}])}),
        "set exactly one of uri and stage (an earlier stage that writes rows)",
    ),
    Refusal(
        "a split of a stage's rows",
        reading({"sft": a_training(datasets=[{"stage": "first", "split": "train"}])}),
        "revision, configuration and split need uri: the rows of a stage have none of them; remove them",
    ),
    Refusal("rows of no stage", reading({"sft": a_training(datasets=[{"stage": "frist"}])}), _FORWARDS),
    Refusal("rows of itself", reading({"distill": {"prompts": [{"stage": "second"}]}}), _FORWARDS),
    Refusal(
        "rows of a later stage",
        {
            "stages": [
                {"name": "sft", "sft": a_training(holdout={"datasets": [{"stage": "later"}]})},
                {"name": "later", "distill": {}},
            ]
        },
        _FORWARDS,
    ),
    Refusal("rows of a training stage", reading({"dpo": a_training(datasets=[{"stage": "first"}])}, before="sft"), _NO_ROWS),
    *(
        Refusal(f"rows of a training stage as {place}", reading(settings, before="sft"), _NO_ROWS)
        for place, settings in {
            "a holdout": {"sft": a_training(holdout={"datasets": [{"stage": "first"}]})},
            "what is measured on": {"dpo": a_training(decontamination={"datasets": [{"stage": "first"}]})},
            "prompts": {"feedback": {"prompts": [{"uri": "hf://a/b"}, {"stage": "first"}]}},
            "prompts for a student": {"dpoDistillation": {"prompts": [{"stage": "first"}]}},
            "a task": {
                "evaluate": {
                    "tasks": [
                        {"name": "a", "benchmark": "arc_easy"},
                        {"name": "b", "measure": "References", "dataset": {"stage": "first"}},
                    ]
                }
            },
            "a proof": {"export": {"proof": {"dataset": {"stage": "first"}}}},
            "calibration": {"export": {"quantization": "GPTQ", "calibration": {"stage": "first"}}},
        }.items()
    ),
    Refusal(
        "a server without a scheme",
        {"stages": [{"name": "a", "distill": {"teachers": [{"baseUrl": "teacher:8000/v1", "model": "t"}]}}]},
        "must be an address such as http://teacher.models.svc:8000/v1",
    ),
    Refusal("self-instruct without a number", distilling(method="SelfInstruct"), _INSTRUCTIONS),
    Refusal("a number of instructions for answers", distilling(method="Answers", instructions=10), _INSTRUCTIONS),
    Refusal("turns without a user", distilling(method="Answers", turns=3), _DIALOGUES),
    Refusal("a user who asks nothing", distilling(method="SelfInstruct", instructions=10, user=SERVER), _DIALOGUES),
    Refusal("topics that are answered", distilling(method="Answers", promptsAre="Topics"), _DIALOGUES),
    Refusal("rows that are judged, and prompts", judging(judged=ROWS, prompts=ROWS), _JUDGED),
    Refusal("rows that are judged, and a judge", judging(judged=ROWS, judge=SERVER), _JUDGED),
    Refusal("windows of answers", measuring("References", window=64), "only Perplexity has window and stride"),
    Refusal("a stride of answers", measuring("References", stride=64), "only Perplexity has window and stride"),
    Refusal(
        "text between windows",
        measuring("Perplexity", window=64, stride=65),
        _BETWEEN_WINDOWS,
    ),
    Refusal("text between windows of the usual size", measuring("Perplexity", stride=2049), _BETWEEN_WINDOWS),
    Refusal("a stage called as the job's own model", named("base", {"evaluate": MEASURED}), _NO_BASE),
    Refusal("a stage called as the job's own model, before an export", named("base", {"export": {}}), _NO_BASE),
    Refusal(
        "a stage that measures and is called as the job's own model",
        {"stages": [{"name": "base", "evaluate": MEASURED}]},
        _NO_BASE,
    ),
    Refusal(
        "a model twice",
        named("sft", {"evaluate": {**MEASURED, "models": [{"stage": "sft"}, {"base": True}, {"stage": "sft"}]}}),
        _ONCE,
    ),
    Refusal(
        "the job's own model twice", {"stages": [{"name": "a", "evaluate": {**MEASURED, "models": [{"base": True}] * 2}}]}, _ONCE
    ),
    *(
        Refusal(
            f"a program that runs {how}",
            measuring(measure, **consent),
            "HumanEval runs programs that a model wrote: it needs runUntrustedCode: true, and no other task has it",
        )
        for how, measure, consent in (
            ("unasked", "HumanEval", {}),
            ("without consent", "HumanEval", {"runUntrustedCode": False}),
            ("for a text", "Perplexity", {"runUntrustedCode": True}),
        )
    ),
    Refusal("an answer of nobody", judging(responders=[{}]), "set exactly one of endpoint and model"),
    Refusal(
        "an answer of two",
        judging(responders=[{"endpoint": SERVER, "model": {"base": True}}]),
        "set exactly one of endpoint and model",
    ),
    Refusal(
        "answers of a later stage",
        {
            "stages": [
                {"name": "a", "feedback": {"responders": [{"endpoint": SERVER}, {"model": {"stage": "b"}}]}},
                {"name": "b", "sft": a_training()},
            ]
        },
        "a stage's model.stage must name an earlier stage",
    ),
    Refusal(
        "principles for more than all answers",
        judging(principles={"helpfulness": 0.6, "honesty": 0.5}),
        "the shares of all principles must not exceed 1 together",
    ),
    Refusal(
        "rows of a training stage as questions of a judge",
        reading({"dpoDistillation": {"roundJudge": {"endpoint": SERVER, "questions": [{"stage": "first"}]}}}, before="sft"),
        _NO_ROWS,
    ),
    Refusal(
        "rounds without sampling again",
        {"stages": [{"name": "a", "dpoDistillation": {"mode": "Offline", "rounds": 2}}]},
        "rounds above 1 need mode: Online, in which the student is sampled again in each round",
    ),
    Refusal(
        "a served student whose start has to be judged",
        {
            "stages": [
                {"name": "a", "dpoDistillation": {"student": SERVER, "roundJudge": {"endpoint": SERVER, "questions": ROWS}}}
            ]
        },
        "student cannot stand beside roundJudge, which also needs answers of the start of the stage: leave one of them out",
    ),
    Refusal(
        "a price below zero",
        distilling(teachers=[{**SERVER, "price": {"promptPerMillionTokens": -1, "answerPerMillionTokens": 1}}]),
        "promptPerMillionTokens in body should be greater than or equal to 0",
    ),
    Refusal(
        "a way out of the workspace",
        {"model": {"uri": "workspace://a/../../etc"}},
        "uri must not contain '..'; name the path from the workspace's root",
    ),
    Refusal(
        "quantized weights without an adapter",
        stages(adapter={"quantization": "NF4"}),
        "quantization needs lora: quantized weights cannot be trained themselves",
    ),
    Refusal("no workspace", {"storage": None}, "set storage, the workspace volume: claimName (an existing claim) or size"),
    Refusal(
        "a claim that exists and one to create",
        {"storage": {"claimName": "a", "size": "1Gi"}},
        "set exactly one of claimName (an existing claim) and size (creates a claim)",
    ),
    Refusal(
        "a class for a claim that exists",
        {"storage": {"claimName": "a", "storageClassName": "fast"}},
        "storageClassName needs size: an existing claim already has its storage class",
    ),
    Refusal("a size in words", {"storage": {"size": "large"}}, "must be a quantity such as 500m, 4 or 16Gi"),
    Refusal("memory in bytes with a B", memory("3GB"), "must be a quantity such as 500m, 4 or 16Gi"),
    Refusal("memory below zero", memory(-1), "must be a quantity such as 500m, 4 or 16Gi"),
    Refusal("memory below zero as text", memory("-1"), "must be a quantity such as 500m, 4 or 16Gi"),
    Refusal("an unknown recipe", {"recipe": "zephyr"}, "must be a recipe of this version: dpo-kd-offline, dpo-kd-online, "),
    Refusal("GPUs as a network", rdma("nvidia.com/gpu"), _NO_GPU),
    Refusal("GPUs of another vendor", rdma("amd.com/gpu"), _NO_GPU),
    Refusal("GPUs of a third vendor", rdma("gpu.intel.com/i915"), _NO_GPU),
    Refusal("shared GPUs", rdma("nvidia.com/gpu.shared"), _NO_GPU),
    Refusal("a part of a GPU", rdma("nvidia.com/mig-1g.5gb"), _NO_GPU),
    Refusal("a device without a domain", rdma("hca"), "must be an extended resource, domain/name, such as rdma/hca"),
    Refusal("a batch that does not divide", batch(30, SIXTEEN), _INDIVISIBLE),
    Refusal("a batch that is too small", batch(8, SIXTEEN), _INDIVISIBLE),
    Refusal(
        "a batch that a stage's own compute does not divide",
        batch(8, SIXTEEN, stages=[{"name": "a", "sft": a_training(), "compute": {**SIXTEEN, "nodes": 1, "microBatchSize": 3}}]),
        _INDIVISIBLE,
    ),
    Refusal("a batch that micro-batches of padded pairs do not divide", pairs(8, 3, batching="Padded"), _INDIVISIBLE),
    Refusal("a batch of packed pairs that processes do not divide", pairs(9, 3), _INDIVISIBLE),
    Refusal(
        "a batch that processes do not divide",
        batch(8, {"nodes": 1, "gpusPerNode": 0, "processesPerNode": 3, "microBatchSize": 1}),
        _INDIVISIBLE,
    ),
]

TAKEN: list[tuple[str, dict[str, Any]]] = [
    ("new instructions", distilling(method="SelfInstruct", instructions=10)),
    ("dialogues about topics", distilling(method="Dialogues", turns=3, promptsAre="Topics", user=SERVER)),
    ("one turn for answers", distilling(method="Answers", turns=1, promptsAre="Questions")),
    ("rows that are judged", judging(judged=ROWS)),
    ("windows side by side", measuring("Perplexity", window=64, stride=64)),
    ("a stride without a window", measuring("Perplexity", stride=2048)),
    ("a stage called base where nothing names models", named("base", {"dpo": a_training()})),
    ("each model once", named("sft", {"evaluate": {**MEASURED, "models": [{"base": True}, {"stage": "sft"}]}})),
    ("programs with consent", measuring("HumanEval", runUntrustedCode=True)),
    ("no programs", measuring("Perplexity", runUntrustedCode=False)),
    (
        "principles for all answers",
        judging(
            responders=[{"endpoint": SERVER}],
            judge=SERVER,
            prompts=ROWS,
            principles={"helpfulness": 0.6, "truthfulness": 0.2, "honesty": 0.18, "calibration": 0.02},
        ),
    ),
    (
        "rounds with a judge",
        {
            "stages": [
                {
                    "name": "a",
                    "dpoDistillation": {
                        "teacher": SERVER,
                        "prompts": ROWS,
                        "mode": "Online",
                        "rounds": 3,
                        "roundJudge": {"endpoint": SERVER, "questions": ROWS},
                        **{key: value for key, value in a_training().items() if key != "datasets"},
                    },
                }
            ]
        },
    ),
    (
        "a path with spaces in any language",
        stages(datasets=[{"uri": "workspace://données/問答 (1), v=2@a+b/it's 100% #1?.jsonl"}]),
    ),
    ("a folder", stages(datasets=[{"uri": "workspace://chat/"}])),
    ("columns of questions and answers", columns(prompt="q", context="c", system="s", answer="a.text", tools="t")),
    ("columns of messages", columns(messages="chat", system="s", tools="t")),
    ("a column of plain text", columns(text="Unnamed: 0")),
    ("a recipe", {"recipe": "zephyr-paper", "model": None, "stages": None, "compute": None}),
    ("CPUs as a number", {"compute": {"nodes": 2, "gpusPerNode": 0, "cpu": 1}}),
    ("bytes as a number", memory(3221225472)),
    ("a size as a number", {"storage": {"size": 10737418240}}),
    (
        "quantities in all their forms",
        {"compute": {"nodes": 2, "gpusPerNode": 0, "cpu": "0.5", "memory": "3e9", "sharedMemory": ".5Ti"}},
    ),
    ("a network", rdma("rdma/hca_shared_devices_a")),
    ("a network of a vendor of GPUs", rdma("nvidia.com/hostdev")),
    ("a batch that divides", batch(32, SIXTEEN)),
    ("a batch of one process for each node", batch(8, {"nodes": 2, "gpusPerNode": 0, "microBatchSize": 4})),
    ("a batch of packed pairs that micro-batches do not divide", pairs(8, 3)),
    (
        "a batch of several processes on CPUs",
        batch(6, {"nodes": 1, "gpusPerNode": 0, "processesPerNode": 3, "microBatchSize": 2}),
    ),
]
