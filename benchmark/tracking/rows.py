"""From a result to MLflow's runs: the benchmark run, below it one run per workload, below that one per seed.

Pure, and always the same for the same result: recording twice writes the same values again, which MLflow
keeps once. Times are those of the measurement, never of the recording.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from benchmark.cluster.mlflow_api import Metric

Result = dict[str, Any]
# The tags by which a run is found again: the benchmark run, and which part of it this is.
RUN, PART = "aidc.run", "aidc.part"
# The digest of all that was recorded of a run: written last, so that it stands for the whole.
DIGEST = "aidc.digest"
PARENT = "mlflow.parentRunId"
# MLflow allows these in a key, and a few more that not every version does.
FORBIDDEN = re.compile(r"[^\w./ -]")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One run in MLflow. `part`: unique in a benchmark run, empty for itself. `parent`: the part above."""

    part: str
    name: str
    parent: str | None
    start_ms: int
    end_ms: int | None
    status: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[Metric, ...] = ()

    def digest(self) -> str:
        return hashlib.sha256(json.dumps(dataclasses.asdict(self), sort_keys=True).encode()).hexdigest()


def rows(result: Result) -> list[Row]:
    """Each run after the one above it."""
    found = [_whole(result)]
    for name in result["configuration"]["workloads"]:
        runs = [r for r in result["training"] if r["workload"] == name]
        found.append(_workload(result, name, runs))
        found += [_seed(result, run) for run in runs]
    return found


def seed_part(workload: str, seed: int) -> str:
    return f"{workload}/seed-{seed}"


def milliseconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)


def verdicts_on(result: Result, workload: str) -> list[dict[str, str]]:
    """The verdicts whose names name this workload as a word of its own."""
    return [v for v in result["verdicts"] if workload in re.split(r"[ :,]+", v["name"])]


def outcome(verdicts: list[dict[str, str]]) -> str:
    """`1 fail, 3 pass`, or a dash."""
    words = [v["verdict"] for v in verdicts]
    return ", ".join(f"{words.count(word)} {word}" for word in sorted(set(words))) or "-"


def tags_of(verdicts: list[dict[str, str]]) -> dict[str, str]:
    return {key(f"verdict.{v['name']}"): f"{v['verdict']}: {v['actual']}" for v in verdicts}


def images(result: Result) -> dict[str, str]:
    """Image to its tag, which is a digest of all that it is built from."""
    found = {}
    for reference in result["environment"]["images"].values():
        name, _, digest = str(reference).rpartition(":")
        found[name.removeprefix("aidc-")] = f"{name}:{digest}"
    return found


def key(text: str) -> str:
    """Fit for a key of MLflow."""
    return FORBIDDEN.sub("", text)


def _whole(result: Result) -> Row:
    environment = result["environment"]
    host = environment["host"]
    ended = result.get("finished")
    return Row(
        part="",
        name=result["run_id"],
        parent=None,
        start_ms=milliseconds(result["started"]),
        end_ms=milliseconds(ended) if ended else None,
        status=_status(result),
        parameters={
            "stack": result["stack"],
            "tier": result["tier"],
            "workloads": ",".join(result["configuration"]["workloads"]),
            "compute_nodes": str(result["topology"]["counts"].get("compute", 0)),
            "cpu": str(host["cpu_model"]),
            "torch": str(host["torch"]),
        },
        tags={
            "stack": result["stack"],
            "tier": result["tier"],
            "started": result["started"],
            "complete": "yes" if result["complete"] else "no",
            "verdicts": outcome(result["verdicts"]),
            "errors": "; ".join(f"{e['where']}: {e['message']}" for e in result["errors"]) or "none",
            **_origin(result),
            **{f"image.{name}": reference for name, reference in images(result).items()},
            **tags_of(result["verdicts"]),
            **_drill(result.get("restorable") or {}),
        },
    )


def _drill(restorable: Mapping[str, Any]) -> dict[str, str]:
    """Of the newest restore drill when the run began, as far as it is known."""
    drill = restorable.get("drill") or {}
    names = ("result", "age_s", "rpo_s", "rto_s")
    return {f"drill.{name}": str(drill[name]) for name in names if drill.get(name) is not None}


def _status(result: Result) -> str:
    if not result.get("finished"):
        return "RUNNING"
    if result["complete"]:
        return "FINISHED"
    stopped = any("interrupted by the user" in e["message"] for e in result["errors"])
    return "KILLED" if stopped else "FAILED"


def _origin(result: Result) -> dict[str, str]:
    environment = result["environment"]
    return {
        "git_commit": str(environment.get("git_commit") or "-"),
        "git_dirty": {True: "yes", False: "no"}.get(environment.get("git_dirty"), "-"),
        "source_sha256": str(environment.get("source_sha256") or "-"),
    }


def _workload(result: Result, name: str, runs: list[dict[str, Any]]) -> Row:
    start = milliseconds(result["started"])
    settings = result["configuration"]["workloads"][name]
    data = result["data"].get(name)
    found = verdicts_on(result, name)
    ended = milliseconds(result["finished"]) if result.get("finished") else None
    wanted = len(settings["seeds"])
    return Row(
        part=name,
        name=f"{result['run_id']} {name}",
        parent="",
        start_ms=start,
        end_ms=ended,
        status="RUNNING" if ended is None else "FINISHED" if len(runs) == wanted else "FAILED",
        parameters={key(path): text for path, text in _flat(settings)},
        tags={
            "workload": name,
            "tier": result["tier"],
            "verdicts": outcome(found),
            "device": ", ".join(sorted({r["device"] for r in runs})) or "-",
            "data_sha256": data["sha256"] if data else "-",
            **_origin(result),
            **tags_of(found),
        },
        metrics=tuple((key(k), float(v), start, step) for k, v, step in _figures(result, name, runs)),
    )


def _figures(result: Result, name: str, runs: list[dict[str, Any]]) -> Iterator[tuple[str, float, int]]:
    """Key, value, step: means over the seeds, and what serving measured, where the step is the rate."""
    of = {
        "quality.mean": [r["quality"]["value"] for r in runs],
        "time_to_train_s.mean": [r["time_to_train_s"] for r in runs],
        "throughput.mean": [r["throughput"]["value"] if r["throughput"] else None for r in runs],
    }
    for figure, values in of.items():
        if values and None not in values:
            yield figure, sum(values) / len(values), 0
    serving = result.get("serving") or {}
    for row in serving.get("models", []):
        if row["workload"] == name:
            yield "served.quality", row["quality_served"], 0
    for row in serving.get("offline", []):
        if row["workload"] == name and row["requests_per_s"] is not None:
            yield "served.offline_requests_per_s", row["requests_per_s"], 0
    for row in serving.get("latency", []):
        if row["workload"] == name:
            for figure in ("p50_ms", "p90_ms", "p99_ms", "errors"):
                if row[figure] is not None:
                    yield f"served.{figure}", row[figure], round(row["rate_rps"])


def _seed(result: Result, run: dict[str, Any]) -> Row:
    start = milliseconds(result["started"])
    metric = run["quality"]["metric"]
    curve = [(int(p["step"]), float(p["seconds"])) for p in run["curve"]]
    metrics: list[Metric] = [
        (metric, float(p["value"]), start + int(p["seconds"] * 1000), int(p["step"])) for p in run["curve"]
    ]
    metrics += [
        ("loss", float(row["loss"]), start + int(_second(curve, row["step"]) * 1000), int(row["step"]))
        for row in run["losses"]
    ]
    last = curve[-1][0] if curve else 0
    end = start + int(run["total_s"] * 1000)
    single = {
        "quality": run["quality"]["value"],
        "throughput": run["throughput"]["value"] if run["throughput"] else None,
        "step_time_median_s": run["step_time_s"]["median"] if run["step_time_s"] else None,
        **{
            name: run[name]
            for name in (
                "time_to_train_s",
                "total_s",
                "load_s",
                "accelerator_utilisation",
                "compute_share",
                "mfu",
                "gemm_peak_fraction",
                "energy_j_per_sample",
            )
        },
        **{f"step_{phase}_s": value for phase, value in run["breakdown_s"].items()},
    }
    metrics += [(name, float(value), end, last) for name, value in single.items() if value is not None]
    model = run.get("model") or {}
    return Row(
        part=seed_part(run["workload"], run["seed"]),
        name=f"{result['run_id']} {run['workload']} seed {run['seed']}",
        parent=run["workload"],
        start_ms=start,
        end_ms=end,
        status="FINISHED",
        parameters={
            "workload": run["workload"],
            "seed": str(run["seed"]),
            "ranks": str(run["world_size"]),
            "launcher": run["launcher"],
            "precision": run["precision"],
            "parameters": str(run["parameters"]),
            "warmup_steps": str(run["warmup_steps"]),
        },
        tags={
            "workload": run["workload"],
            "seed": str(run["seed"]),
            "tier": result["tier"],
            "device": run["device"],
            "target_reached": "yes" if run["quality"]["passed"] else "no",
            **({"model_sha256": model["sha256"], "model_key": model["key"]} if model else {}),
            **_origin(result),
        },
        metrics=tuple(metrics),
    )


def _second(curve: list[tuple[int, float]], step: int) -> float:
    """When a step was, in seconds into the run: between the evaluations around it, in proportion."""
    points = [(0, 0.0), *curve]
    for (left, before), (right, after) in pairwise(points):
        if left <= step <= right and right > left:
            return before + (after - before) * (step - left) / (right - left)
    return points[-1][1]


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Settings as parameters: `optimiser.rate` to its value as JSON, words without quotation marks."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(inner, f"{path}.{name}" if path else str(name))
    else:
        yield path, value if isinstance(value, str) else json.dumps(value)
