"""Lets a model of the job answer many prompts: each process some batches, each answer with its own seed, none drawn twice."""

import gc
import re
from collections.abc import Iterable, Iterator, Sequence, Set
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object
from jinja2 import TemplateError
from transformers import AutoModelForCausalLM, StoppingCriteriaList

from alignment_trainer.asking.answering import Signs, answers_at_once, readable_tokens, ready_to_answer
from alignment_trainer.data.chat import chat_of, end_ids
from alignment_trainer.data.tokens import prompt_ids
from alignment_trainer.endpoints.question import Answer, Message, SamplingSettings, Unanswered
from alignment_trainer.forms.examples import Dialogue
from alignment_trainer.model_folder.start import PARENT
from alignment_trainer.models.load_faults import loading
from alignment_trainer.models.tokenizer import check_vocabulary, load_tokenizer
from alignment_trainer.reading.bad_row import BadRow
from alignment_trainer.synthesis.prompts import told_by_user
from alignment_trainer.synthesis.sampling.batches import Batch, batches
from alignment_trainer.synthesis.sampling.drawn_tokens import drawing
from alignment_trainer.synthesis.sampling.sampled import Said, SampledBatches
from alignment_trainer.synthesis.sampling.stop_texts import StopTexts
from alignment_trainer.workspace.activity import counted

_CPU_BYTES = 1 << 30
_SHARE_OF_GPU = 4
"""Keys and values take at most a quarter of the GPU: training needs more than the other three, beside the same weights."""
_WITH_SYSTEM: tuple[Message, ...] = (
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What does a pig say?"},
)


class Asked(NamedTuple):
    """A prompt for a model of the job."""

    key: str
    """Differs from the keys of all other prompts that are asked with it."""
    messages: Sequence[Message]
    seed: int
    """Of what is drawn for its answer; the same model gives the same answer again."""
    continues: bool = False
    """Whether the model continues the text of its only message, as a model does that knows no dialogues."""
    stop: re.Pattern[str] | None = None
    """What ends the answer where it occurs in it: a model that continues a text seldom ends by itself."""


class Student(NamedTuple):
    """A model that answers; each process holds the whole of it."""

    model: Any
    tokenizer: Any
    device: torch.device


def load_student(folder: Path, chat_template: str, dtype: torch.dtype, quantization: Any = None, name: str = PARENT) -> Student:
    """Load a model to sample it, unsharded; `name` is how a sentence calls it."""
    device = PartialState().device
    with loading("its tokenizer", name):
        tokenizer = load_tokenizer(folder, chat_template, needs_answers=False)
    with loading("its weights", name):
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            # Given as None, it would win over that of an exported model, whose codes would then be taken for weights.
            **({"quantization_config": quantization} if quantization else {}),
            # Quantized weights cannot be moved afterwards.
            device_map={"": device},
            trust_remote_code=False,
            use_safetensors=True,
        )
    check_vocabulary(model, tokenizer)
    return Student(model, tokenizer, device)


def readable(student: Student, asked: Sequence[Asked]) -> Sequence[Asked]:
    """Return what a student is asked such that its template can write it: some refuse system messages or leave them out."""
    if _takes_system(student):
        return asked
    return [one._replace(messages=told_by_user(one.messages)) for one in asked]


def sample(
    student: Student,
    asked: Sequence[Asked],
    sampling: SamplingSettings,
    folder: Path,
    what: str = "sampling the student",
    alone: bool = False,
    stage: str = "",
) -> None:
    """Write the answers to a folder, which belongs to these weights and settings; all processes call this alike.

    What an earlier attempt wrote there is not drawn again. `read_said` reads the answers when all processes are done.
    With `alone`, each prompt is answered without batch mates. `what` is how the progress calls it. Stages that use the folder
    beside each other name themselves with `stage`.
    """
    state = PartialState()
    prompts = [_ids(student, one) for one in asked]
    written = SampledBatches(folder, state.process_index, stage)
    # One plan for all processes: their GPUs may differ, and what they see of the volume.
    plan: list[Any] = [_planned(student, prompts, sampling, alone), written.known()]
    broadcast_object_list(plan)
    planned, known = plan
    left = _left(planned, asked, known)
    mine = left[state.process_index :: state.num_processes]
    with ready_to_answer(student.model, student.device), written:
        for batch in counted(mine, what, len(mine), "batches"):
            written.append(_said(student, batch, asked, prompts, sampling))
    seen = gather_object([written.sizes()])
    if state.is_main_process:
        written.await_all(seen, {asked[place].key for batch in planned for place in batch})
    state.wait_for_everyone()


def read_said(folder: Path, asked: Iterable[Asked]) -> Iterator[Answer | Unanswered]:
    """Return the answers in the order of what was asked; only after all processes have written theirs."""
    said = SampledBatches(folder, 0).read()
    for one in asked:
        # Prompts without a batch were too long for the model, or its template could not write them.
        yield said.get(one.key) or Unanswered("UnreadablePrompt", "the model cannot read the prompt with room for an answer")


def free() -> None:
    """Free the memory of a student that nothing refers to any more."""
    gc.collect()
    torch.cuda.empty_cache()


def _planned(student: Student, prompts: list[list[int] | None], sampling: SamplingSettings, alone: bool) -> list[Batch]:
    """Plan the same batches on any number of processes, since in 16 bit a batch mate may change the last digit of a logit."""
    room = readable_tokens(student.model)
    longest = room - sampling.maximum_tokens if room else None
    lengths = {
        place: len(ids) for place, ids in enumerate(prompts) if ids is not None and (longest is None or len(ids) <= longest)
    }
    return batches(lengths, sampling.maximum_tokens, 1 if alone else token_budget(student))


def _left(planned: list[Batch], asked: Sequence[Asked], known: Set[str]) -> list[Batch]:
    """Return what is left of each batch: another attempt, on another GPU, may have drawn a part of it in another one."""
    return [left for batch in planned if (left := [place for place in batch if asked[place].key not in known])]


def token_budget(student: Student) -> int:
    """Return how many tokens a batch may have, so that their keys and values fit beside the weights."""
    configuration = student.model.config.get_text_config()
    heads = configuration.num_attention_heads
    size = getattr(configuration, "head_dim", None) or configuration.hidden_size // heads
    keys = getattr(configuration, "num_key_value_heads", None) or heads
    of_token = int(2 * configuration.num_hidden_layers * keys * size * torch.finfo(student.model.dtype).bits // 8)
    return batch_bytes(student.device, _SHARE_OF_GPU) // of_token


def batch_bytes(device: torch.device, share_of_gpu: int) -> int:
    """Return how many bytes a batch may take, on a GPU one of so many shares."""
    if device.type != "cuda":
        return _CPU_BYTES
    # Of all memory, not of what is free: on the same GPU each attempt has the same plan.
    return int(torch.cuda.get_device_properties(device).total_memory) // share_of_gpu


def _takes_system(student: Student) -> bool:
    messages = [dict(message) for message in _WITH_SYSTEM]
    try:
        return _WITH_SYSTEM[0]["content"] in chat_of(student.tokenizer).write(Dialogue(messages, []), messages, True).text
    except (BadRow, TemplateError):
        return False


def _ids(student: Student, one: Asked) -> list[int] | None:
    prompt = one.messages[0]["content"] if one.continues else [dict(message) for message in one.messages]
    try:
        return prompt_ids(Dialogue(prompt, ""), student.tokenizer)
    except (BadRow, TemplateError):
        return None


def _said(
    student: Student, batch: Batch, asked: Sequence[Asked], prompts: list[list[int] | None], sampling: SamplingSettings
) -> list[Said]:
    ids = [found for place in batch if (found := prompts[place]) is not None]
    signs = Signs(student.tokenizer.pad_token_id, end_ids(student.tokenizer))
    ones, longest = [asked[place] for place in batch], max(map(len, ids))
    drawn = drawing([one.seed for one in ones], longest, sampling)
    stops = StopTexts(student.tokenizer, [one.stop for one in ones], longest)
    stopping = StoppingCriteriaList([stops]) if any(one.stop for one in ones) else None
    made = answers_at_once(student.model, ids, signs, student.device, sampling.maximum_tokens, drawn, stopping)
    return [
        Said(one.key, _answer(student, prompt, answer, signs.ends, one.continues, stopped))
        for one, prompt, answer, stopped in zip(ones, ids, made, stops.lengths, strict=True)
    ]


def _answer(
    student: Student, prompt: list[int], made: list[int], ends: list[int], continues: bool, stopped: int | None
) -> Answer:
    end = next((position for position, token in enumerate(made[:stopped]) if token in ends), None)
    said = made[: stopped if end is None else end]
    text = _continued(student.tokenizer, prompt, said) if continues else _decoded(student.tokenizer, said).strip()
    tokens = len(said) if end is None else end + 1
    return Answer(text, "length" if end is None and stopped is None else "stop", len(prompt), tokens)


def _continued(tokenizer: Any, prompt: list[int], made: list[int]) -> str:
    """Return what continues a text, with its first spaces, of which some tokenizers leave one out at a beginning."""
    return _decoded(tokenizer, [*prompt, *made])[len(_decoded(tokenizer, prompt)) :]


def _decoded(tokenizer: Any, ids: list[int]) -> str:
    return str(tokenizer.decode(ids, skip_special_tokens=True))
