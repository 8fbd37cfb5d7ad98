"""One of two ranks that train with a store in which one object cannot be written: for test_ranks.

`python -m tests.unit.benchmark.ranks RANK FOLDER FAULT…` prints, for each fault, what became of this rank
and after how many seconds, as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

from benchmark.core.config import load
from benchmark.core.errors import StoreError
from benchmark.core.ranks import RankContext, leave
from benchmark.core.store import DirectoryStore
from benchmark.training import ray_rank
from benchmark.training.spec import Spec
from tests.unit.benchmark.conftest import TESTDATA, changed

LIMIT_S = 60  # of a collective: what must not be reached


def put_without(part: str, ranks: RankContext) -> None:
    """From now on rank 0 can write no object that has `part` in its key; `!part`: with an error of Python."""
    right = DirectoryStore.__dict__.get("right_put", DirectoryStore.put)

    def put(self: DirectoryStore, key: str, data: bytes) -> None:
        if ranks.is_first and part.lstrip("!") in key:
            raise OSError("planted") if part.startswith("!") else StoreError(f"{key}: planted")
        right(self, key, data)

    DirectoryStore.right_put = right  # type: ignore[attr-defined]
    DirectoryStore.put = put  # type: ignore[method-assign]


def main(rank: int, folder: Path, faults: list[str]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder}/meet",
        rank=rank,
        world_size=2,
        timeout=timedelta(seconds=LIMIT_S),
    )
    ranks = RankContext(rank, 2, "cpu", "test")
    workload = changed(
        load(TESTDATA / "valid-workload.yaml", "smoke"),
        training={"steps": 60, "checkpoint_every": 10, "evaluate_every": 30},
    )
    for number, fault in enumerate(faults):
        put_without(fault, ranks)
        spec = Spec(
            run_id=f"r{number}", workload=workload, world_size=2, store=str(folder / f"store-{number}")
        )
        begin, error = time.perf_counter(), ""
        try:
            ray_rank.rank(spec, ranks)
        except BaseException as found:
            error = f"{type(found).__name__}: {found}"
        seconds = round(time.perf_counter() - begin, 2)
        print(json.dumps({"fault": fault, "raised": error, "seconds": seconds}), flush=True)
        if error:
            break  # as Ray does: the process is of no use any more


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
    leave()
