"""One workload, all its seeds: what every launcher runs on every rank.

`python -m benchmark.training.job SPEC.json` runs it as a single process or, under torchrun, as one
rank of several; `benchmark.training.ray_rank` calls `run` from Ray's workers. What it leaves in the
store under `results/<run>/<workload>/`: manifest.json, machine.json, probes.json (if asked),
seed-<n>.json and seed-<n>.events.jsonl for each seed, the logs of all its attempts under
seed-<n>.attempts/, error.json after a failure.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from benchmark.checkpoints.journal import Journal
from benchmark.core import machine, memory
from benchmark.core.documents import put_json
from benchmark.core.errors import BenchmarkError, ConfigError
from benchmark.core.events import EventLog
from benchmark.core.ranks import RankContext, from_environment, leave
from benchmark.core.run_record import TrainingRun
from benchmark.core.store import Store, open_store
from benchmark.data import dataset
from benchmark.telemetry import energy, probes
from benchmark.telemetry.energy import Meter
from benchmark.training.spec import Spec, read_spec
from benchmark.training.train import train


def run(spec: Spec, ranks: RankContext) -> None:
    """Prepare data, probe, train every seed that has no result yet; write results as they come."""
    torch.set_num_threads(spec.threads)
    memory.keep_freed()
    store: Store | None = None
    try:
        store = ranks.together(lambda: open_store(spec.store))
        _run(spec, ranks, store)
    except BenchmarkError as error:
        problem = {"type": type(error).__name__, "workload": spec.workload.name, "message": str(error)}
        say("error", problem)
        if ranks.is_first and store:
            with suppress(
                BenchmarkError
            ):  # the store itself may be the problem; the line above has reported it
                put_json(store, f"{spec.prefix}/error.json", problem)
        raise


def has_failed(spec: Spec, store: Store) -> bool:
    """Whether the job of `spec` has left an error, and not all results: an attempt before may have failed."""
    if not store.exists(f"{spec.prefix}/error.json"):
        return False
    return not all(store.exists(f"{spec.prefix}/seed-{seed}.json") for seed in spec.workload.seeds)


def _run(spec: Spec, ranks: RankContext, store: Store) -> None:
    workload = spec.workload

    def keep(name: str, value: Any) -> None:
        ranks.once(lambda: put_json(store, f"{spec.prefix}/{name}.json", value))

    if ranks.is_first:
        say("progress", {"workload": workload.name, "stage": "data"})
    manifest = ranks.once(lambda: dataset.prepare(workload, store, spec.frozen_data))
    keep("manifest", manifest)
    keep("machine", ranks.gather(machine.facts()))
    meter = energy.meter_for(ranks.device)
    ranks.synchronise()  # idle is a GPU that is held by a process, and does not work
    ranks.barrier()
    meter.measure_idle()
    ranks.barrier()
    if spec.with_probes:
        keep("probes", probes.run(ranks, store, spec.prefix))
    try:
        for seed in workload.seeds:
            _seed(seed, spec=spec, ranks=ranks, store=store, manifest=manifest, meter=meter)
    finally:
        meter.close()


def _seed(
    seed: int, *, spec: Spec, ranks: RankContext, store: Store, manifest: dict[str, Any], meter: Meter
) -> None:
    """Train one seed and keep its record, unless a job that was restarted has done so before."""
    key = f"{spec.prefix}/seed-{seed}"
    if ranks.once(lambda: store.exists(f"{key}.json")):
        return
    events = EventLog(trace=spec.trace, workload=spec.workload.name, seed=seed)
    journal = Journal(store, key, events) if ranks.is_first else None
    try:
        record = train(
            workload=spec.workload,
            seed=seed,
            manifest=manifest,
            store=store,
            ranks=ranks,
            run_id=spec.run_id,
            events=events,
            progress=_reporter(ranks),
            meter=meter,
        )
    except BaseException:
        if ranks.is_first:
            with suppress(BenchmarkError):  # the raised error says more
                store.put(f"{key}.events.jsonl", events.text().encode())
        raise
    finally:
        if journal:
            journal.close()

    def keep() -> None:
        store.put(f"{key}.events.jsonl", events.text().encode())
        put_json(store, f"{key}.json", TrainingRun.written(record))

    ranks.once(keep)


def _reporter(ranks: RankContext) -> Any:
    return (lambda value: say("progress", value)) if ranks.is_first else (lambda value: None)


def say(kind: str, value: dict[str, Any]) -> None:
    """A line for the launcher, which reads them out of the log: `@progress {...}` or `@error {...}`."""
    print(f"@{kind} {json.dumps(value)}", flush=True)


def main(arguments: list[str]) -> int:
    try:
        path = Path(arguments[0])
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError([f"{path}: cannot be read as JSON: {error}"]) from error
        spec = read_spec(content, str(path))
        ranks = from_environment(spec.workload.training.device)
        run(spec, ranks)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except BenchmarkError as error:
        if "WORLD_SIZE" not in os.environ:
            print(error, file=sys.stderr)
        return 1
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
    return 0


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
