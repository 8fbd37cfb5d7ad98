"""Generated text through the load balancer, as it is written: when the first token comes, and the others.

A token of these models is a byte. All times are the client's: from the request to the event's arrival.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from benchmark.cluster.connection import Connection, Endpoint
from benchmark.core import stats
from benchmark.core.errors import StackError

TOKENS = 32
# One text after the other, and as many at once as make them wait for each other.
CLIENTS = (1, 4)
TEXTS = 24


@dataclass(frozen=True)
class Written:
    """One text: seconds to its first token, and between each two of the others; `problem` if it broke off."""

    prompt: str
    data: bytes = b""
    first_s: float = 0.0
    gaps_s: tuple[float, ...] = ()
    problem: str = ""


def ask(connection: Connection, workload: str, prompt: str, tokens: int = TOKENS) -> Written:
    """One streamed text; what goes wrong is part of it."""
    wanted = {"prompt": prompt, "max_bytes": tokens, "temperature": 0, "stream": True}
    begin = time.perf_counter()
    data, times, ended = bytearray(), list[float](), False
    try:
        for line in connection.lines("POST", f"/v1/models/{workload}:generate", json.dumps(wanted).encode()):
            if not line.startswith(b"data: "):
                continue
            event = json.loads(line.removeprefix(b"data: "))
            if "byte" in event:
                times.append(time.perf_counter() - begin)
                data.append(event["byte"])
            ended = ended or bool(event.get("done"))
    except (http.client.HTTPException, OSError, StackError, ValueError, TypeError) as error:
        return Written(prompt, problem=f"{type(error).__name__}: {error}"[:300])
    if not ended or len(data) != tokens:
        return Written(prompt, problem=f"{len(data)} of {tokens} tokens came")
    gaps = tuple(b - a for a, b in pairwise(times))
    return Written(prompt, bytes(data), times[0], gaps)


def load(
    endpoint: Endpoint, *, workload: str, prompts: Sequence[str], clients: int, texts: int = TEXTS
) -> tuple[list[Written], float]:
    """`texts` texts by `clients` at once, each with one under way; all of them, and seconds in all."""
    waiting, lock = deque(prompts[i % len(prompts)] for i in range(texts)), threading.Lock()

    def work(_: int) -> list[Written]:
        found: list[Written] = []
        with Connection(endpoint, retries=0) as connection:
            while True:
                with lock:
                    if not waiting:
                        return found
                    prompt = waiting.popleft()
                found.append(ask(connection, workload, prompt))

    begin = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        written = [one for mine in pool.map(work, range(clients)) for one in mine]
    return written, time.perf_counter() - begin


def summarise(written: Sequence[Written], seconds: float) -> dict[str, Any]:
    """Milliseconds to the first token, per further token of each text, between two tokens; tokens/s."""
    good = [one for one in written if not one.problem]
    missing = {}

    def of(name: str, values: list[float]) -> dict[str, float | None]:
        shown = stats.percentiles([1e3 * value for value in values])
        if shown["p99"] is None:
            missing[f"{name}_ms.p99"] = f"{len(values)} values; a 99th percentile needs {stats.P99_SAMPLES}"
        return {key: None if value is None else round(value, 3) for key, value in shown.items()}

    return {
        "texts": len(good),
        "errors": len(written) - len(good),
        "problems": list(dict.fromkeys(one.problem for one in written if one.problem))[:3],
        "tokens_per_text": TOKENS,
        "time_to_first_token_ms": of("time_to_first_token", [one.first_s for one in good]),
        "time_per_output_token_ms": of(
            "time_per_output_token", [sum(one.gaps_s) / len(one.gaps_s) for one in good if one.gaps_s]
        ),
        "inter_token_latency_ms": of("inter_token_latency", [gap for one in good for gap in one.gaps_s]),
        "tokens_per_s": round(len(good) * TOKENS / seconds, 1),
        "not_measured": missing,
    }
