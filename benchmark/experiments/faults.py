"""`python -m benchmark faults`: one undisturbed run, then the same run again with a fault for each case.

The fault is injected once a checkpoint exists and some steps beyond it have passed. Its cost is computed
afterwards from the event logs of all attempts (`benchmark.analysis.recovery`).
"""

from __future__ import annotations

import argparse
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.analysis import recovery, runs
from benchmark.analysis import result as results
from benchmark.checkpoints import journal
from benchmark.cluster import engine, injector, launch
from benchmark.cluster import stack as stacks
from benchmark.cluster.hostload import HostLoad
from benchmark.cluster.injector import Injector
from benchmark.cluster.inventory import container_names
from benchmark.cluster.stack import Stack
from benchmark.console import conclude, record_stop, report_refusal, say, show_message
from benchmark.core import files
from benchmark.core.config import Workload, load
from benchmark.core.documents import get_json
from benchmark.core.errors import BenchmarkError, ConfigError, StackError
from benchmark.core.store import Store
from benchmark.experiments.jobs import describe_stack
from benchmark.experiments.options import add_into, add_stack, add_workload, at_least, one_of
from benchmark.report import pages as report
from benchmark.training.spec import Spec

BEYOND = 5  # steps after a checkpoint before the fault: some work must be lost
# About the standard deviation between seeds. The same seed on as many ranks should differ by less.
TOLERANCE = {"bits_per_byte": 0.02, "accuracy": 0.005}


@dataclass(frozen=True)
class Options:
    stack: str
    tier: str
    workload_file: Path
    out: Path
    cases: tuple[str, ...] = injector.CASES
    seed: int = 1
    steps: int | None = None
    checkpoint_every: int = 25
    outage_s: float = 10
    into: Path | None = None
    world_size: int | None = None
    threads: int = 1
    inventory: Path | None = None
    access: Path | None = None
    unfrozen_data: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_workload(parser)
    add_stack(parser)
    add_into(parser)
    parser.add_argument("--case", dest="cases", type=cases_of, default="all", metavar="CASE",
                        help=f"{', '.join(injector.CASES)} or all (default: all): what to kill; "
                        "driver: the node that holds the job's driver")  # fmt: skip
    parser.add_argument("--seed", type=int, default=1, help="of the training (default: 1)")
    parser.add_argument("--steps", type=at_least(1), help="of the training (default: the workload's)")
    parser.add_argument("--checkpoint-every", type=at_least(1), default=25, help="steps (default: 25)")
    parser.add_argument("--outage", dest="outage_s", type=at_least(0), default=10, metavar="SECONDS",
                        help="seconds until a killed container is started again (default: 10)")  # fmt: skip


def cases_of(name: str) -> tuple[str, ...]:
    return injector.CASES if one_of("case", (*injector.CASES, "all"))(name) == "all" else (name,)


def main(options: Options) -> int:
    """0: training survived every fault; 1: it did not, or something is missing; 2: bad input.

    Mistakes in the options are reported before the hour is spent and before anything is written.
    """
    try:
        if options.into:
            results.load(options.into)
        workload = with_checkpoints(load(options.workload_file, options.tier), options)
        files.check_folder(options.out)
        stack = stacks.read(options.stack, options.inventory, options.access)
        run = runs.begin(options.out, results.new_run_id("faults-"), "faults")
    except BenchmarkError as error:
        return report_refusal(error)
    run_id, path = run.run_id, run.path
    result = results.new(options.stack, options.tier, run_id)
    code = 1
    try:
        describe_stack(result, stack)
        ranks = options.world_size or max(1, stack.compute_nodes)
        spec = Spec(run_id=run_id, workload=workload, world_size=ranks, threads=options.threads,
                    frozen_data=not options.unfrozen_data, trace=True)  # fmt: skip
        result["recovery"] = recovery_record = new_recovery(workload, ranks)
        faults = Injector(engine.connect())
        for case in ("undisturbed", *options.cases):
            say(f"{case}: training {workload.name}, {workload.training.steps} steps on {ranks} compute nodes")
            record = train_with_fault(case, spec, stack, faults, options.outage_s)
            if record["problem"]:
                results.add_error(result, case, record["problem"])
                say(f"{case}: {record['problem']}")
            if case == "undisturbed":
                recovery_record["undisturbed"] = record
            else:
                recovery_record["cases"].append(with_difference(record, recovery_record["undisturbed"]))
            results.save(result, path)
        result["complete"] = not result["errors"]
    except (BenchmarkError, KeyboardInterrupt) as error:
        code = record_stop(result, "faults", error)
    result["finished"] = results.now()
    results.save(result, path)
    pages = [report.write(path)]
    if options.into and result.get("recovery"):
        pages.append(report.add_outcome(options.into, result["recovery"], "recovery"))
    conclude(result, run, *pages)
    failed = any(v["verdict"] == "fail" for v in result["verdicts"])
    return 0 if code == 1 and result["complete"] and not failed else code


def with_checkpoints(workload: Workload, options: Options) -> Workload:
    """One seed, frequent checkpoints. ConfigError if no fault would fit between two of them."""
    steps, every = options.steps or workload.training.steps, options.checkpoint_every
    if every <= BEYOND or steps < 2 * every:
        raise ConfigError([f"--checkpoint-every {every}: must be more than {BEYOND} and at most half of "
                           f"the {steps} steps: a fault must fit between two checkpoints"])  # fmt: skip
    training = workload.training.model_copy(
        update={
            "steps": steps,
            "checkpoint_every": every,
            "evaluate_every": min(workload.training.evaluate_every, steps),
        }
    )
    return workload.model_copy(update={"training": training, "seeds": [options.seed]})


def new_recovery(workload: Workload, ranks: int) -> dict[str, Any]:
    return {
        "workload": workload.name,
        "title": workload.title,
        "seed": workload.seeds[0],
        "world_size": ranks,
        "steps": workload.training.steps,
        "checkpoint_every": workload.training.checkpoint_every,
        "metric": workload.target.metric,
        "tolerance": TOLERANCE[workload.target.metric],
        "log_resolution_s": journal.TRACE_S,
        "undisturbed": None,
        "cases": [],
    }


def train_with_fault(
    case: str, spec: Spec, stack: Stack, faults: Injector, outage_s: float
) -> dict[str, Any]:
    """Train once, with the fault of `case`; the record, complete or not."""
    spec = spec.model_copy(update={"run_id": f"{spec.run_id}-{case}"})
    store, ray = stack.store(), stack.ray()
    trigger = Trigger(case, spec, stack, faults, outage_s if case in ("node", "driver", "head") else 0)
    problem: str | None = None
    host = HostLoad(container_names(stack.inventory))
    try:
        with host:
            problem = launch.in_stack(spec, ray, store, trigger.message)
        if not problem and case != "undisturbed" and trigger.fault_ms is None:
            problem = "training finished before the fault was injected; increase --steps"
    except BenchmarkError as error:  # the output of the attempts is kept
        problem = str(error)
    return {"case": case, **trigger.record(), "problem": problem, **outcome(spec, store, trigger),
            "host_load": host.record}  # fmt: skip


class Trigger:
    """Watches the job's messages and injects the fault once, at the right step."""

    def __init__(self, case: str, spec: Spec, stack: Stack, faults: Injector, outage_s: float) -> None:
        self.case, self.spec, self.stack, self.faults, self.outage_s = case, spec, stack, faults, outage_s
        self.submissions = 1
        self.target: injector.Target | None = None
        self.fault_ms: int | None = None
        self.healing: threading.Thread | None = None
        self.healthy: float | None = None
        self.store = stack.store()

    def message(self, kind: str, content: dict[str, Any]) -> None:
        show_message(kind, content)
        self.submissions = content.get("submission", self.submissions)
        if self.case != "undisturbed" and self.target is None and self._is_due(content.get("step", 0)):
            self.target = self._choose()
            say(f"{self.case}: kill {'rank 0 on ' if self.target.process else ''}{self.target.service}")
            self.fault_ms = self.faults.cause(self.target, self.outage_s)
            if not self.target.process:  # watched in parallel: training may continue before or after it
                # A daemon thread: an interrupted command does not wait for it.
                self.healing = threading.Thread(
                    target=self._await, args=(self.target.container,), daemon=True
                )
                self.healing.start()

    def _await(self, container: str) -> None:
        self.healthy = self.faults.await_healthy(container)

    def _is_due(self, step: int) -> bool:
        if step < self.spec.workload.training.checkpoint_every + BEYOND:
            return False
        pointer = f"checkpoints/{self.spec.run_id}/{self._name}/latest.json"
        return self.store.exists(pointer) and step >= get_json(self.store, pointer)["step"] + BEYOND

    @property
    def _name(self) -> str:
        return f"{self.spec.workload.name}/seed-{self.spec.workload.seeds[0]}"

    def _choose(self) -> injector.Target:
        ranks = get_json(self.store, f"{self.spec.prefix}/machine.json")
        job = self.stack.ray().status(f"{self.spec.run_id}-{self.spec.workload.name}")
        driver = (job.get("driver_info") or {}).get("node_ip_address")
        services = self.stack.inventory.get("services", [])
        return injector.choose(self.case, services, [rank["host"] for rank in ranks], driver)

    def record(self) -> dict[str, Any]:
        """What was killed, and when its container was healthy again; waits for that."""
        if self.healing:
            self.healing.join()
        target, healthy = self.target, self.healthy
        return {
            "lost": target.lost if target else injector.LOST.get(self.case, ""),
            "service": target.service if target else None,
            "outage_s": self.outage_s,
            "submissions": self.submissions,
            "healthy_again_s": round(healthy - self.fault_ms / 1e3, 1) if healthy and self.fault_ms else None,
        }


def outcome(spec: Spec, store: Store, trigger: Trigger) -> dict[str, Any]:
    """Quality and cost, from the output of the attempts in the store."""
    (seed,) = spec.workload.seeds
    try:
        output = launch.collect(spec, store)
        line = recovery.attempts(journal.read(store, f"{spec.prefix}/seed-{seed}"))
    except BenchmarkError as error:
        raise StackError(f"{spec.prefix}: the output of the job cannot be read: {error}") from error
    faults_ms = [] if trigger.fault_ms is None else [trigger.fault_ms]
    origin = line[0].start_ms if line else 0
    summary = recovery.summary(line, faults_ms)
    return {
        "quality": output["runs"][0]["quality"]["value"] if output["runs"] else None,
        "difference": None,
        **summary,
        "fault_s": [round((at - origin) / 1e3, 3) for at in faults_ms],
        "lines": recovery.drawn(line, origin),
    }


def with_difference(record: dict[str, Any], undisturbed: dict[str, Any] | None) -> dict[str, Any]:
    values = record["quality"], (undisturbed or {}).get("quality")
    difference = None if None in values else round(values[0] - values[1], 6)
    return {**record, "difference": difference}
