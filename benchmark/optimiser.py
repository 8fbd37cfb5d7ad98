"""Optimisers and their schedule: fused AdamW, and Muon for the hidden matrices of a GPT.

Muon (momentum, then orthogonalisation of the update by a Newton-Schulz iteration) reaches a
quality in about half the tokens that AdamW needs at this size. PyTorch ships one that always
iterates in bfloat16, five times slower than float32 on a CPU without bfloat16 units; this
one iterates in the format that the device is fast in.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.config import OptimiserConfig


class Muon(torch.optim.Optimizer):
    """Nesterov momentum whose update is replaced by the nearest orthogonal matrix.

    Takes 2-D parameters only. `learning_rate` is the size of the update per element in
    units of 1/sqrt(max(1, rows/columns)), so that it transfers between layer shapes.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(p)
                momentum: Tensor = state["momentum"]
                momentum.lerp_(p.grad, 1 - group["momentum"])
                update = orthogonalise(p.grad.lerp(momentum, group["momentum"]))
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(update, alpha=-group["lr"] * max(1.0, p.shape[0] / p.shape[1]) ** 0.5)


def orthogonalise(matrix: Tensor, steps: int = 5) -> Tensor:
    """Push all singular values of `matrix` (rows, columns) near 1 by a quintic Newton-Schulz iteration.

    The coefficients maximise the slope at zero and leave singular values in about [0.7, 1.2].
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix.bfloat16() if matrix.is_cuda else matrix.float()
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    result: Tensor = (x.T if tall else x).to(matrix.dtype)
    return result


class OptimiserSet:
    """One or two optimisers under one schedule, stepped, saved and loaded as one."""

    def __init__(self, model: nn.Module, config: OptimiserConfig, steps: int, device: str) -> None:
        self.config, self.steps = config, steps
        hidden: list[nn.Parameter] = []
        rest: list[nn.Parameter] = []
        for name, parameter in model.named_parameters():
            is_hidden = parameter.ndim == 2 and "embedding" not in name and "head" not in name
            (hidden if is_hidden else rest).append(parameter)
        self.optimisers: list[torch.optim.Optimizer] = []
        groups: list[dict[str, Any]] = [{"params": rest, "weight_decay": 0.0}]
        if config.kind == "muon":
            self.optimisers.append(Muon(hidden, config.muon_learning_rate, weight_decay=config.weight_decay))
        else:
            groups.append({"params": hidden, "weight_decay": config.weight_decay})
        self.optimisers.append(
            torch.optim.AdamW(groups, config.learning_rate, betas=config.betas, fused=True)
        )
        self.peaks = [[g["lr"] for g in o.param_groups] for o in self.optimisers]

    def step(self, step: int) -> None:
        """Apply the gradients of step `step` (from 0) at its scheduled learning rate and clear them."""
        factor = learning_rate_factor(step, self.steps, self.config)
        for optimiser, peaks in zip(self.optimisers, self.peaks, strict=True):
            for group, peak in zip(optimiser.param_groups, peaks, strict=True):
                group["lr"] = peak * factor
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)

    def zero_grad(self) -> None:
        for optimiser in self.optimisers:
            optimiser.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict[str, Any]]:
        return [o.state_dict() for o in self.optimisers]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        for optimiser, state in zip(self.optimisers, states, strict=True):
            optimiser.load_state_dict(state)


def learning_rate_factor(step: int, steps: int, config: OptimiserConfig) -> float:
    """Linear warm-up over `warmup` of all steps, then a cosine down to `final` of the peak."""
    warmup = max(1, round(config.warmup * steps))
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return config.final + (1 - config.final) * 0.5 * (1 + math.cos(math.pi * progress))
