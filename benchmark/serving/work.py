"""How long requests may take: the work of one request is bounded, and that of all queued at a replica.

The load balancer waits `BALANCER_S` for an answer. A request waits for a place at a replica, at most while
one full backlog is computed, then for the backlog before it and itself: twice `BACKLOG_S` in all, which
leaves a third of the time for a machine that is busier than the speed says.

Work is counted in floating-point operations, which the model's shape declares: the same limits hold at all
replicas. How fast a replica does it is measured as it goes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

from benchmark.checkpoints.exported import Exported
from benchmark.checkpoints.loading import Model
from benchmark.core.config import GptConfig
from benchmark.serving.requests import MAX_BODY, MAX_INSTANCES, RequestError

BALANCER_S = 120.0  # `timeout server` of the load balancer
BACKLOG_S = 40.0
REQUEST_S = 10.0
# FLOP/s that one thread surely does: 44e9 were seen on an idle core.
SPEED = 10e9
LEAST_SPEED = 0.5e9
# To read, copy and write one instance costs as much as a tenth of a millisecond of computing.
INSTANCE_FLOP = 1e6
# Shorter batches say more about Python than about the model.
TELLING_FLOP = 1e9
RETRY_S = 5

# Requests that one replica holds, and that each node's proxy keeps back for a place at one.
ONGOING, QUEUED = 64, 64


@dataclass(eq=False)
class Call:
    """One request for predictions, checked; `work` in FLOP. `left`: its client is gone.

    `version`: of the model in the registry, where it is known.
    """

    model: Model
    instances: list[Any]
    work: float
    version: str = ""
    left: bool = False


def call(model: Model, instances: list[Any], version: str = "") -> Call:
    """RequestError if it is more work than one request may ask for."""
    work = sum(cost(model, size(model, x)) for x in instances)
    if work > REQUEST_S * SPEED and len(instances) > 1:
        most = full_length(model)
        unit = f"of {model.config.context} bytes" if isinstance(model.config, GptConfig) else "each"
        raise RequestError(
            413,
            f"instances: {len(instances)} are too much work for one request of this model: at most {most} "
            f"{unit} are answered in time; send several requests",
        )
    return Call(model, instances, work, version)


def size(model: Model, instance: Any) -> int:
    """Tokens of a text, of which the last `context` count; 1 for a row."""
    return min(len(instance.encode()), model.config.context) if isinstance(instance, str) else 1


def cost(model: Model, tokens: int) -> float:
    """FLOP of one instance: a forward pass is a third of a training step. Of a user's model: as measured."""
    if isinstance(model, Exported):
        return INSTANCE_FLOP + float(model.config.seconds) * SPEED
    return INSTANCE_FLOP + tokens * model.flops_per_token / 3


def full_length(model: Model) -> int:
    """How many instances of full length one request may hold: at least one."""
    tokens = model.config.context if isinstance(model.config, GptConfig) else 1
    return max(1, min(MAX_INSTANCES, int(REQUEST_S * SPEED / cost(model, tokens))))


def limits(model: Model) -> dict[str, int]:
    """What a client should know before it asks."""
    found = {"instances": MAX_INSTANCES, "full_length_instances": full_length(model), "body_bytes": MAX_BODY}
    return {**found, "context_bytes": model.config.context} if isinstance(model.config, GptConfig) else found


class Backlog:
    """What waits at this replica and is being computed. Used by the event loop; only `measured` by others."""

    def __init__(self) -> None:
        # Weak: a stream that nobody began to read ends without a word.
        self.waiting: WeakSet[Call] = WeakSet()
        self.computing: tuple[Call, ...] = ()
        self.speed = SPEED

    def seconds(self) -> float:
        return sum(c.work for c in {*self.waiting, *self.computing}) / self.speed

    def admit(self, asked: Call) -> None:
        """Accept it, or RequestError 503: an idle replica accepts everything that one request may ask."""
        before = self.seconds()
        if before and before + asked.work / self.speed > BACKLOG_S:
            raise RequestError(
                503,
                f"busy: {before:.0f} s of work are queued at this replica; try again in a few seconds",
                {"Retry-After": str(RETRY_S)},
            )
        self.waiting.add(asked)

    def forget(self, asked: Call) -> None:
        self.waiting.discard(asked)

    def begin(self, calls: Iterable[Call]) -> None:
        self.computing = tuple(calls)

    def end(self, seconds: float) -> None:
        """The current batch took `seconds`; the estimated speed moves halfway towards it."""
        work, self.computing = sum(c.work for c in self.computing), ()
        if work >= TELLING_FLOP and seconds > 0:
            self.speed = max(LEAST_SPEED, (self.speed + work / seconds) / 2)
