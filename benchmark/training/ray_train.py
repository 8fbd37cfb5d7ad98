"""A Ray job's driver: one DDP rank on each compute node, by Ray Train.

`python -m benchmark.training.ray_train results/<run>/<workload>/spec.json [STORE]` reads the job's spec
from the object store (`s3://` unless another is named). A worker that dies restarts all ranks;
they resume from the last checkpoint and skip the seeds that have a result.
"""

# ruff: noqa: PLC0415  (Ray exists in the stack only)
from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from benchmark.core.errors import BenchmarkError
from benchmark.core.placement import LABEL, selector
from benchmark.core.store import get_json, open_store
from benchmark.training.job import has_failed, run, say
from benchmark.training.spec import Spec, read_spec

if TYPE_CHECKING:
    from benchmark.core.ranks import RankContext

MAX_FAILURES = 2
# Ray waits a minute for the nodes that a start of the ranks needs: a node may take that long to come back.
MAX_STARTS = 5
LOW_MEMORY = re.compile(
    r"low on memory\. Memory on the node \(IP: ([^,]+).*? was ([\d.]+ ?GB) used / ([\d.]+ ?GB)"
)
KEPT = 1000  # characters of both ends of Ray's own text
CPU_SHARE = 0.7  # of the smallest node: the driver and a serving replica live there too


def work(config: dict[str, Any]) -> None:
    """One rank, as Ray Train starts it."""
    import ray.train.torch

    from benchmark.core.ranks import RankContext, require

    context = ray.train.get_context()
    spec = Spec.model_validate(config)
    device = "cpu"
    if spec.workload.training.device == "cuda":
        require("cuda")
        device = str(ray.train.torch.get_device())
    rank(spec, RankContext(context.get_world_rank(), context.get_world_size(), device, "ray"))


def rank(spec: Spec, ranks: RankContext) -> None:
    """A mistake that all ranks know of ends the job without a restart: trying again cannot help.

    What one rank alone knows is raised, so that Ray ends the others, which wait for it. No rank waits for
    another after an error: that one may wait for something else.
    """
    try:
        run(spec, ranks)
    except BenchmarkError as error:
        if not ranks.knows(error):
            raise
        return
    ranks.barrier()


def reason(text: str, names: Mapping[str, str]) -> str:
    """What ended the training, from Ray's text; `names`: the host of each address."""
    low = LOW_MEMORY.search(text)
    if low:
        address, used, limit = low.groups()
        return (
            f"out of memory on {names.get(address, address)}: {used} of {limit} were in use, and Ray killed "
            "what it runs there. Give the node more in compute.nodes[].memory (one that is alone also holds "
            "the job's driver and all replicas), or lower training.batch_size"
        )
    return text if len(text) <= 2 * KEPT else f"{text[:KEPT]}\n…\n{text[-KEPT:]}"


def main(arguments: list[str]) -> int:
    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    try:
        store = open_store(arguments[1] if len(arguments) > 1 else "s3://")
        spec = read_spec(get_json(store, arguments[0]), arguments[0])
    except BenchmarkError as error:
        say("error", {"type": type(error).__name__, "message": str(error)})
        return 1
    ray.init(log_to_driver=True)
    nodes = [
        n["Resources"]
        for n in ray.nodes()
        if n["Alive"] and n["Resources"].get("CPU", 0) > 0 and n["Labels"].get(LABEL) not in spec.without
    ]
    gpu = spec.workload.training.device == "cuda"
    if gpu and sum(n.get("GPU", 0) for n in nodes) < spec.world_size:
        message = f"training.device: cuda: {spec.world_size} GPUs are asked for, the cluster has fewer"
        say("error", {"type": "DeviceError", "workload": spec.workload.name, "message": message})
        return 1
    cpus = round(CPU_SHARE * min((n["CPU"] for n in nodes), default=1), 2)
    trainer = TorchTrainer(
        work,
        train_loop_config=spec.model_dump(mode="json"),
        torch_config=TorchConfig(backend="nccl" if gpu else "gloo", timeout_s=600),
        scaling_config=ScalingConfig(
            num_workers=spec.world_size,
            use_gpu=gpu,
            resources_per_worker={"CPU": cpus, **({"GPU": 1} if gpu else {})},
            label_selector=selector(spec.without) or None,
            placement_strategy="STRICT_SPREAD" if spec.world_size <= len(nodes) else "SPREAD",
        ),
        # Checkpoints and results are ours, in the object store; Ray keeps no more than a log here.
        run_config=RunConfig(
            name=spec.run_id,
            storage_path=os.environ.get("TMPDIR", "/tmp") + "/ray-train",
            failure_config=FailureConfig(max_failures=MAX_FAILURES, controller_failure_limit=MAX_STARTS),
        ),
    )
    try:
        trainer.fit()
    except Exception as error:
        names = {n["NodeManagerAddress"]: n["NodeManagerHostname"] for n in ray.nodes()}
        problem = {
            "type": "TrainingError",
            "workload": spec.workload.name,
            "message": reason(str(error), names),
        }
        say("error", problem)
        return 1
    try:
        return int(has_failed(spec, store))
    except BenchmarkError as error:
        say("error", {"type": type(error).__name__, "message": str(error)})
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
