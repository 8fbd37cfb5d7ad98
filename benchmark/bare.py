"""The same training on this host, without the stack: the same code under torchrun, over loopback."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark import launch
from benchmark import result as results
from benchmark.config import Workload
from benchmark.console import say, show
from benchmark.data import dataset
from benchmark.job import Spec
from benchmark.run import carried_out
from benchmark.store import DirectoryStore, Store


@dataclass(frozen=True)
class Host:
    """How to train here. `remote`: the stack's store, whose data are taken; None: they are prepared here."""

    store: DirectoryStore
    remote: Store | None
    ranks: int
    threads: int = 1
    frozen_data: bool = True


def train_all(result: dict[str, Any], workloads: list[Workload], host: Host, path: Path) -> None:
    """Train each workload; its runs, and what went wrong, are in the result, saved at `path`."""
    run_id = results.new_run_id("bare-")
    for workload in workloads:
        say(f"{workload.name}: training on the host, {host.ranks} ranks")
        train(result, workload, host, run_id)
        results.save(result, path)


def train(
    result: dict[str, Any],
    workload: Workload,
    host: Host,
    run_id: str,
    on_message: launch.OnMessage = show,
) -> None:
    """Train all seeds of one workload and add them to `result["bare"]`."""
    spec = Spec(run_id=run_id, workload=workload, store=str(host.store.root.absolute()),
                world_size=host.ranks, threads=host.threads, frozen_data=host.frozen_data)  # fmt: skip

    def start() -> str | None:
        prefix = dataset.location(workload, spec.frozen_data)
        if host.remote and not host.store.exists(f"{prefix}/manifest.json"):
            launch.copy_data(host.remote, host.store, prefix)
        return launch.on_host(spec, on_message)

    found = carried_out(result, f"bare {workload.name}", spec, host.store, start)
    if found is None:
        return
    result["bare"] += found["runs"]
    if workload.name not in result["data"] and found["manifest"]:
        result["data"][workload.name] = found["manifest"]
