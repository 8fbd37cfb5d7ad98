"""The report's record: settings, runs, data, what was not measured, and where all of it was run."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from benchmark.report import text
from benchmark.report.text import or_dash

Result = dict[str, Any]
# Text for readers in a workload's configuration.
WORDS = ("name", "title", "about")


def section(result: Result) -> dict[str, Any]:
    return {
        "command": command(result),
        "settings": settings(result),
        "runs": [_run(r) for r in [*result["training"], *result["bare"]]],
        "data": [_data(name, d) for name, d in result["data"].items()],
        "missing": missing(result),
        "environment": environment(result),
    }


def command(result: Result) -> str:
    """What measures the same again, from the root of a clone at the same commit."""
    if result.get("command"):
        return str(result["command"])
    workloads = ",".join(result["configuration"]["workloads"])
    words = ["python", "-m", "benchmark", "run", "--stack", result["stack"], "--tier", result["tier"]]
    return shlex.join([*words, "--workloads", workloads] if workloads else words)


def settings(result: Result) -> dict[str, Any]:
    """Every setting of every workload: one row each, one column per workload."""
    workloads = result["configuration"]["workloads"]
    flat = {name: dict(_flat(workload)) for name, workload in workloads.items()}
    keys = list(dict.fromkeys(key for of in flat.values() for key in of if key not in WORDS))
    groups = list(dict.fromkeys(key.split(".")[0] for key in keys))
    keys.sort(key=lambda key: groups.index(key.split(".")[0]))  # what only one workload has, beside its like
    rows = [(key, [_shown(of.get(key)) for of in flat.values()]) for key in keys]
    return {"names": list(workloads), "rows": rows}


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _run(run: dict[str, Any]) -> dict[str, str]:
    quality = run["quality"]
    lost_s = run.get("earlier_attempts_s")
    again = f", {lost_s:.0f} s of it before a restart" if lost_s else ""
    return {
        "workload": run["workload"],
        "seed": str(run["seed"]),
        "launcher": run["launcher"],
        "world_size": str(run["world_size"]),
        "device": run["device"],
        "quality": text.quality(quality["value"], quality["metric"]),
        "time_to_train": or_dash(run["time_to_train_s"], lambda v: f"{v:.1f} s"),
        "total": f"{run['total_s']:.1f} s{again}",
        "throughput": or_dash(run["throughput"], lambda v: f"{text.count(v['value'])} {v['unit']}"),
        "others": text.others(run.get("host_load")),
        "energy": or_dash(run["energy_j_per_sample"], lambda v: text.energy(v, run["energy"]["per"])),
    }


def _data(name: str, data: dict[str, Any]) -> dict[str, str]:
    provenance = data["provenance"]
    return {
        "name": name,
        "train": text.count(data["splits"]["train"]["rows"]),
        "heldout": text.count(data["splits"]["heldout"]["rows"]),
        "bytes": text.size(sum(s["bytes"] for s in data["splits"].values())),
        "provenance": ", ".join(f"{k} {v}" for k, v in provenance.items() if isinstance(v, str)),
        "sha256": data["sha256"][:16] + "…",
    }


def missing(result: Result) -> list[tuple[str, str]]:
    """(field, reason and where), once each."""
    where: dict[tuple[str, str], list[str]] = {}
    for run in result["training"]:
        for field, reason in run["not_measured"].items():
            where.setdefault((field, reason), []).append(f"{run['workload']}/{run['seed']}")
    for row in (result["serving"] or {}).get("latency", []):
        at = f"{row['workload']} at {row['rate_rps']:g}/s"
        for field, reason in {
            **row["not_measured"],
            **(row.get("host_load") or {}).get("not_measured", {}),
        }.items():
            where.setdefault((field, reason), []).append(at)
    total = len(result["training"])
    return [
        (field, reason if len(places) == total else f"{reason} ({_some(places)})")
        for (field, reason), places in where.items()
    ]


def _some(places: list[str]) -> str:
    return ", ".join(places[:4]) + (", …" if len(places) > 4 else "")


def environment(result: Result) -> list[tuple[str, str]]:
    machines = [("Host", result["environment"]["host"])]
    machines += [(f"Rank {i}", node) for i, node in enumerate(result["environment"]["nodes"])]
    rows = [(name, _machine(facts)) for name, facts in machines]
    rows += source(result["environment"])
    rows += [(f"Image of {k}", v) for k, v in result["environment"]["images"].items()]
    rows += energy_rows(result)
    rows.append(("Finished", result["finished"] or "not finished"))
    return rows


def energy_rows(result: Result) -> list[tuple[str, str]]:
    """What the joules cover, and when the run was to start; each only where there is one."""
    rows, runs = [], [*result["training"], *result["bare"]]
    sums = [_joules(r) for r in runs if r.get("energy")]
    if sums:
        rows.append(("Energy", "; ".join(sums)))
    plan = result.get("schedule")
    if plan:
        window = f"window {plan['window']}" if plan["window"] else "no window"
        line = f"{window}, started {plan['started']}"
        if plan["series"]:
            now = plan["expected_mean_now"]
            line += f", cheapest by {plan['series']['file']}: mean {plan['expected_mean']:g} {plan['unit']}"
            line += "" if now is None else f", {now:g} if started when asked"
        rows.append(("Schedule", line))
    return rows


def _joules(run: dict[str, Any]) -> str:
    e = run["energy"]
    idle = "idle power unknown" if e["idle_w"] is None else f"{e['idle_w']:.1f} W idle"
    net = "" if e["net_j"] is None else f"{e['net_j']:.1f} J of "
    return (
        f"{run['workload']}/{run['seed']} ({run['launcher']}): {net}{e['gross_j']:.1f} J in "
        f"{e['seconds']:.1f} s, {idle}; {e['source']}: {', '.join(e['covers'])}"
    )


def source(environment: Mapping[str, Any], length: int = 64) -> list[tuple[str, str]]:
    """Commit, and where there are changes the hash that names the whole tree with them."""
    commit, tree = environment.get("git_commit"), environment.get("source_sha256")
    rows = []
    if commit:
        rows.append(
            ("Commit", commit[: min(length, 40)] + (" and changes" if environment.get("git_dirty") else ""))
        )
    if tree and (environment.get("git_dirty") or length == 64):
        rows.append(("Source tree", f"sha256 {tree[:length]}"))
    return rows


def _machine(facts: Mapping[str, Any]) -> str:
    quota = "no quota" if facts["cpu_quota"] is None else f"quota {facts['cpu_quota']:g} CPUs"
    if facts["memory_limit_bytes"] is not None:
        quota += f", {text.size(facts['memory_limit_bytes'])} memory"
    return (
        f"{facts['host']}: {facts['cpu_model']}, {facts['cpus_visible']} CPUs visible, {quota}, "
        f"{facts['gpu'] or 'no GPU'}, {facts['isa']}, Python {facts['python']}, torch {facts['torch']}, "
        f"Linux {facts['kernel']}"
    )
