"""Quality on held-out data, shared by all ranks."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from benchmark.core.config import GptConfig, Workload
from benchmark.core.ranks import RankContext
from benchmark.data.batches import windows

ROWS = 8192
TOKENS = {"cpu": 1 << 14, "cuda": 1 << 16}  # at a time: what fits the caches, what fills the device


def loss(workload: Workload, logits: Tensor, y: Tensor) -> Tensor:
    """Mean training loss in nats. logits: (batch, outputs) or (batch, context, 256)."""
    if logits.dtype == torch.bfloat16:
        logits = logits.float()  # cross-entropy of bfloat16 would be rounded to two digits
    if isinstance(workload.model, GptConfig):
        return F.cross_entropy(logits.flatten(0, 1), y.flatten())
    if workload.model.outputs == 1:
        return F.binary_cross_entropy_with_logits(logits.squeeze(-1), y.to(logits.dtype))
    return F.cross_entropy(logits, y)


@torch.no_grad()
def quality(
    workload: Workload, model: nn.Module, heldout: dict[str, Tensor], ranks: RankContext, bf16: bool = False
) -> float:
    """Accuracy, or bits per byte over windows of `context` that cover the evaluated bytes.

    Bits per byte is the strict measure: every byte counts, also those at the start of a window
    that the model sees with little context. `bf16`: a language model computes as in its training, for
    evaluating costs it as much; logarithms and sums are of higher precision in any case.
    """
    model.eval()
    device = next(model.parameters()).device
    total = torch.zeros(2, dtype=torch.float64)
    if isinstance(workload.model, GptConfig):
        context = workload.model.context
        starts = window_starts(len(heldout["bytes"]), context, workload.training.heldout_bytes)
        mine, size = starts[ranks.rank :: ranks.world_size], max(1, TOKENS[ranks.kind] // context)
        for first in range(0, len(mine), size):
            x, y = windows(heldout["bytes"], mine[first : first + size], context)
            with ranks.autocast(bf16):
                logits = model(x)
            nats = F.cross_entropy(logits.float().flatten(0, 1), y.flatten(), reduction="sum")
            total += torch.tensor([float(nats) / math.log(2), y.numel()], dtype=torch.float64)
    else:
        x_all, y_all = (
            heldout["x"][ranks.rank :: ranks.world_size],
            heldout["y"][ranks.rank :: ranks.world_size],
        )
        for first in range(0, len(y_all), ROWS):
            x, y = x_all[first : first + ROWS], y_all[first : first + ROWS]
            right = (classify(model(x)) == y).sum()
            total += torch.tensor([float(right), len(y)], dtype=torch.float64)
    model.train()
    value = ranks.sum(total.to(device) if device.type == "cuda" else total).cpu()
    return float(value[0] / value[1])


def classify(logits: Tensor) -> Tensor:
    """(batch, outputs) logits -> (batch,) classes; one output is a binary decision at zero."""
    return (logits.squeeze(-1) > 0).long() if logits.shape[-1] == 1 else logits.argmax(-1)


def window_starts(length: int, context: int, limit: int | None) -> Tensor:
    """Starts of windows evenly spread over `length` bytes that evaluate about `limit` of them."""
    available = (length - 1) // context
    count = min(available, max(1, (limit or length) // context))
    return torch.linspace(0, available - 1, count).long() * context
