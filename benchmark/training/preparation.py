"""What a training starts from: its task, data, last checkpoint, and the module that is trained."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from benchmark.checkpoints.checkpoint import begun, load_latest
from benchmark.core.config import Workload
from benchmark.core.errors import CheckpointError, TrainingError
from benchmark.core.events import POINT, EventLog
from benchmark.core.ranks import RankContext, everywhere
from benchmark.core.store import Store
from benchmark.core.timing import LastGradient
from benchmark.data import batches, dataset
from benchmark.model.optimiser import OptimiserSet

Progress = Callable[[dict[str, Any]], None]
Forward = Callable[[nn.Module, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Task:
    """One seed of a workload on this rank, and where it reports."""

    workload: Workload
    seed: int
    ranks: RankContext
    store: Store
    run_id: str
    events: EventLog
    progress: Progress

    @property
    def name(self) -> str:
        return f"{self.workload.name}/seed-{self.seed}"

    @property
    def checkpoints(self) -> str:
        """The prefix of its checkpoints in the store."""
        return f"checkpoints/{self.run_id}/{self.name}"

    def error(self, text: str) -> TrainingError:
        """An error that every rank raises at the same point."""
        error = TrainingError(text)
        everywhere(error)
        return error


@dataclass
class Clock:
    """Seconds on the clock of time-to-train; what earlier attempts of the same seed took counts too."""

    begin: float = field(default_factory=time.perf_counter)
    earlier_s: float = 0.0

    def elapsed(self) -> float:
        return self.earlier_s + time.perf_counter() - self.begin

    def started(self) -> float:
        """When this attempt began, by the clock of the world."""
        return time.time() - (time.perf_counter() - self.begin)


@dataclass
class History:
    """What a checkpoint keeps beside model and optimisers. `first`: the step to begin at."""

    first: int = 0
    curve: list[dict[str, Any]] = field(default_factory=list)
    losses: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Data:
    """This rank's share of the training data, and all held-out data, on the device."""

    share: batches.Batches
    heldout: dict[str, Tensor]
    load_s: float


@dataclass(frozen=True)
class Trainee:
    """`module` computes what `model` does, compiled or not; `trained` also exchanges gradients."""

    model: nn.Module
    module: nn.Module
    trained: nn.Module
    optimisers: OptimiserSet
    forward: Forward
    bf16: bool
    last_gradient: LastGradient | None


def computes_in_bf16(workload: Workload, peak: dict[str, Any], ranks: RankContext) -> bool:
    """As declared; if `auto`, where it is faster: elsewhere it only costs accuracy."""
    pays = peak["bf16_gflops"] > 1.3 * peak["fp32_gflops"]
    precision = workload.training.precision
    return precision == "bf16" or (precision == "auto" and ranks.once(lambda: pays))


def load(task: Task, manifest: dict[str, Any]) -> Data:
    workload, ranks, begin = task.workload, task.ranks, time.perf_counter()
    parts = ranks.together(
        lambda: {part: dataset.load(manifest, task.store, part) for part in ("train", "heldout")}
    )
    parts = {part: {k: v.to(ranks.device) for k, v in tensors.items()} for part, tensors in parts.items()}
    share = batches.for_rank(workload, parts["train"], task.seed, ranks.rank, ranks.world_size)
    load_s = time.perf_counter() - begin
    if share.samples() < workload.training.batch_size:
        raise task.error(
            f"{workload.name}: training.batch_size: {workload.training.batch_size} exceeds the "
            f"{share.samples()} samples of an epoch"
        )
    return Data(share, parts["heldout"], load_s)


def resume(task: Task, clock: Clock, model: nn.Module, optimisers: OptimiserSet) -> History:
    """Load the last checkpoint, if there is one, into model and optimisers.

    After a restart what was lost counts too: the steps done again, and the time in which nothing ran.
    """
    ranks, store, prefix = task.ranks, task.store, task.checkpoints
    state = ranks.together(lambda: load_latest(store, prefix))
    started = clock.started()
    clock.earlier_s = max(0.0, started - ranks.once(lambda: begun(store, prefix, started)))
    if state is None:
        return History()
    ranks.together(partial(_restore, state, model, optimisers, prefix))
    task.events.add(POINT, "resumed", state["step"])
    return History(state["step"], state["curve"], state["losses"])


def exchanging(
    model: nn.Module, module: nn.Module, ranks: RankContext
) -> tuple[nn.Module, LastGradient | None]:
    """The module as several ranks train it, and on CPUs the clock of all-reduce."""
    if ranks.world_size == 1:
        return module, None
    last_gradient = LastGradient(model.parameters()) if ranks.kind == "cpu" else None
    return (
        DistributedDataParallel(module, forward_sync_buffers=False, gradient_as_bucket_view=True),
        last_gradient,
    )


def _restore(state: dict[str, Any], model: nn.Module, optimisers: OptimiserSet, prefix: str) -> None:
    try:
        model.load_state_dict(state["model"])
        optimisers.load_state_dict(state["optimisers"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise CheckpointError(f"{prefix}: does not fit the model of this workload: {error}") from error
