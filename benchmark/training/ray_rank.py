"""One rank of a training as a Ray actor; `benchmark.training.ray_train` starts as many as are asked for."""

from __future__ import annotations

import os
import time
from typing import Any

import torch.distributed as dist

from benchmark.core import actors, advance
from benchmark.core.errors import BenchmarkError
from benchmark.core.ranks import BACKENDS, TIMEOUT, RankContext, require
from benchmark.training.job import run
from benchmark.training.spec import Spec


class TrainingRank:
    """Runs in a Ray actor, which is killed when the training is over.

    Its name is in the title of the process (`benchmark.cluster.injector`).
    """

    def place(self) -> tuple[str, str, int]:
        """Name and address of its node, and a port that is free there."""
        address = actors.own_address()
        return os.uname().nodename, address, actors.free_port(address)

    def train(self, config: dict[str, Any], number: int, address: str, port: int) -> None:
        """Train as rank `number`; rank 0 listens on `port` at `address`, where the others meet it."""
        spec = Spec.model_validate(config)
        kind = spec.workload.training.device
        # Ray shows an actor no GPU but its own, which is therefore the first one.
        device = require(kind)
        if spec.world_size > 1:
            dist.init_process_group(
                BACKENDS[kind],
                init_method=f"tcp://{address}:{port}",
                rank=number,
                world_size=spec.world_size,
                timeout=TIMEOUT,
            )
        with advance.told(spec.prefix, time.process_time):
            rank(spec, RankContext(number, spec.world_size, device, "ray"))


def rank(spec: Spec, ranks: RankContext) -> None:
    """A mistake that all ranks know of ends the job without a restart: trying again cannot help.

    What one rank alone knows is raised, so that the driver ends the others, which wait for it. No rank waits
    for another after an error: that one may wait for something else.
    """
    try:
        run(spec, ranks)
    except BenchmarkError as error:
        if not ranks.knows(error):
            raise
        return
    ranks.barrier()
