"""Gradients that are written out: each function and its gradient equal the formula's."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from benchmark.model import kernels

BATCH, LENGTH, HEADS, PAIRS = 2, 5, 3, 2
WIDTH = HEADS * 2 * PAIRS


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    return lambda: monkeypatch.setattr(kernels, "written_out", lambda x: False)


def gradients(value: Tensor, *of: Tensor) -> tuple[Tensor, ...]:
    weights = torch.arange(value.numel(), dtype=value.dtype).view(value.shape).cos()
    return torch.autograd.grad((value * weights).sum(), of)


@pytest.mark.parametrize("rows", [3, 4, 7, 100])  # at a time: of ten, in equal parts, unequal parts, at once
def test_feed_forward_is_its_formula(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "ROWS", rows)
    x, up, down = drawn(BATCH, LENGTH, WIDTH), drawn(4 * WIDTH, WIDTH), drawn(WIDTH, 4 * WIDTH)
    found = kernels.feed_forward(x, up, down)
    formula = F.linear(torch.relu(F.linear(x, up)) ** 2, down)
    assert torch.allclose(found, formula, atol=1e-12)
    for a, b in zip(gradients(found, x, up, down), gradients(formula, x, up, down), strict=True):
        assert torch.allclose(a, b, atol=1e-10)


def test_shift_is_its_formula() -> None:
    x, share = drawn(BATCH, LENGTH, WIDTH), drawn(WIDTH)
    found = kernels.shift(x, share)
    before = F.pad(x, (0, 0, 1, -1))
    formula = (1 - share) * x + share * before
    assert torch.allclose(found, formula, atol=1e-12)
    for a, b in zip(gradients(found, x, share), gradients(formula, x, share), strict=True):
        assert torch.allclose(a, b, atol=1e-12)


def test_queries_and_keys_have_the_products_and_gradients_of_the_formula(plain: Callable[[], None]) -> None:
    x, weight = drawn(BATCH, LENGTH, WIDTH), drawn(3 * WIDTH, WIDTH)
    angle = torch.rand(LENGTH, 1, PAIRS, dtype=torch.float64)
    rotation = (torch.cat((angle.cos(),) * 2, -1), torch.cat((-angle.sin(), angle.sin()), -1))

    def attention() -> Tensor:
        parts = kernels.queries_keys_values(x, weight, HEADS, rotation)
        assert [tuple(p.shape) for p in parts] == [(BATCH, LENGTH, HEADS, 2 * PAIRS)] * 3
        q, k, v = (p.transpose(1, 2) for p in parts)
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)

    found = attention()
    plain()
    formula = attention()
    assert torch.allclose(found, formula, atol=1e-12)
    for a, b in zip(gradients(found, x, weight), gradients(formula, x, weight), strict=True):
        assert torch.allclose(a, b, atol=1e-12)


def test_the_plain_formula_turns_each_pair_by_its_angle(plain: Callable[[], None]) -> None:
    plain()
    angle = torch.rand(LENGTH, 1, PAIRS, dtype=torch.float64)
    rotation = (torch.cat((angle.cos(),) * 2, -1), torch.cat((-angle.sin(), angle.sin()), -1))
    x, weight = drawn(1, LENGTH, WIDTH), torch.eye(WIDTH, dtype=torch.float64).repeat(3, 1)
    queries, keys, values = kernels.queries_keys_values(x, weight, HEADS, rotation)
    x1, x2 = values.chunk(2, dim=-1)
    turned = torch.complex(x1, x2) * torch.polar(torch.ones_like(angle), angle)
    assert torch.equal(queries, keys)
    assert torch.allclose(queries, torch.cat((turned.real, turned.imag), -1), atol=1e-12)


@pytest.mark.parametrize("where", ["autocast", "compiler"])
def test_the_plain_formulas_serve_other_ways_of_computing(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = torch.zeros(1)
    assert kernels.written_out(x)
    if where == "compiler":
        monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
        assert not kernels.written_out(x)
    else:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert not kernels.written_out(x)
