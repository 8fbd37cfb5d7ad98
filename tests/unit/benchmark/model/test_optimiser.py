"""Muon in batches and the squared ReLU, against their formulas."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmark.model.optimiser import Muon, orthogonalise


def newton_schulz(matrix: torch.Tensor) -> torch.Tensor:
    """The iteration as its formula says, in float64."""
    x = matrix.double()
    x = x.T if matrix.shape[0] > matrix.shape[1] else x
    x = x / x.norm()
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    result: torch.Tensor = x.T if matrix.shape[0] > matrix.shape[1] else x
    return result


@pytest.mark.parametrize("shape", [(24, 24), (16, 24), (16, 64), (64, 16)])
@pytest.mark.parametrize("rank", [None, 3])
def test_orthogonalising_a_batch_follows_the_formula(shape: tuple[int, int], rank: int | None) -> None:
    """Also for matrices of low rank plus noise, whose small singular values are lost first."""
    torch.manual_seed(0)
    batch = torch.randn(3, *shape)
    if rank:
        batch = torch.randn(3, shape[0], rank) @ torch.randn(3, rank, shape[1]) + 1e-4 * batch
    found = orthogonalise(batch)
    wanted = torch.stack([newton_schulz(m) for m in batch])
    assert float((found - wanted).abs().max()) < 2e-4
    assert float((orthogonalise(2 * batch.flip(0)) - wanted).abs().max()) > 1e-2


def test_muon_steps_matrices_of_one_shape_as_it_steps_them_apart() -> None:
    torch.manual_seed(0)
    start = [torch.randn(6, 4), torch.randn(4, 12), torch.randn(6, 4)]
    gradients = [[torch.randn_like(p) for p in start] for _ in range(3)]
    together = [nn.Parameter(p.clone()) for p in start]
    apart = [nn.Parameter(p.clone()) for p in start]
    optimisers = [Muon(together, 0.1, weight_decay=0.1)] + [Muon([p], 0.1, weight_decay=0.1) for p in apart]
    for row in gradients:
        for parameters in (together, apart):
            for p, gradient in zip(parameters, row, strict=True):
                p.grad = gradient.clone()
        for optimiser in optimisers:
            optimiser.step()
    for a, b, before in zip(together, apart, start, strict=True):
        assert torch.allclose(a, b, atol=1e-6)
        assert not torch.allclose(a, before, atol=1e-2)
