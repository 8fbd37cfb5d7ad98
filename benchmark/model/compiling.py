"""Is the model compiled? Only with a compiler at hand, and only if a short trial shows that it pays.

`torch.compile` takes a minute or more on a small machine and needs a compiler for what it
generates; the compute image has the one for C, which GPUs need, and not the one for C++, which processors
need. So: no compiler, no compiling; no compiling
either where even a large gain could not earn it back over the steps to come; else both ways
are timed on the first batch. All ranks decide alike, from the slowest of them. The trial is on
the clock of time-to-train, and its parts are in the record.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from benchmark.core.ranks import RankContext
from benchmark.model.models import compiled

# What compiling takes at the very least, and the largest part of a step that it was seen to save. On a CPU
# benchmark.model.kernels leaves little to gain; the eager steps of a GPU move everything through memory each
# time.
LEAST_COMPILE_S = {"cpu": 30.0, "cuda": 3.0}
MOST_SAVED = {"cpu": 0.05, "cuda": 0.65}
WORTH = 0.97  # a smaller gain drowns in noise
TRIALS = 5
OnePass = Callable[[nn.Module], None]


@dataclass(frozen=True)
class Choice:
    """`module` computes what the model does. Seconds are those of one forward and backward pass."""

    module: nn.Module
    compiled: bool
    reason: str
    compile_s: float | None = None
    eager_s: float | None = None
    compiled_s: float | None = None

    def record(self) -> dict[str, Any]:
        seconds = {k: getattr(self, k) for k in ("compile_s", "eager_s", "compiled_s")}
        rounded = {k: None if v is None else round(v, 6) for k, v in seconds.items()}
        return {"compiled": self.compiled, "reason": self.reason, **rounded}


def missing_compiler(device: str) -> str:
    """Which compiler is not there; empty if it is. On a GPU only a small launcher is in C."""
    names = ("CC", ("cc", "gcc", "clang")) if device.startswith("cuda") else ("CXX", ("g++",))
    variable, candidates = names
    wanted = [os.environ[variable]] if os.environ.get(variable) else list(candidates)
    return "" if any(map(shutil.which, wanted)) else f"no compiler: {', '.join(wanted)} not found"


def choose(
    model: nn.Module,
    one_pass: OnePass,
    steps: int,
    ranks: RankContext,
    *,
    missing: Callable[[str], str] = missing_compiler,
    compiler: Callable[[nn.Module], nn.Module] = compiled,
) -> Choice:
    """The model or its compiled form for `steps` steps; gradients of the trial are cleared.

    `one_pass(module)` is a forward and backward pass of the module.
    """
    problem = next(filter(None, ranks.gather(missing(ranks.device))), "")
    if problem:
        return Choice(model, False, problem)
    choice = _try(model, one_pass, steps, ranks, compiler)
    model.zero_grad(set_to_none=True)
    return choice


def _try(
    model: nn.Module,
    one_pass: OnePass,
    steps: int,
    ranks: RankContext,
    compiler: Callable[[nn.Module], nn.Module],
) -> Choice:
    eager_s = _seconds(model, one_pass, ranks)
    most = steps * eager_s * MOST_SAVED[ranks.kind]
    plain = Choice(model, False, "", eager_s=eager_s)
    if most < LEAST_COMPILE_S[ranks.kind]:
        return replace(
            plain, reason=f"could save {most:.0f} s at most over {steps} steps: less than it takes"
        )
    start, problem, candidate = time.perf_counter(), "", model
    try:
        candidate = compiler(model)
        one_pass(candidate)
        ranks.synchronise()
    except Exception as error:  # a compiler fails in its own ways; training does not need it
        lines = str(error).strip().splitlines() or [""]
        problem = f"compiling failed: {type(error).__name__}: {lines[0][:200]}"
    plain = replace(plain, compile_s=max(ranks.gather(time.perf_counter() - start)))
    problem = next(filter(None, ranks.gather(problem)), "")
    if problem:
        return replace(plain, reason=problem)
    compiled_s = _seconds(candidate, one_pass, ranks)
    pays = compiled_s < WORTH * eager_s
    text = f"forward and backward {compiled_s * 1e3:.1f} ms compiled, {eager_s * 1e3:.1f} ms not"
    return replace(
        plain, module=candidate if pays else model, compiled=pays, reason=text, compiled_s=compiled_s
    )


def _seconds(module: nn.Module, one_pass: OnePass, ranks: RankContext) -> float:
    """Median of a few passes after one to warm up, on the slowest rank."""
    times = []
    one_pass(module)
    for _ in range(TRIALS):
        ranks.synchronise()
        start = time.perf_counter()
        one_pass(module)
        ranks.synchronise()
        times.append(time.perf_counter() - start)
    return max(ranks.gather(sorted(times)[len(times) // 2]))
