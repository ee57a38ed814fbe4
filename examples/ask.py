"""Asks the base model and every model of a local job the same questions: `examples/ask.py tiny`."""

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
from alignment_api.home import Home
from alignment_api.names import MODEL_FOLDER, WORKSPACE_PREFIX, stage_folder
from alignment_api.spec.job import AlignmentJob
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

QUESTIONS = ["What colour is a plum?", "What does a pig say?", "What is 2 plus 3?"]


def models_of(home: Home, name: str, namespace: str) -> dict[str, Path]:
    """Return the folders of a job's models, in the order of its stages."""
    file = home.job_folder(namespace, name) / "job.json"
    if not file.exists():
        raise SystemExit(f"error: {home.root} has no job {namespace}/{name}; run it first: alignment run examples/{name}.yaml")
    job = AlignmentJob.parse_stored(json.loads(file.read_text()))
    folders = {}
    if job.spec.model and job.spec.model.uri and job.spec.model.uri.startswith(WORKSPACE_PREFIX):
        folders["base"] = home.workspace / job.spec.model.uri.removeprefix(WORKSPACE_PREFIX)
    for stage in job.spec.stages or []:
        folder = home.workspace / stage_folder(namespace, name, job.metadata.uid or "", stage.name) / MODEL_FOLDER
        if folder.is_dir():
            folders[stage.name] = folder
    return folders


def answers(folder: Path, questions: list[str], count: int) -> list[list[str]]:
    """Sample a model's answers to each question, with a fixed seed."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    torch.manual_seed(1)
    sampled = []
    for question in questions:
        messages = [{"role": "user", "content": question}]
        prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        with torch.inference_mode():
            tokens = model.generate(
                **prompt, max_new_tokens=24, do_sample=True, num_return_sequences=count, pad_token_id=tokenizer.pad_token_id
            )
        texts = tokenizer.batch_decode(tokens[:, prompt["input_ids"].shape[1] :], skip_special_tokens=True)
        sampled.append([" ".join(text.split()) for text in texts])
    return sampled


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", help="name of a local job")
    parser.add_argument("question", nargs="*", default=QUESTIONS, help="questions to ask")
    parser.add_argument("--answers", type=int, default=3, help="number of answers to each question")
    parser.add_argument("--namespace", default="default")
    options = parser.parse_args()
    logging.disable_progress_bar()
    folders = models_of(Home.from_environment(), options.job, options.namespace)
    answers_of = {name: answers(folder, options.question, options.answers) for name, folder in folders.items()}
    width = max(4, *map(len, folders)) + 2
    for number, question in enumerate(options.question):
        print(f"\n{question}")
        for name, sampled in answers_of.items():
            for text in sampled[number]:
                print(f"  {name:{width}}{text if text.isprintable() else ascii(text)}")


if __name__ == "__main__":
    main()
