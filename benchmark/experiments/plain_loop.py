"""The plain loop that ours is measured against: a minimal GPT training loop in its widely known form.

What it does, as nanoGPT does: batches of random windows cut out of a memory-mapped file of tokens,
reopened for each batch; the model written in the straightforward way; cross-entropy; AdamW with weight
decay on matrices only, the learning rate set before each step by linear warm-up and cosine; gradients
set to None; the loss read every tenth step. On a GPU, again as nanoGPT does: the model compiled as a
whole, bfloat16 by autocast, TF32 for what stays in float32, fused AdamW, and the next batch pinned and
sent while the GPU computes. On a CPU none of these: nanoGPT advises against compiling there, and bfloat16
has no benefit without hardware support.

What it shares with ours, so that only the loops differ: the configuration and the mathematics of
the model, its initial weights, the bytes, the batch size, the learning rate of AdamW, the number
of threads, the steps left out as warm-up.

What it does not do: dropout, gradient clipping and accumulation (the workload asks for none), evaluation
and checkpoints (no step with one is counted in ours either), several ranks, tuned memory allocation.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from benchmark.core.config import GptConfig, Workload
from benchmark.core.ranks import RankContext
from benchmark.core.timing import EVERY, warmup_of
from benchmark.model import models
from benchmark.model.optimiser import learning_rate_factor


class PlainBlock(models.Block):
    """The same function of the same weights as models.Block, without tuned kernels."""

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        batch, length, width = x.shape
        h = self.norm_1(x)
        h = h + (F.pad(h, (0, 0, 1, -1)) - h) * self.shift
        q, k, v = self.qkv(h).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        half = q.shape[-1] // 2
        cosine, sine = rotation[0][:, 0, :half], rotation[1][:, 0, half:]
        q, k = _rotate(q, cosine, sine), _rotate(k, cosine, sine)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(batch, length, width))
        z: Tensor = self.down(F.relu(self.up(self.norm_2(x))).square())
        return x + z


class PlainGpt(models.Gpt):
    block = PlainBlock


def _rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    x1, x2 = x.chunk(2, dim=-1)
    return torch.cat((x1 * cosine - x2 * sine, x2 * cosine + x1 * sine), dim=-1)


def batch_of(path: Path, batch_size: int, context: int, device: str = "cpu") -> tuple[Tensor, Tensor]:
    """Random windows and their next bytes, each (batch_size, context) int64, being copied to the device."""
    data = np.memmap(path, dtype=np.uint8, mode="r")
    starts = torch.randint(len(data) - context, (batch_size,)).tolist()
    x = torch.stack([torch.from_numpy(data[i : i + context].astype(np.int64)) for i in starts])
    y = torch.stack([torch.from_numpy(data[i + 1 : i + 1 + context].astype(np.int64)) for i in starts])
    if device == "cpu":
        return x, y
    return x.pin_memory().to(device, non_blocking=True), y.pin_memory().to(device, non_blocking=True)


def train(workload: Workload, seed: int, path: Path, ranks: RankContext) -> dict[str, Any]:
    """All steps on the bytes in `path`; losses of each tenth step, seconds of each after warm-up.

    On a GPU as many steps as in ours are timed together, with one synchronisation at their end.
    """
    every = EVERY[ranks.kind]
    config, settings, steps = workload.model, workload.optimiser, workload.training.steps
    assert isinstance(config, GptConfig)
    torch.manual_seed(seed)
    model: nn.Module = PlainGpt(config).to(ranks.device)
    matrices = [p for p in model.parameters() if p.ndim == 2]
    others = [p for p in model.parameters() if p.ndim != 2]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    on_gpu = ranks.device != "cpu"
    if on_gpu:
        torch.set_float32_matmul_precision("high")
        model = cast(nn.Module, torch.compile(model))
    optimiser = torch.optim.AdamW(groups, lr=settings.learning_rate, betas=settings.betas, fused=on_gpu)
    batch = batch_of(path, workload.training.batch_size, config.context, ranks.device)
    warmup, losses, seconds, start = warmup_of(steps, every), [], [], 0.0
    for step in range(steps):
        if step % every == 0:
            start = time.perf_counter()
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * learning_rate_factor(step, steps, settings)
        x, y = batch
        with ranks.autocast(on_gpu):
            logits = model(x)
            loss = F.cross_entropy(logits.view(-1, logits.size(-1)), y.view(-1))
        batch = batch_of(path, workload.training.batch_size, config.context, ranks.device)
        torch.autograd.backward(loss)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        if step % 10 == 0:
            losses.append({"step": step + 1, "loss": loss.item()})
        if (step + 1) % every == 0:
            ranks.synchronise()
            if step >= warmup:
                seconds += [(time.perf_counter() - start) / every] * every
    return {"losses": losses, "step_times_s": seconds}
