"""Check the served models through the load balancer: the same answers as here, and how fast."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from benchmark.checkpoints.artefact import Generator, Loaded, card_key
from benchmark.cluster.connection import Connection, Endpoint, predict
from benchmark.cluster.hostload import HostLoad
from benchmark.core.config import GptConfig, Workload
from benchmark.core.errors import StackError
from benchmark.core.store import Store
from benchmark.data import dataset
from benchmark.load import rates, streams
from benchmark.load.closed_loop import closed_load
from benchmark.load.open_loop import poisson_load
from benchmark.serving.work import full_length

CHUNK = 100
OFFLINE_REQUESTS, OFFLINE_CLIENTS = 200, 8
LOAD_SEED = 7
# Texts that are also written here, on one of possibly few cores.
COMPARED = 3
Say = Callable[[str], None]


def samples(workload: Workload, heldout: dict[str, Tensor]) -> tuple[list[Any], list[int]]:
    """Held-out instances as a client sends them, evenly spread, and their labels."""
    count = workload.serving.samples
    if isinstance(workload.model, GptConfig):
        return _texts(heldout["bytes"], workload.model.context, count)
    rows = torch.linspace(0, len(heldout["y"]) - 1, min(count, len(heldout["y"]))).long()
    return heldout["x"][rows].tolist(), heldout["y"][rows].tolist()


def _texts(data: Tensor, context: int, count: int) -> tuple[list[Any], list[int]]:
    """Windows of plain ASCII, which JSON carries byte for byte, and the byte that follows each."""
    texts: list[Any] = []
    labels: list[int] = []
    if len(data) <= context:
        return texts, labels
    for start in torch.linspace(0, len(data) - context - 1, 2 * count).long().tolist():
        window = bytes(data[start : start + context].tolist())
        if window.isascii() and len(texts) < count:
            texts.append(window.decode("ascii"))
            labels.append(int(data[start + context]))
    return texts, labels


def quality_of(predictions: list[dict[str, Any]], labels: list[int], metric: str) -> float:
    """Accuracy, or mean bits per byte of the byte that actually followed."""
    if metric == "accuracy":
        return sum(int(p["label"] == y) for p, y in zip(predictions, labels, strict=True)) / len(labels)
    bits = [-math.log2(max(p["probabilities"][y], 1e-12)) for p, y in zip(predictions, labels, strict=True)]
    return sum(bits) / len(bits)


def correctness(
    workload: Workload, manifest: dict[str, Any], card: dict[str, Any], store: Store, connection: Connection
) -> dict[str, Any]:
    """Request held-out samples, one chunk after the other, and compare with the model computed here."""
    instances, labels = samples(workload, dataset.load(manifest, store, "heldout"))
    if not instances:
        raise StackError(f"{workload.name}: no held-out sample can be sent as JSON, so nothing was compared")
    here = Loaded(store, card_key(card), card["sha256"])
    served, trained = [], []
    hashes = set()
    size = min(CHUNK, full_length(here))
    for first in range(0, len(instances), size):
        chunk = instances[first : first + size]
        answer = predict(connection, workload.name, chunk)
        hashes.add(answer["model_sha256"])
        served += answer["predictions"]
        trained += here.predict(chunk)
    if len(served) != len(instances):
        raise StackError(f"{workload.name}: {len(instances)} instances were sent, {len(served)} answered")
    difference = max(
        abs(a - b)
        for x, y in zip(served, trained, strict=True)
        for a, b in zip(x["probabilities"], y["probabilities"], strict=True)
    )
    agreement = sum(a["label"] == b["label"] for a, b in zip(served, trained, strict=True)) / len(served)
    metric, tolerance = workload.target.metric, workload.serving.tolerance
    same_hash = hashes == {card["sha256"]}
    return {
        "workload": workload.name,
        "sha256": card["sha256"],
        "seed": card["seed"],
        "metric": metric,
        "samples": len(served),
        "quality_served": round(quality_of(served, labels, metric), 6),
        "quality_trained": round(quality_of(trained, labels, metric), 6),
        "quality_heldout": card["quality"],
        "agreement": agreement,
        "max_abs_difference": difference,
        "tolerance": tolerance,
        "same_hash": same_hash,
        "passed": agreement == 1.0 and difference <= tolerance and same_hash,
    }


def generation(
    workload: Workload,
    heldout: dict[str, Tensor],
    endpoint: Endpoint,
    here: Loaded,
    say: Say,
    *,
    measured: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Streamed texts, by one client and by several; `here` writes some of the same, to compare them."""
    prompts = [text[: max(1, len(text) // 2)] for text in samples(workload, heldout)[0]]
    rows = []
    for clients in streams.CLIENTS:
        say(f"{workload.name}: {streams.TEXTS} texts as they are written, {clients} at once")
        with HostLoad(measured) as host:
            written, seconds = streams.load(
                endpoint, workload=workload.name, prompts=prompts, clients=clients
            )
        whole = [one for one in written if not one.problem][:COMPARED]
        same = all(one.data == _written_here(here, one.prompt, len(one.data)) for one in whole)
        rows.append(
            {
                "workload": workload.name,
                "clients": clients,
                **streams.summarise(written, seconds),
                "same_text": same if whole else None,
                "host_load": host.record,
            }
        )
    return rows


def _written_here(model: Loaded, prompt: str, count: int) -> bytes:
    writer = Generator(model, prompt, temperature=0.0, seed=0)
    return bytes(writer.next() for _ in range(count))


def load(
    workload: Workload,
    heldout: dict[str, Tensor],
    endpoint: Endpoint,
    say: Say,
    *,
    find_rate: bool = False,
    measured: Sequence[str] = (),
) -> dict[str, Any]:
    """Offline throughput with 8 clients, then Poisson arrivals at each rate, one instance per request.

    With `find_rate` also search for the highest rate within the bound. `measured`: the containers of the
    service; the load that other programs put on this machine is recorded with each row.
    """
    instances, _ = samples(workload, heldout)
    bodies = [json.dumps({"instances": [x]}).encode() for x in instances[:256]]
    say(f"{workload.name}: offline, {OFFLINE_CLIENTS} clients")
    with HostLoad(measured) as host:
        offline = closed_load(
            endpoint,
            workload=workload.name,
            body=bodies[0],
            instances=1,
            requests=OFFLINE_REQUESTS,
            clients=OFFLINE_CLIENTS,
        )
    offline["host_load"] = host.record
    bound = workload.serving.p99_bound_ms

    def at(rate: float, seconds: float) -> dict[str, Any]:
        say(f"{workload.name}: Poisson arrivals, {rate:g} requests/s for {seconds:.0f} s")
        with HostLoad(measured) as host:
            row = poisson_load(
                endpoint,
                workload=workload.name,
                bodies=bodies,
                rate=rate,
                seconds=seconds,
                seed=LOAD_SEED,
                bound_ms=bound,
            )
        return {**row, "p99_bound_ms": bound, "host_load": host.record}

    rows: list[dict[str, Any]] = []
    for rate in workload.serving.rates:
        rows.append(at(rate, workload.serving.requests / rate))
        if rows[-1]["errors"] > rows[-1]["samples"]:
            break  # higher rates would only measure the refusals
    outcome = {"offline": offline, "latency": rows}
    if find_rate:
        start = rates.first_rate(rows, workload.serving.rates, bound)
        outcome["max_rate"] = rates.search(
            lambda rate: at(rate, rates.seconds_of(rate)), workload=workload.name, bound_ms=bound, start=start
        )
    return outcome
