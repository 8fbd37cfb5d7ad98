"""Which rank this process is, on which device, and how ranks agree; the same under every launcher."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from benchmark.core.errors import BenchmarkError, DeviceError

T = TypeVar("T")
# Preparing data on rank 0 may take minutes on a slow core while the others wait.
TIMEOUT = timedelta(minutes=10)
BACKENDS = {"cpu": "gloo", "cuda": "nccl"}


@dataclass(frozen=True)
class RankContext:
    """One rank of a training: its number, its torch device, and what started it."""

    rank: int = 0
    world_size: int = 1
    device: str = "cpu"
    launcher: str = "python"

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    @property
    def kind(self) -> str:
        """`cpu` or `cuda`: the device without its number."""
        return self.device.partition(":")[0]

    def autocast(self, bf16: bool) -> torch.autocast:
        """A context in which matrix products are in bfloat16, where that is asked for."""
        return torch.autocast(self.kind, dtype=torch.bfloat16, enabled=bf16)

    def once(self, function: Callable[[], T]) -> T:
        """Run on rank 0; every rank gets its result, or raises its error."""
        if self.world_size == 1:
            return function()
        box: list[Any] = [None, None]
        if self.is_first:
            try:
                box[0] = function()
            except BenchmarkError as error:
                box[1] = error
        dist.broadcast_object_list(box, src=0)
        if box[1] is not None:
            raise everywhere(box[1])
        result: T = box[0]
        return result

    def together(self, function: Callable[[], T]) -> T:
        """Run on every rank; if one fails, all raise its error instead of waiting forever."""
        result, problem = None, None
        try:
            result = function()
        except BenchmarkError as error:
            problem = error
        if self.world_size > 1:
            problems: list[Any] = [None] * self.world_size
            dist.all_gather_object(problems, problem)
            problem = next((p for p in problems if p is not None), None)
        if problem is not None:
            raise everywhere(problem)
        return result  # type: ignore[return-value]

    def knows(self, error: BenchmarkError) -> bool:
        """Whether every rank raises this error; if not, the others wait until this one's process ends."""
        return self.world_size == 1 or getattr(error, "on_every_rank", False)

    def gather(self, value: T) -> list[T]:
        if self.world_size == 1:
            return [value]
        values: list[Any] = [None] * self.world_size
        dist.all_gather_object(values, value)
        return values

    def sum(self, tensor: Tensor) -> Tensor:
        if self.world_size > 1:
            dist.all_reduce(tensor)
        return tensor

    def barrier(self) -> None:
        if self.world_size > 1:
            dist.barrier()

    def synchronise(self) -> None:
        if self.kind == "cuda":
            torch.cuda.synchronize()


def everywhere(error: BenchmarkError) -> BenchmarkError:
    """An error that every rank raises at the same point, so that none waits for another."""
    error.on_every_rank = True  # type: ignore[attr-defined]
    return error


def from_environment(device: str) -> RankContext:
    """The rank that torchrun describes in the environment, or a single process; joins the process group."""
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    rank = int(os.environ.get("RANK", "0"))
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    name = require(device, local_rank)
    if world_size > 1:
        dist.init_process_group(BACKENDS[device], timeout=TIMEOUT)
    return RankContext(
        rank, world_size, name, "torchrun" if "TORCHELASTIC_RUN_ID" in os.environ else "python"
    )


def require(device: str, local_rank: int = 0) -> str:
    """The torch device of this rank; DeviceError when the GPU that was asked for is absent."""
    if device != "cuda":
        return "cpu"
    if not torch.cuda.is_available():
        raise DeviceError(
            "training.device: cuda: PyTorch sees no GPU here. Set device: cpu (tiers smoke, ci, release), "
            "or give the compute node a GPU and install its driver."
        )
    count = torch.cuda.device_count()
    if local_rank >= count:
        raise DeviceError(
            f"training.device: cuda: rank {local_rank} of this node needs its own GPU, {count} found"
        )
    torch.cuda.set_device(local_rank)
    return f"cuda:{local_rank}"


def leave(status: int = 0) -> NoReturn:
    """End this rank's process at once, when all its work is done and stored.

    Not sys.exit: a thread of gloo may still hold the tensors of the last collective. It gives them back
    under the interpreter's lock, and a Python before 3.14 answers a thread that asks for the lock while
    the interpreter shuts down by unwinding it: "terminate called without an active exception". One short
    job in eight was reported as failed because of this, after its result had been stored.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
