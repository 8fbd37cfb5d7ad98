"""Batches as a pure function of (seed, step, rank): nothing to save, nothing to drift on resume."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from benchmark.core.config import GptConfig, Workload

CHUNK = 32  # steps


@dataclass(frozen=True)
class Batches:
    """The share of one rank. `at(step)` gives inputs and targets on the device of the data.

    Each epoch is a new permutation of all samples (rows, or windows of `context` bytes whose
    start shifts from epoch to epoch); the ranks take disjoint slices of each global batch, the first
    ones a sample more where it does not divide evenly.
    """

    data: dict[str, Tensor]
    batch_size: int
    context: int | None
    seed: int
    rank: int
    world_size: int
    gathered: dict[tuple[int, int], tuple[Tensor, Tensor]] = field(
        default_factory=dict, compare=False, repr=False
    )

    @property
    def share(self) -> tuple[int, int]:
        """First sample and number of samples of this rank within a global batch."""
        count, more = divmod(self.batch_size, self.world_size)
        return self.rank * count + min(self.rank, more), count + (self.rank < more)

    @property
    def weight(self) -> float:
        """This rank's mean loss times `weight`, averaged over the ranks, is the global batch's mean loss."""
        return self.share[1] * self.world_size / self.batch_size

    def samples(self) -> int:
        """Samples in one epoch."""
        if self.context is None:
            return len(self.data["y"])
        # One window less: room for the shift.
        return (len(self.data["bytes"]) - 1) // self.context - 1

    def at(self, step: int) -> tuple[Tensor, Tensor]:
        """Views into a few steps' batches, which are gathered at once: one step alone is mostly overhead."""
        epoch, position = divmod(step, self._per_epoch)
        chunk, row = divmod(position, CHUNK)
        if (epoch, chunk) not in self.gathered:
            self.gathered.clear()
            self.gathered[epoch, chunk] = self._gather(epoch, chunk)
        x, y = self.gathered[epoch, chunk]
        return x[row], y[row]

    @property
    def _per_epoch(self) -> int:
        return max(1, self.samples() // self.batch_size)

    def _gather(self, epoch: int, chunk: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets of this rank, each (steps of the chunk, share of a batch, …)."""
        order = self._permutation(epoch)
        offset, count = self.share
        steps = torch.arange(chunk * CHUNK, min((chunk + 1) * CHUNK, self._per_epoch))
        index = order[(steps[:, None] * self.batch_size + offset + torch.arange(count)) % len(order)]
        if self.context is None:
            index = index.to(self.data["y"].device)
            return self.data["x"][index], self.data["y"][index]
        shift = int(torch.randint(self.context, (1,), generator=_generator(self.seed, epoch, 1)))
        x, y = windows(self.data["bytes"], index.flatten() * self.context + shift, self.context)
        return x.reshape(*index.shape, -1), y.reshape(*index.shape, -1)

    def _permutation(self, epoch: int) -> Tensor:
        cached = _CACHE.get((self.seed, epoch, self.samples()))
        if cached is None:
            cached = torch.randperm(self.samples(), generator=_generator(self.seed, epoch, 0))
            _CACHE.clear()
            _CACHE[(self.seed, epoch, self.samples())] = cached
        return cached


_CACHE: dict[tuple[int, int, int], Tensor] = {}


def windows(data: Tensor, starts: Tensor, context: int) -> tuple[Tensor, Tensor]:
    """(n,) starts -> inputs and next bytes, each (n, context) int64."""
    starts = starts.to(data.device)
    window = data[starts[:, None] + torch.arange(context + 1, device=data.device)].long()
    return window[:, :-1], window[:, 1:]


def for_rank(workload: Workload, data: dict[str, Tensor], seed: int, rank: int, world_size: int) -> Batches:
    context = workload.model.context if isinstance(workload.model, GptConfig) else None
    return Batches(data, workload.training.batch_size, context, seed, rank, world_size)


def _generator(seed: int, epoch: int, stream: int) -> torch.Generator:
    return torch.Generator().manual_seed((seed * 1_000_003 + epoch) * 2 + stream)
