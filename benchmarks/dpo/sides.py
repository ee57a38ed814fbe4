"""Builds both sides as complete trainers, each in its own process, which takes one training step per request."""

import copy
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from pairs import SHAPES, SIZES, draw_lengths, rows_of

Figures = dict[str, float]
COMPARED = ("loss", "grad_norm", "logps/chosen", "logps/rejected")
BETA = 0.1
# Imported once, by the process that forks the others.
PRELOAD = ["trl.trainer.dpo_trainer", "alignment_trainer.stages.dpo", "alignment_operator.deciding.stage_run"]


class Side(NamedTuple):
    """A configuration; for ours, the micro-batch is the number of full-length pairs that fit into a row."""

    name: str
    micro_batch: int
    is_ours: bool = False
    compact: bool = False
    cached: bool = False


@dataclass(frozen=True)
class Case:
    """The model, data and settings that all sides share."""

    shape: str
    vocabulary: int
    size: str
    device: str
    steps: int
    pairs_per_step: int
    max_length: int
    learning_rate: float
    gradient_checkpointing: bool
    threads: int
    seed: int

    @property
    def lengths(self) -> list[tuple[int, int, int]]:
        """Return the lengths of the pairs in the order of training."""
        return draw_lengths(SHAPES[self.shape], self.steps * self.pairs_per_step, self.max_length, self.seed)


def work(case: Case, side: Side, connection: Connection) -> None:
    """Build a side, and take a step for each request from the other end of the connection."""
    import torch

    torch.set_num_threads(case.threads)
    try:
        with tempfile.TemporaryDirectory() as folder:
            _train(case, side, connection, Path(folder))
    except torch.OutOfMemoryError:
        connection.send(None)
    except EOFError:
        # The other end has closed: no more steps are needed.
        pass


def _train(case: Case, side: Side, connection: Connection, folder: Path) -> None:
    from datasets import Dataset
    from transformers import PrinterCallback

    model = _model(case)
    gauges = _Gauges(case.device)
    rows = Dataset.from_list(rows_of(case.lengths, case.vocabulary, case.seed))
    trainer, reference = (_ours if side.is_ours else _theirs)(case, side, model, rows, folder)
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(_clock(connection, gauges, reference))
    trainer.train()


def _model(case: Case) -> Any:
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig

    size = SIZES[case.size]
    torch.manual_seed(case.seed)
    configuration = LlamaConfig(
        vocab_size=case.vocabulary,
        hidden_size=size.hidden,
        intermediate_size=size.intermediate,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.key_value_heads,
        max_position_embeddings=2 * case.max_length,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=1,
    )
    # On a GPU, weights and AdamW are in 16 bit too, so that 8b fits. A stage that trains all weights on one GPU would hold
    # them in 32 bit and compute in 16.
    with torch.device(case.device):
        return AutoModelForCausalLM.from_config(configuration, dtype=torch.bfloat16 if case.device == "cuda" else torch.float32)


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.WordLevel({"<pad>": 0, "</s>": 1}, unk_token="<pad>"))
    return PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<pad>", eos_token="</s>")


def _run_config(case: Case, side: Side, folder: Path) -> Any:
    """Return the configuration that the operator would write for the trainer."""
    from alignment_api.resolving.validation import read_job, runnable_job
    from alignment_operator.deciding.stage_run import fresh_run
    from alignment_operator.settings import Settings

    identity = {"name": "benchmark", "namespace": "default", "uid": "0badcafe-1"}
    kind = {"apiVersion": "alignment-operator.dev/v1alpha1", "kind": "AlignmentJob"}
    job = read_job({**kind, "metadata": identity, "spec": _spec(case, side)})
    resolved = runnable_job(job).spec
    return fresh_run(job, resolved, (resolved.stages or [])[0]).run_config(Settings(workspace_path=str(folder)))


def _spec(case: Case, side: Side) -> dict[str, Any]:
    on_gpu = case.device == "cuda"
    training: dict[str, Any] = {
        "datasets": [{"uri": "workspace://made-up.jsonl"}],
        "maxLength": case.max_length,
        "precision": "BFloat16" if on_gpu else "Float32",
        "beta": BETA,
        "optimization": {
            "learningRate": case.learning_rate,
            "schedule": "Constant",
            "warmup": {"steps": 0},
            "optimizer": "AdamW",
        },
        "checkpoint": {"everySteps": 1_000_000},
    }
    training["optimization"] |= {"epochs": 1, "globalBatchSize": case.pairs_per_step, "seed": case.seed}
    compute = {"gpusPerNode": int(on_gpu), "microBatchSize": side.micro_batch, "sharding": "None"}
    return {
        "model": {"uri": "workspace://model", "chatTemplate": "Zephyr"},
        "stages": [{"name": "dpo", "dpo": training}],
        "compute": {**compute, "gradientCheckpointing": case.gradient_checkpointing},
        "storage": {"claimName": "none"},
    }


Built = tuple[Any, Callable[[int], object] | None]
"""A trainer, and a function that computes the reference's values of a step, if they are not part of the step itself."""


def _ours(case: Case, side: Side, model: Any, rows: Any, folder: Path) -> Built:
    """Build the trainer as the stage does."""
    from alignment_api.spec.batch import pair_tokens
    from alignment_trainer.preference.losses import Objective
    from alignment_trainer.preference.reference import reference_of
    from alignment_trainer.preference.trainer import PackedTrainer
    from alignment_trainer.settings.training import dpo_settings, training_settings
    from alignment_trainer.training.arguments import training_arguments
    from alignment_trainer.training.dealing import order
    from transformers import TrainingArguments

    config = _run_config(case, side, folder)
    settings, own = training_settings(config), dpo_settings(config)
    model.config.save_pretrained(folder)
    kept = reference_of(config, settings, folder, "random", "none", packs=True)
    most_tokens = pair_tokens(settings.micro_batch_size, settings.max_length)
    # The trainer shuffles: store the rows so that its shuffle restores the order of the other sides.
    shuffled = order(len(rows), settings.seed, 0)
    trainer = PackedTrainer(
        objective=Objective(own.loss, own.beta, own.label_smoothing),
        most_tokens=most_tokens,
        model=model,
        reference=kept,
        rows_per_step=settings.global_batch_size,
        args=TrainingArguments(**training_arguments(config, settings, is_resumed=False)),
        train_dataset=rows.select(sorted(range(len(rows)), key=shuffled.__getitem__)),
        eval_dataset=None,
        processing_class=_tokenizer(),
    )
    return trainer, partial(_ask_reference, case, trainer, kept, rows)


def _ask_reference(case: Case, trainer: Any, reference: Any, rows: Any, step: int) -> None:
    """Compute and cache the reference's values of one step's pairs, as the stage does for all pairs before training."""
    start = step * case.pairs_per_step
    wanted = rows.select(range(start, start + case.pairs_per_step))
    reference.of(wanted, trainer.deal_all, partial(trainer.reference_values, trainer.model))


def _theirs(case: Case, side: Side, model: Any, rows: Any, folder: Path) -> Built:
    """Build TRL's trainer as a user would write it."""
    import trl.trainer.utils
    from alignment_trainer.settings.training import training_settings
    from alignment_trainer.training.arguments import training_arguments
    from trl import DPOConfig, DPOTrainer

    if side.compact:
        # Do what TRL does on a GPU. Its kernel looks Triton up under the same name in another module, so it stays with torch.
        trl.trainer.utils._use_triton = lambda device: True

    class OfTokens(DPOTrainer):  # type: ignore[misc]
        def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
            return dataset

    config = _run_config(case, side, folder)
    arguments = training_arguments(config, training_settings(config), is_resumed=False)
    arguments |= {"per_device_train_batch_size": side.micro_batch, "train_sampling_strategy": "sequential"}
    arguments |= {"gradient_accumulation_steps": case.pairs_per_step // side.micro_batch}
    trainer = OfTokens(
        model=model,
        ref_model=None if side.cached else copy.deepcopy(model),
        args=DPOConfig(**arguments, max_length=case.max_length, beta=BETA, precompute_ref_log_probs=side.cached),
        train_dataset=rows,
        processing_class=_tokenizer(),
    )
    return trainer, None


def _clock(connection: Connection, gauges: "_Gauges", reference: Callable[[int], object] | None) -> Any:
    """Return a callback that pauses training between steps; a step is timed from the previous step's log to its own log."""
    from transformers import TrainerCallback

    class Clock(TrainerCallback):  # type: ignore[misc]
        times: Figures = {}
        start: Figures = {}

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            self._wait(0)

        def on_log(self, _: Any, state: Any, __: Any, logs: dict[str, float], **___: Any) -> None:
            taken = gauges.elapsed(self.start)
            known = {name: logs[name] for name in COMPARED}
            connection.send({**taken, **self.times, **known, "peak_bytes": gauges.peak()})
            self._wait(state.global_step)

        def _wait(self, step: int) -> None:
            connection.recv()
            if reference:
                start = gauges.now()
                reference(step)
                self.times = {f"reference_{name}": seconds for name, seconds in gauges.elapsed(start).items()}
            self.start = gauges.now()

    return Clock()


class _Gauges:
    """Clocks and memory of this process, or of its GPU; created right after the model."""

    def __init__(self, device: str) -> None:
        self._on_gpu = device == "cuda"
        self._before = 0 if self._on_gpu else _resident_bytes()

    def now(self) -> Figures:
        if self._on_gpu:
            import torch

            torch.cuda.synchronize()
        return {"wall": time.perf_counter(), "cpu": time.process_time()}

    def elapsed(self, start: Figures) -> Figures:
        return {name: after - start[name] for name, after in self.now().items()}

    def peak(self) -> float:
        """Return the peak: all memory of the GPU, or this process's memory without the model."""
        if self._on_gpu:
            import torch

            return float(torch.cuda.max_memory_allocated())
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0 - self._before


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
