"""`python -m benchmark run`: train each workload, serve the models, measure them, judge.

A failure is recorded in the result, and the run continues with what does not depend on it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmark.analysis import comparable, gate, node_verdicts, restorable, runs
from benchmark.analysis import result as results
from benchmark.checkpoints.artefact import Loaded, card_key
from benchmark.cluster import launch, replicas
from benchmark.cluster import stack as stacks
from benchmark.cluster.connection import Connection
from benchmark.cluster.hostload import HostLoad
from benchmark.cluster.inventory import container_names
from benchmark.cluster.stack import Stack
from benchmark.console import conclude, record_error, record_stop, report_refusal, say, show_message
from benchmark.core import events, files
from benchmark.core.config import GptConfig, Workload, load_all
from benchmark.core.errors import BenchmarkError, ComparisonError, ConfigError
from benchmark.data import dataset
from benchmark.experiments import serving_check
from benchmark.experiments.jobs import attach_host_load, describe_stack, execute, merge_training
from benchmark.experiments.options import TrainingOptions
from benchmark.experiments.progress import Progress
from benchmark.experiments.recorded import Recording
from benchmark.report import comparison
from benchmark.report import pages as report
from benchmark.tracking import history, lock, rollout
from benchmark.training.spec import Spec

LOCK_PATIENCE_S = 300.0  # for another change of what is served


@dataclass(frozen=True)
class Options(TrainingOptions):
    gate: Path | None = None
    find_rate: bool = False
    min_replicas: int | None = None
    max_replicas: int | None = None
    schedule: dict[str, Any] | None = None
    status: Path | None = None
    nodes: Path | None = None


def main(options: Options) -> int:
    """0: complete and nothing failed; 1: a verdict or the gate failed, or something is missing; 2: bad input.

    All mistakes in the options are reported first, before anything is written or an earlier result touched.
    """
    try:
        stack: Stack | None = None
        if options.gate and is_run(options.gate):
            stack = stacks.read(options.stack, options.inventory, options.access)
            gate_file = history.result_of(stack.tracking(), options.stack, options.out, str(options.gate))
            options = replace(options, gate=gate_file)
        workloads, baseline = checked(options)
        stack = stack or stacks.read(options.stack, options.inventory, options.access)
        options = replace(options, without=node_verdicts.left_out(options.nodes, stack.compute_nodes))
        run = runs.begin(options.out, results.new_run_id())
    except BenchmarkError as error:
        return report_refusal(error)
    result = results.new(options.stack, options.tier, run.run_id)
    result["schedule"] = options.schedule
    result["configuration"]["workloads"] = _described(workloads)
    if options.without:
        say(f"without {', '.join(options.without)}, which did not pass the check of the nodes")
    if options.status:
        result["restorable"] = restorable.read(options.status, result["started"])
    code, path = 1, run.path
    recording = Recording(stack, run.run_id)
    try:
        describe_stack(result, stack)
        results.save(result, path)
        cards = train_all(
            result=result,
            stack=stack,
            workloads=workloads,
            options=options,
            run_id=run.run_id,
            path=path,
            recording=recording,
        )
        serve_all(
            result=result,
            stack=stack,
            workloads=workloads,
            cards=cards,
            options=options,
            path=path,
            recording=recording,
        )
        result["complete"] = not result["errors"]
    except (BenchmarkError, KeyboardInterrupt) as error:
        code = record_stop(result, "run", error)
    result["finished"] = results.now()
    results.save(result, path)
    if code == 1 and result["complete"] and not any(v["verdict"] == "fail" for v in result["verdicts"]):
        code = 0
    pages = [report.write(path)]
    if baseline and result["complete"]:
        code = max(code, judge(result, baseline, path))
    elif baseline:
        say("gate: not compared, because the run is incomplete")
    recording.finish(result, path, lambda: report.write(path))
    conclude(result, run, *pages)
    return code


def is_run(name: Path) -> bool:
    """Whether the gate names an earlier run instead of a file."""
    return not name.suffix and len(name.parts) == 1 and not name.exists()


def checked(options: Options) -> tuple[list[Workload], dict[str, Any] | None]:
    """The workloads and the gate's earlier result; ConfigError with all mistakes in the options."""
    problems = replicas.limit_problems(options.min_replicas, options.max_replicas)
    problems += files.folder_problems(options.out)
    if options.status and not options.status.is_file():
        problems.append(f"--status: {options.status}: no such file; give what `aidc status` prints as JSON")
    workloads: list[Workload] = []
    baseline = None
    try:
        workloads = load_all(options.workload_files, options.tier)
    except ConfigError as error:
        problems += error.problems
    try:
        baseline = _baseline(options, workloads) if options.gate else None
    except ConfigError as error:
        problems += [f"gate: {problem}" for problem in error.problems]
    if problems:
        raise ConfigError(problems)
    return workloads, baseline


def _described(workloads: list[Workload]) -> dict[str, Any]:
    return {w.name: w.model_dump(mode="json") for w in workloads}


def _baseline(options: Options, workloads: list[Workload]) -> dict[str, Any]:
    """The earlier result of the gate; ComparisonError if the two cannot be compared.

    Without `workloads`, which have mistakes of their own, only checks that it can be read.
    """
    assert options.gate is not None
    try:
        baseline = results.load(options.gate)
    except BenchmarkError as error:
        raise ComparisonError([str(error)]) from error
    problems = (
        comparable.planned_differences(baseline, options.tier, _described(workloads), complete=True)
        if workloads
        else []
    )
    if problems:
        raise ComparisonError([f"{options.gate}: {problem}" for problem in problems])
    return baseline


def judge(result: dict[str, Any], baseline: dict[str, Any], path: Path) -> int:
    """Compare with the earlier result, recorded as `gate`. 0, 1 if worse, 2 if not comparable."""
    try:
        comparison_rows = gate.compare(baseline, result)
        page = comparison.write(baseline, result, path.with_name("comparison.html"))
    except ComparisonError as error:
        result["gate"] = {"verdict": None, "problems": error.problems}
        results.save(result, path)
        say("gate: not comparable\n" + "\n".join(f"  {problem}" for problem in error.problems))
        return 2
    result["gate"] = comparison_rows
    results.save(result, path)
    for line in gate.lines(comparison_rows):
        say(line)
    say(f"comparison: {page}")
    return 1 if comparison_rows["verdict"] == "fail" else 0


def train_all(
    *,
    result: dict[str, Any],
    stack: Stack,
    workloads: list[Workload],
    options: Options,
    run_id: str,
    path: Path,
    recording: Recording,
) -> dict[str, dict[str, Any]]:
    """One Ray job per workload; the model card of its first seed by workload."""
    ray, store = stack.ray(), stack.store()
    ranks = options.ranks(stack)
    cards = {}
    progress = Progress(workloads, ranks)

    def on_message(kind: str, content: dict[str, Any]) -> None:
        show_message(kind, content, progress.line(content))

    for number, workload in enumerate(workloads):
        say(
            f"{workload.name}: training, workload {number + 1} of {len(workloads)}, "
            f"{len(workload.seeds)} seeds on {ranks} compute nodes"
        )
        spec = Spec(run_id=run_id, workload=workload, world_size=ranks, threads=options.threads,
                    frozen_data=not options.unfrozen_data, with_probes=number == 0,
                    without=options.without)  # fmt: skip
        start = partial(launch.in_stack, spec, ray, store, on_message)
        log = partial(events.append, path.with_name("events.jsonl"), fresh=number == 0)
        merge = partial(merge_training, result, workload.name, log=log)
        before = len(result["training"])
        with HostLoad(container_names(stack.inventory)) as host:
            execute(result, workload.name, spec=spec, store=store, start=start, merge=merge)
        attach_host_load(host, result["training"][before:])
        # The first seed is served, not the best one: the choice must not depend on the outcome.
        served = (workload.name, workload.seeds[0])
        first = next((r for r in result["training"] if (r["workload"], r["seed"]) == served), None)
        if first:
            cards[workload.name] = first["model"]
        results.save(result, path)
        recording.update(result)
    return cards


def serve_all(
    *,
    result: dict[str, Any],
    stack: Stack,
    workloads: list[Workload],
    cards: dict[str, dict[str, Any]],
    options: Options,
    path: Path,
    recording: Recording,
) -> None:
    """Deploy the trained models as one application; check and load it through the load balancer."""
    if not cards:
        results.add_error(result, "serving", "no model was trained, so none can be served")
        return
    endpoint, store = stack.inference(), stack.store()
    serving: dict[str, Any] = {"endpoint": endpoint.url, "models": [], "offline": [], "latency": []}
    result["serving"] = serving
    try:
        say(f"serving {', '.join(cards)}")
        limits = replicas.limits_for(stack.compute_nodes, options.min_replicas, options.max_replicas)
        with lock.hold(store, f"benchmark run {result['run_id']}", patience_s=LOCK_PATIENCE_S):
            start = time.perf_counter()
            others = recording.champion_models()
            rollout.put_in_service(stack, replicas.models_of(cards), others, say, limits)
            serving.update(
                replicas=limits["min_replicas"],
                autoscaling=limits,
                deploy_s=round(time.perf_counter() - start, 1),
            )
            recording.serves(result, cards)
    except BenchmarkError as error:
        record_error(result, "serving", error)
        return
    for workload in (w for w in workloads if w.name in cards):
        try:
            manifest = result["data"][workload.name]
            with Connection(endpoint) as connection:
                row = serving_check.correctness(workload, manifest, cards[workload.name], store, connection)
            serving["models"].append(row)
            heldout = dataset.load(manifest, store, "heldout")
            find = options.find_rate or options.tier == "release"
            measured = serving_check.load(workload, heldout, endpoint, say, find_rate=find,
                                    measured=container_names(stack.inventory))  # fmt: skip
            serving["offline"].append(measured["offline"])
            serving["latency"] += measured["latency"]
            if isinstance(workload.model, GptConfig):
                here = Loaded(store, card_key(cards[workload.name]), cards[workload.name]["sha256"])
                serving.setdefault("generation", []).extend(
                    serving_check.generation(workload, heldout, endpoint, here, say,
                                             measured=container_names(stack.inventory))
                )  # fmt: skip
            if "max_rate" in measured:
                serving.setdefault("max_rate", []).append(measured["max_rate"])
        except BenchmarkError as error:
            record_error(result, f"serving {workload.name}", error)
        results.save(result, path)
