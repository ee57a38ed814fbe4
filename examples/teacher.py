"""Serves small models by OpenAI's chat protocol, as a teacher or judge for examples and tests: `examples/teacher.py FOLDER`.

Every folder below FOLDER that holds a model is served under its own name. Requests that wait are answered in one batch. Each row
is sampled with its own seed, so that an answer does not depend on what else is asked. What it does not serve, it refuses.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import math
import os
import secrets
import time
import uuid
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
import uvicorn
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, LogitsProcessor, StoppingCriteria
from transformers.utils import logging

MOST_AT_ONCE = 64
"""Rows of one batch."""
GATHER_SECONDS = 0.005
"""How long a batch waits for requests that were sent at the same time."""

Text = Annotated[str, StringConstraints(min_length=1)]


class Message(BaseModel):
    """One message of a dialogue."""

    model_config = ConfigDict(extra="forbid")
    role: Literal["system", "user", "assistant"]
    content: str


class Asked(BaseModel):
    """A request that this server answers; every other field or value is refused."""

    model_config = ConfigDict(extra="forbid")
    model: str
    messages: list[Message] = Field(min_length=1)
    temperature: float = Field(default=1, ge=0, le=2)
    top_p: float = Field(default=1, gt=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    seed: int | None = None
    stop: Text | list[Text] | None = None
    n: Literal[1] = 1
    stream: Literal[False] = False
    user: str | None = None

    @property
    def most(self) -> int | None:
        """Return the longest answer that is wanted, in tokens."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def stops(self) -> list[str]:
        """Return the texts before which the answer ends."""
        return [self.stop] if isinstance(self.stop, str) else self.stop or []


@dataclass
class Row:
    """One answer that is being written."""

    asked: Asked
    prompt: list[int]
    most: int
    ends: set[int]
    tokenizer: Any
    draw: torch.Generator
    made: list[int] = field(default_factory=list)
    finish: str | None = None

    def scores(self, scores: torch.Tensor) -> torch.Tensor:
        """Return scores of which the highest is the next token: with Gumbel noise of this row's seed, that samples."""
        if self.asked.temperature == 0:
            return scores
        scores = scores / self.asked.temperature
        if self.asked.top_p < 1:
            ordered, order = scores.softmax(-1).sort(descending=True)
            scores = scores.index_fill(0, order[ordered.cumsum(-1) - ordered >= self.asked.top_p], -math.inf)
        return scores - torch.empty_like(scores).exponential_(generator=self.draw).log()

    def take(self, token: int) -> None:
        """Add a token, and note whether the answer has ended with it."""
        if self.finish:
            return
        self.made.append(token)
        if token in self.ends or any(stop in self.text for stop in self.asked.stops):
            self.finish = "stop"
        elif len(self.made) == self.most:
            self.finish = "length"

    @property
    def text(self) -> str:
        """Return the answer so far, without a text that ends it."""
        return str(self.tokenizer.decode(self.made, skip_special_tokens=True))

    @property
    def answer(self) -> str:
        """Return the whole answer."""
        text = self.text
        return text[: min((text.index(stop) for stop in self.asked.stops if stop in text), default=len(text))].strip()


class Sampling(LogitsProcessor):  # type: ignore[misc]
    """Samples each row with its own settings and seed."""

    def __init__(self, rows: list[Row]) -> None:
        self._rows = rows

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        return torch.stack([row.scores(own) for row, own in zip(self._rows, scores.float(), strict=True)])


class Ends(StoppingCriteria):  # type: ignore[misc]
    """Ends each row at its own end, text or length."""

    def __init__(self, rows: list[Row]) -> None:
        self._rows = rows

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        for row, token in zip(self._rows, input_ids[:, -1].tolist(), strict=True):
            row.take(token)
        return torch.tensor([row.finish is not None for row in self._rows])


class Model:
    """A model with its tokenizer."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self._room = int(self._model.config.max_position_embeddings)
        # Settings that came with the model would be added to those of a request.
        self._model.generation_config = GenerationConfig()

    def row(self, asked: Asked) -> Row:
        """Return the request as a row of a batch; refuse it if model and answer do not fit together."""
        messages = [message.model_dump() for message in asked.messages]
        prompt = self._tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"]
        most = asked.most or self._room - len(prompt)
        if most < 1 or len(prompt) + most > self._room:
            raise HTTPException(
                400,
                f"{asked.model} has room for {self._room} tokens, but the messages have {len(prompt)}, and the answer {most}.",
            )
        seed = secrets.randbits(62) if asked.seed is None else asked.seed % 2**62
        draw = torch.Generator().manual_seed(seed)
        return Row(asked, prompt, most, {self._tokenizer.eos_token_id}, self._tokenizer, draw)

    def write(self, rows: list[Row]) -> None:
        """Write the answers of all rows at once."""
        longest, padding = max(len(row.prompt) for row in rows), self._tokenizer.pad_token_id
        gaps = [longest - len(row.prompt) for row in rows]
        with torch.inference_mode():
            self._model.generate(
                input_ids=torch.tensor([[padding] * gap + row.prompt for gap, row in zip(gaps, rows, strict=True)]),
                attention_mask=torch.tensor([[0] * gap + [1] * len(row.prompt) for gap, row in zip(gaps, rows, strict=True)]),
                generation_config=GenerationConfig(max_new_tokens=max(row.most for row in rows), pad_token_id=padding),
                logits_processor=[Sampling(rows)],
                stopping_criteria=[Ends(rows)],
            )


class Batches:
    """Answers what waits, model by model and at most MOST_AT_ONCE rows at once."""

    def __init__(self, models: dict[str, Model]) -> None:
        self.models = models
        self._waiting: deque[tuple[Row, asyncio.Future[None]]] = deque()
        self._came = asyncio.Event()

    async def answer(self, row: Row) -> None:
        """Wait until a row is written."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((row, written))
        self._came.set()
        await written

    async def run(self) -> None:
        """Write batches, one after the other, until cancelled."""
        while True:
            await self._came.wait()
            await asyncio.sleep(GATHER_SECONDS)
            await self._write(self._taken())
            if not self._waiting:
                self._came.clear()

    def _taken(self) -> list[tuple[Row, asyncio.Future[None]]]:
        name = self._waiting[0][0].asked.model
        taken = [waiting for waiting in self._waiting if waiting[0].asked.model == name][:MOST_AT_ONCE]
        for waiting in taken:
            self._waiting.remove(waiting)
        return taken

    async def _write(self, batch: list[tuple[Row, asyncio.Future[None]]]) -> None:
        rows = [row for row, _ in batch]
        try:
            await asyncio.to_thread(self.models[rows[0].asked.model].write, rows)
        except Exception as error:
            failure: Exception | None = error
        else:
            failure = None
        for _, written in batch:
            # The one who asked may have gone.
            if not written.done():
                written.set_exception(failure) if failure else written.set_result(None)


@dataclass
class Desk:
    """Where requests arrive: checks the key and the rate, and counts."""

    batches: Batches
    key: str | None
    per_minute: int | None
    arrived: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    admitted: deque[float] = field(default_factory=deque)

    async def complete(self, request: Request) -> JSONResponse:
        """Answer a dialogue."""
        self._check_key(request)
        body = await request.body()
        asked = _read(body)
        digest = hashlib.sha256(json.dumps(json.loads(body), sort_keys=True).encode()).hexdigest()
        self.arrived[digest] += 1
        model = self.batches.models.get(asked.model)
        if model is None:
            raise HTTPException(404, f"There is no model {asked.model!r} here, only {', '.join(self.batches.models)}.")
        row = model.row(asked)
        self._admit()
        await self.batches.answer(row)
        self.answered[digest] += 1
        return JSONResponse(_completion(row))

    async def models(self, request: Request) -> JSONResponse:
        """List the models."""
        self._check_key(request)
        named = [{"id": name, "object": "model", "created": 0, "owned_by": "examples"} for name in self.batches.models]
        return JSONResponse({"object": "list", "data": named})

    async def counts(self, request: Request) -> JSONResponse:
        """Return how often each request has arrived and was answered, by the SHA-256 of its JSON with sorted keys."""
        return JSONResponse({"arrived": dict(self.arrived), "answered": dict(self.answered)})

    def _check_key(self, request: Request) -> None:
        given = request.headers.get("authorization", "").encode()
        if self.key is not None and not hmac.compare_digest(given, f"Bearer {self.key}".encode()):
            raise HTTPException(401, "This server requires its API key, and this is not the key.")

    def _admit(self) -> None:
        now = time.monotonic()
        while self.admitted and self.admitted[0] <= now - 60:
            self.admitted.popleft()
        if self.per_minute is not None and len(self.admitted) >= self.per_minute:
            wait = str(math.ceil(self.admitted[0] + 60 - now))
            raise HTTPException(429, f"This server allows {self.per_minute} requests per minute.", {"Retry-After": wait})
        self.admitted.append(now)


def _read(body: bytes) -> Asked:
    try:
        return Asked.model_validate_json(body)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, found['loc'])) or 'the body'}: {found['msg']}" for found in error.errors())
        raise HTTPException(400, f"This server does not serve this request: {wrong}.") from None


def _completion(row: Row) -> dict[str, Any]:
    asked, written = len(row.prompt), len(row.made)
    message = {"role": "assistant", "content": row.answer}
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": row.asked.model,
        "choices": [{"index": 0, "message": message, "finish_reason": row.finish}],
        "usage": {"prompt_tokens": asked, "completion_tokens": written, "total_tokens": asked + written},
    }


async def _refusal(request: Request, refused: Exception) -> JSONResponse:
    assert isinstance(refused, HTTPException)
    sentence = (
        refused.detail if refused.detail.endswith(".") else f"This server does not serve {request.method} {request.url.path}."
    )
    error = {"message": sentence, "type": "invalid_request_error", "param": None, "code": None}
    return JSONResponse({"error": error}, refused.status_code, refused.headers)


def application(models: dict[str, Model], key: str | None, per_minute: int | None) -> Starlette:
    """Return the server."""
    desk = Desk(Batches(models), key, per_minute)

    @asynccontextmanager
    async def answering(_: Starlette) -> AsyncIterator[None]:
        running = asyncio.create_task(desk.batches.run())
        yield
        running.cancel()

    routes = [
        Route("/v1/chat/completions", desk.complete, methods=["POST"]),
        Route("/v1/models", desk.models),
        Route("/counts", desk.counts),
    ]
    return Starlette(routes=routes, lifespan=answering, exception_handlers={HTTPException: _refusal})


def main() -> None:
    logging.disable_progress_bar()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of folders of models")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8199)
    parser.add_argument("--api-key-file", type=Path, help="file with the key that requests must bring")
    parser.add_argument("--allowed-requests-per-minute", type=int, help="further requests get status 429")
    options = parser.parse_args()
    models = {found.parent.name: Model(found.parent) for found in sorted(options.folder.glob("*/config.json"))}
    if not models:
        parser.error(f"{options.folder} has no folder with a model (config.json)")
    key = options.api_key_file.read_text(encoding="utf-8").strip() if options.api_key_file else None
    app = application(models, key, options.allowed_requests_per_minute)
    config = uvicorn.Config(app, host=options.host, port=options.port, log_level="warning")
    # A port that is taken ends the program here, before it says that it serves.
    listening = config.bind_socket()
    print(f"serving {', '.join(models)} on http://{options.host}:{options.port}/v1", flush=True)
    uvicorn.Server(config).run([listening])


if __name__ == "__main__":
    main()
