"""Compares SFT with a plain TRL script on the same data: first equal losses, then tokens per second and peak memory.

`python -P benchmarks/sft.py` prints figures as JSON (-P prevents Python from importing operator.py of this folder instead of the
standard library's `operator`). Both train the same model on the same dialogues in the same order, packed, on one process and one
thread. Runs alternate, each in a new process.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from alignment_api import metrics
from alignment_api.resolving.validation import read_job, runnable_job
from alignment_operator.deciding.stage_run import fresh_run
from alignment_operator.settings import Settings

WORDS = (
    "answer",
    "because",
    "city",
    "first",
    "large",
    "light",
    "number",
    "question",
    "reason",
    "river",
    "small",
    "step",
    "water",
)
STEPS, BATCH, MAX_LENGTH, LEARNING_RATE, SEED = 12, 4, 1024, 1e-3, 42
# The losses of one step may differ by this much, because fp32 sums depend on their order.
TOLERANCE = 2e-4

Figures = dict[str, Any]


def write_inputs(folder: Path, rows: int) -> None:
    """Write a model of about ten million weights, and dialogues about as long as UltraChat's."""
    import torch
    from alignment_trainer.templates.named import ZEPHYR
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    special = ["<s>", "</s>", "<pad>", "<unk>", *"<|>", "user", "assistant", "system"]
    core = Tokenizer(models.WordLevel({word: number for number, word in enumerate([*special, *WORDS])}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
    tokenizer.chat_template = ZEPHYR
    torch.manual_seed(SEED)
    shape = LlamaConfig(
        vocab_size=8192,
        hidden_size=256,
        intermediate_size=704,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=2 * MAX_LENGTH,
        bos_token_id=0,
        eos_token_id=1,
    )
    LlamaForCausalLM(shape).save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    draw = random.Random(SEED)
    with (folder / "rows.jsonl").open("w") as file:
        for _ in range(rows):
            file.write(json.dumps({"messages": dialogue(draw)}) + "\n")


def dialogue(draw: random.Random) -> list[dict[str, str]]:
    """Return one to three turns of log-normal length that fit into a row, because the two sides may cut rows differently."""
    turns = []
    for _ in range(draw.randint(1, 3)):
        for role, median in (("user", 40), ("assistant", 150)):
            words = draw.choices(WORDS, k=max(3, min(150, round(draw.lognormvariate(0, 0.6) * median))))
            turns.append({"role": role, "content": " ".join(words)})
    return turns


def ours(folder: Path, run: int) -> Figures:
    """Run the stage as a pod does."""
    training: Figures = {
        "datasets": [{"uri": "workspace://rows.jsonl"}],
        "maxLength": MAX_LENGTH,
        "precision": "Float32",
        "packing": True,
        "optimization": {"learningRate": LEARNING_RATE, "schedule": "Constant", "warmup": {"steps": 0}},
        "checkpoint": {"everySteps": STEPS},
    }
    training["optimization"] |= {"maxSteps": STEPS, "globalBatchSize": BATCH, "seed": SEED}
    spec: Figures = {
        "model": {"uri": "workspace://model", "chatTemplate": "Zephyr"},
        "stages": [{"name": "sft", "sft": training}],
        "compute": {"gpusPerNode": 0, "microBatchSize": 1, "gradientCheckpointing": False},
        "storage": {"claimName": "none"},
    }
    identity = {"name": f"run-{run}", "namespace": "default", "uid": f"{run:08}-0"}
    job = read_job({"apiVersion": "alignment-operator.dev/v1alpha1", "kind": "AlignmentJob", "metadata": identity, "spec": spec})
    resolved = runnable_job(job).spec
    settings = Settings(workspace_path=str(folder), tracking_uri=f"sqlite:///{folder}/mlflow-{run}.db")
    config = fresh_run(job, resolved, (resolved.stages or [])[0]).run_config(settings)
    written = folder / f"run-{run}.json"
    written.write_text(config.model_dump_json(by_alias=True, exclude_none=True))
    launch([sys.executable, "-m", "alignment_trainer", "--config", str(written)], PET_NPROC_PER_NODE="1", PET_NNODES="1")
    lines = (Path(config.paths.stage) / "metrics.jsonl").read_text().splitlines()
    points = [json.loads(line) for line in lines]
    steps = [point for point in points if metrics.LOSS in point["metrics"]]
    tokens = sum(point["metrics"][metrics.TOKENS] for point in steps[1:])
    seconds = (steps[-1]["time"] - steps[0]["time"]) / 1000
    return {
        "losses": [point["metrics"][metrics.LOSS] for point in steps],
        "tokens": tokens,
        "tokens_per_second": tokens / seconds,
        "peak_gib": steps[-1]["metrics"][metrics.MEMORY_RESIDENT],
    }


def plain(folder: Path, tokens: float) -> Figures:
    """Run the script in a new process; the rows are the same, so use the number of tokens that ours counted."""
    said = launch([sys.executable, "-P", __file__, "--as-plain-script", str(folder)])
    figures: Figures = json.loads(said.splitlines()[-1])
    return {**figures, "tokens_per_second": tokens / figures.pop("seconds")}


def plain_script(folder: Path) -> None:
    """Train as TRL's documentation shows."""
    import resource
    import time

    from alignment_trainer.training.dealing import order
    from datasets import load_dataset
    from transformers import AutoTokenizer, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    times = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_log(self, *_: Any, **__: Any) -> None:
            times.append(time.monotonic())

    trainer = SFTTrainer(
        model=str(folder / "model"),
        args=SFTConfig(
            output_dir=str(folder / "plain"),
            max_length=MAX_LENGTH,
            packing=True,
            assistant_only_loss=True,
            learning_rate=LEARNING_RATE,
            lr_scheduler_type="constant_with_warmup",
            max_steps=STEPS,
            per_device_train_batch_size=1,
            gradient_accumulation_steps=BATCH,
            weight_decay=0.0,
            seed=SEED,
            train_sampling_strategy="sequential",
            bf16=False,
            use_cpu=True,
            activation_checkpointing=False,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        ),
        train_dataset=load_dataset("json", data_files=str(folder / "rows.jsonl"), split="train").shuffle(seed=SEED),
        processing_class=AutoTokenizer.from_pretrained(folder / "model"),
        callbacks=[Clock()],
    )
    # Use the order in which ours trains on the rows.
    trainer.train_dataset = trainer.train_dataset.select(order(len(trainer.train_dataset), SEED, 0))
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
    print(json.dumps({"losses": losses, "seconds": times[STEPS - 1] - times[0], "peak_gib": peak}))


def launch(command: list[str], **environment: str) -> str:
    """Run a command on one thread, without the Hub, and return its output."""
    quiet = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "DS_ACCELERATOR": "cpu"}
    done = subprocess.run(command, env={**os.environ, **quiet, **environment}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return done.stdout


def furthest(one: list[float], other: list[float]) -> float:
    """Return the largest difference between two curves."""
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def compare(folder: Path, repeats: int) -> list[tuple[Figures, Figures]]:
    """Run both sides alternately, and stop if their losses differ: such figures cannot be compared."""
    pairs = []
    for run in range(repeats):
        mine = ours(folder, run)
        theirs = plain(folder, mine["tokens"])
        apart = furthest(mine["losses"], theirs["losses"])
        if apart > TOLERANCE:
            raise SystemExit(f"error: the losses are {apart:.2g} apart, so the figures cannot be compared")
        pairs.append((mine, theirs))
    return pairs


def medians(pairs: list[tuple[Figures, Figures]], name: str) -> list[float]:
    """Return the medians of a figure, ours and TRL's."""
    return [round(statistics.median(pair[side][name] for pair in pairs), 3) for side in (0, 1)]


def ratios(pairs: list[tuple[Figures, Figures]], name: str) -> Figures:
    """Return ours divided by TRL's for a figure, run by run."""
    each = [round(mine[name] / theirs[name], 3) for mine, theirs in pairs]
    return {"median": statistics.median(each), "all": each}


def summary(pairs: list[tuple[Figures, Figures]]) -> Figures:
    """Return the summary; each list of two is ours and TRL's."""
    return {
        "steps": STEPS,
        "furthest_losses": max(furthest(mine["losses"], theirs["losses"]) for mine, theirs in pairs),
        "tokens_per_second": medians(pairs, "tokens_per_second"),
        "speed_ratio": ratios(pairs, "tokens_per_second"),
        "peak_gib": medians(pairs, "peak_gib"),
        "memory_ratio": ratios(pairs, "peak_gib"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=400, help="dialogues")
    parser.add_argument("--repeats", type=int, default=5, help="runs per side")
    parser.add_argument("--as-plain-script", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.as_plain_script:
        plain_script(options.as_plain_script)
        return
    with tempfile.TemporaryDirectory() as name:
        write_inputs(Path(name), options.rows)
        print(json.dumps(summary(compare(Path(name), options.repeats)), indent=1))


if __name__ == "__main__":
    main()
