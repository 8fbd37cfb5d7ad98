"""A user's own model in memory: a graph of `torch.export` with its card, which answers as others do."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from benchmark.checkpoints.archive import clean
from benchmark.checkpoints.checkpoint import check
from benchmark.checkpoints.guards import guard
from benchmark.checkpoints.signature import OwnModel
from benchmark.core.errors import CheckpointError
from benchmark.core.store import Store

PASS_VALUES = 1 << 20  # of one pass: memory, not the number of requests, is the limit
TRIED = 16


class Exported:
    """One model in memory with its card, as `artefact.Loaded` has it."""

    def __init__(self, store: Store, card: dict[str, Any]) -> None:
        data = store.get(card["key"])
        check(data, card["sha256"], card["key"])
        self.card = card
        self.config: Any = OwnModel.model_validate(card["model"])
        self.module = module(data, card["key"])

    def predict(self, instances: Sequence[Any]) -> list[Any]:
        """A prediction for each checked instance: a list by the output's shape, or a dict of them by name."""
        values = sum(_size(t.shape) for t in self.config.inputs)
        most = max(1, PASS_VALUES // values)
        parts = (instances[first : first + most] for first in range(0, len(instances), most))
        return [answer for part in parts for answer in compute(self.module, self.config, part)]

    def describe(self) -> dict[str, Any]:
        described = self.config.model_dump(mode="json", include={"inputs", "outputs"})
        return {"workload": self.card["workload"], "sha256": self.card["sha256"],
                "bytes": self.card["bytes"], "signature": described}  # fmt: skip


def module(data: bytes, where: str) -> Any:
    """The graph, ready to be called; CheckpointError where it is none that can be served."""
    # It reports everything that a loader might find remarkable.
    logging.getLogger("torch.export").setLevel(logging.ERROR)
    content = clean(data, where)
    try:
        # Without guards, which are Python code: the signature says what comes in.
        return guard(torch.export.load(io.BytesIO(content)).module(check_guards=False))
    except Exception as error:  # PyTorch raises whatever it stumbles over
        raise CheckpointError(f"{where}: cannot be loaded by this PyTorch: {error!s:.300}") from error


@torch.inference_mode()
def compute(graph: Any, config: OwnModel, instances: Sequence[Any]) -> list[Any]:
    """One pass over all instances. ValueError if what comes out is not one answer for each."""
    columns = zip(*(config.values(x) for x in instances), strict=True)
    tensors = [
        torch.tensor(column, dtype=getattr(torch, t.dtype))
        for t, column in zip(config.inputs, columns, strict=True)
    ]
    return _rows(graph(*tensors), len(instances))


def try_out(graph: Any, config: OwnModel) -> float:
    """Seconds for one instance; ValueError or what PyTorch raises if it does not answer one or several."""
    zeros = config.zeros()
    for count in (1, 2, TRIED):
        compute(graph, config, [zeros] * count)
    begin = time.perf_counter()
    compute(graph, config, [zeros] * TRIED)
    return max((time.perf_counter() - begin) / TRIED, 1e-6)


def _rows(found: Any, count: int) -> list[Any]:
    if isinstance(found, torch.Tensor):
        if not found.dim() or found.shape[0] != count:
            raise ValueError(f"the output has shape {list(found.shape)} for {count} instances")
        rows: list[Any] = found.tolist()
        return rows
    if isinstance(found, Mapping):
        columns = {str(name): _rows(value, count) for name, value in found.items()}
        return [{name: column[i] for name, column in columns.items()} for i in range(count)]
    if isinstance(found, (list, tuple)) and found:
        parts = [_rows(value, count) for value in found]
        return [[part[i] for part in parts] for i in range(count)] if len(parts) > 1 else parts[0]
    raise ValueError(f"the output is a {type(found).__name__}, not a tensor")


def _size(shape: Sequence[int]) -> int:
    size = 1
    for n in shape:
        size *= n
    return size
