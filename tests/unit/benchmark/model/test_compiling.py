"""Compiling: decided by a trial, alike on all ranks, and never a reason for training to fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch._dynamo.backends.debugging import aot_eager

from benchmark.core.config import GptConfig
from benchmark.core.ranks import RankContext
from benchmark.model import models
from benchmark.model.compiling import Choice, choose, missing_compiler

PASS_S = 0.004


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time that only models spend: a busy machine changes nothing."""
    Slow.now = 0.0
    monkeypatch.setattr("benchmark.model.compiling.time.perf_counter", lambda: Slow.now)


class Slow(nn.Module):
    """Doubles its weight, and takes its time."""

    now = 0.0

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.weight, self.seconds = nn.Parameter(torch.ones(1)), seconds

    def forward(self) -> torch.Tensor:
        Slow.now += self.seconds
        return self.weight * 2


def chosen(
    steps: int, compiler: Callable[[nn.Module], Any], missing: str = "", ranks: RankContext | None = None
) -> tuple[Slow, Choice]:
    model = Slow(PASS_S)
    choice = choose(model, lambda m: torch.autograd.backward(m()), steps, ranks or RankContext(),
                    missing=lambda device: missing, compiler=compiler)  # fmt: skip
    return model, choice


LONG = 1_000_000


def refuse(model: nn.Module) -> nn.Module:
    raise AssertionError("must not compile")


def test_without_a_compiler_nothing_is_compiled() -> None:
    model, choice = chosen(LONG, refuse, missing="no compiler: g++ not found")
    assert choice.module is model
    assert choice.record() == {"compiled": False, "reason": "no compiler: g++ not found",
                               "compile_s": None, "eager_s": None, "compiled_s": None}  # fmt: skip


def test_a_short_training_is_not_compiled() -> None:
    model, choice = chosen(10, refuse)
    assert choice.module is model
    assert "at most over 10 steps" in choice.reason
    assert choice.compile_s is None


@pytest.mark.parametrize(("seconds", "compiled"), [(0.0, True), (4 * PASS_S, False)])
def test_the_faster_form_is_taken(seconds: float, compiled: bool) -> None:
    other = Slow(seconds)
    model, choice = chosen(LONG, lambda m: other)
    assert choice.compiled == compiled
    assert choice.module is (other if compiled else model)
    assert (choice.eager_s, choice.compiled_s) == pytest.approx((PASS_S, seconds))
    assert choice.compile_s == pytest.approx(seconds)  # of its first pass
    assert model.weight.grad is None, "the trial must leave no gradient"


def test_a_compiler_that_fails_is_told_and_not_used() -> None:
    def fail(model: nn.Module) -> nn.Module:
        raise RuntimeError("no such header\nmore")

    model, choice = chosen(LONG, fail)
    assert choice.module is model
    assert choice.reason == "compiling failed: RuntimeError: no such header"


def test_one_rank_without_a_compiler_decides_for_all() -> None:
    class Two(RankContext):
        def gather(self, value: Any) -> list[Any]:
            return [value, "no compiler: g++ not found" if isinstance(value, str) else value]

    _, choice = chosen(LONG, refuse, ranks=Two())
    assert not choice.compiled
    assert choice.reason == "no compiler: g++ not found"


def test_a_compiler_is_looked_for_by_its_usual_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert missing_compiler("cpu") == "no compiler: no-such-compiler not found"
    monkeypatch.setenv("CXX", "true")  # a program that is everywhere
    assert missing_compiler("cpu") == ""


def test_the_blocks_of_a_model_are_compiled_once_and_stay_the_same_function(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compile_with, graphs = torch.compile, []

    def counting(graph: torch.fx.GraphModule, inputs: Any) -> Any:
        graphs.append(graph)
        return aot_eager(graph, inputs)

    monkeypatch.setattr(torch, "compile", lambda module: compile_with(module, backend=counting))
    torch.compiler.reset()
    torch.manual_seed(0)
    model = models.Gpt(GptConfig(kind="gpt", depth=3, width=16, heads=2, context=12))
    with torch.no_grad():
        for p in model.parameters():  # zeros at the start would hide every difference
            p.normal_(std=0.3)
    x = torch.randint(256, (3, 12))

    def gradients(module: nn.Module) -> torch.Tensor:
        model.zero_grad()
        torch.autograd.backward(nn.functional.cross_entropy(module(x).flatten(0, 1), x.flatten()))
        return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])

    whole = models.compiled(model)
    assert torch.allclose(gradients(whole), gradients(model), atol=1e-5)
    assert len(graphs) == 1
    assert [p.shape for p in whole.parameters()] == [p.shape for p in model.parameters()]
