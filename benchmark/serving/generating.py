"""Text that a language model continues, byte by byte: as server-sent events, or as one answer.

    POST /v1/models/<model>:generate
    {"prompt": "def f(", "max_bytes": 64, "temperature": 0.8, "seed": 1, "stream": true}

Each byte is one pass, which waits its turn among predictions: no generation holds up a replica. Where a
client goes away, nothing more is computed for it.
"""

from __future__ import annotations

import asyncio
import codecs
import json
import time
from collections.abc import AsyncGenerator
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmark.checkpoints.artefact import Generator, Loaded
from benchmark.checkpoints.loading import Model
from benchmark.checkpoints.signature import Wrong, kind
from benchmark.core.config import GptConfig
from benchmark.serving.metrics import Metrics
from benchmark.serving.requests import RequestError, content_of
from benchmark.serving.work import REQUEST_S, SPEED, Call, cost

MOST_BYTES = 1024


class Asked(BaseModel):
    """What a client may ask for."""

    model_config = ConfigDict(extra="forbid", strict=True)

    prompt: str = Field(min_length=1)
    max_bytes: int = Field(default=64, ge=1, le=MOST_BYTES)
    temperature: float = Field(default=0.0, ge=0, le=10, allow_inf_nan=False)
    """0: always the most likely byte."""
    seed: int = Field(default=0, ge=0, lt=2**53)
    stream: bool = False


@dataclass(eq=False)
class Generation:
    """One request. `call` stands for its work among that of others."""

    asked: Asked
    call: Call
    model: Loaded
    name: str
    begin: float = field(default_factory=time.perf_counter)


def generation(body: bytes, model: Model, name: str, version: str) -> Generation:
    """Checked; RequestError names the first field that is wrong."""
    if not isinstance(model, Loaded) or not isinstance(model.config, GptConfig):
        raise RequestError(404, f"{name}: does not generate text; try POST /v1/models/{name}:predict")
    found = content_of(body, numbers=int)
    if not isinstance(found, dict):
        wrong = Wrong("body", "an object with a prompt", kind(found))
        raise RequestError(400, 'body: must be an object, as in {"prompt": "def f("}', wrong=wrong)
    try:
        asked = Asked.model_validate(found)
        asked.prompt.encode()
    except ValidationError as error:
        raise _refused(error) from None
    except UnicodeEncodeError:
        wrong = Wrong("prompt", "Unicode text", "half a surrogate pair")
        raise RequestError(400, "prompt: must be Unicode text", wrong=wrong) from None
    work = asked.max_bytes * cost(model, model.config.context)
    if work > REQUEST_S * SPEED and asked.max_bytes > 1:
        most = max(1, int(REQUEST_S * SPEED / cost(model, model.config.context)))
        raise RequestError(413, f"max_bytes: {asked.max_bytes}: this model writes at most {most} in time")
    return Generation(asked, Call(model, [], work, version), model, name)


def _refused(error: ValidationError) -> RequestError:
    first = error.errors()[0]
    name = ".".join(map(str, first["loc"])).encode("ascii", "backslashreplace").decode()[:60]
    missing = first["type"] == "missing"
    got = "nothing: the field is missing" if missing else kind(first["input"])
    wrong = Wrong(name, str(first["msg"]), got)
    return RequestError(400, f"{name}: {wrong.expected}; is {got}", wrong=wrong)


async def pieces(asked: Generation, worker: Executor, metrics: Metrics) -> AsyncGenerator[dict[str, Any]]:
    """Each byte as it comes, `{"byte", "text"}`, and at the end what it took."""
    loop = asyncio.get_running_loop()
    writer = Generator(asked.model, asked.asked.prompt, asked.asked.temperature, asked.asked.seed)
    # A character of several bytes comes with the last of them.
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    first, last, count = 0.0, asked.begin, 0
    try:
        while count < asked.asked.max_bytes:
            byte = await loop.run_in_executor(worker, writer.next)
            now = time.perf_counter()
            metrics.wrote(asked.name, now - last, first=not count)
            first, last, count = first or now - asked.begin, now, count + 1
            yield {"byte": byte, "text": decoder.decode(bytes([byte]), final=count == asked.asked.max_bytes)}
    finally:
        if count < asked.asked.max_bytes:
            metrics.left(asked.name)
    rest = (last - asked.begin - first) / (count - 1) if count > 1 else 0.0
    version = {"model_version": asked.call.version} if asked.call.version else {}
    yield {
        "done": True, "bytes": count, "first_byte_s": round(first, 6), "per_byte_s": round(rest, 6),
        "model_sha256": asked.model.card["sha256"], **version,
    }  # fmt: skip


async def events(found: AsyncGenerator[dict[str, Any]]) -> AsyncGenerator[bytes]:
    """As server-sent events."""
    async with aclosing(found):
        async for piece in found:
            yield b"data: " + json.dumps(piece).encode() + b"\n\n"


async def together(found: AsyncGenerator[dict[str, Any]]) -> dict[str, Any]:
    """As one answer."""
    text, end = "", dict[str, Any]()
    async for piece in found:
        text, end = text + piece.get("text", ""), piece
    return {"text": text, **{k: v for k, v in end.items() if k != "done"}}
