"""Whether two results may be compared: same tier, workloads, data, device, ranks and machine.

Numbers of different things side by side mislead. Every difference is named at once, by field.
Code and library versions may differ: they are what a comparison is for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Result = dict[str, Any]
WORDS = frozenset({"title", "about", "tier"})  # of a workload: text for readers; the tier has its own line
MACHINE = ("cpu_model", "gpu", "cpus_visible", "cpu_quota", "threads")
NEEDED: dict[str, type] = {
    "complete": bool,
    "tier": str,
    "environment": dict,
    "configuration": dict,
    "data": dict,
    "training": list,
    "verdicts": list,
}


def differences(baseline: Result, candidate: Result) -> list[str]:
    """Why the two cannot be compared, one field per line; empty when they can."""
    problems = [*_unusable("baseline", baseline), *_unusable("candidate", candidate)]
    if problems:
        return problems
    problems += planned_differences(
        baseline, candidate["tier"], candidate["configuration"].get("workloads", {})
    )
    for side, result in (("baseline", baseline), ("candidate", candidate)):
        if not result["complete"]:
            problems.append(f"complete: the {side} is incomplete; only complete results are compared")
    names = [
        n for n in baseline["configuration"]["workloads"] if n in candidate["configuration"]["workloads"]
    ]
    for name in names:
        pair = [r["data"].get(name, {}).get("sha256") for r in (baseline, candidate)]
        problems += _differ(f"data.{name}.sha256", *pair)
        for field in ("device", "world_size"):
            problems += _differ(
                f"training.{name}.{field}", *(_values(r, name, field) for r in (baseline, candidate))
            )
    machines = [
        r["environment"].get("nodes") or [r["environment"].get("host", {})] for r in (baseline, candidate)
    ]
    for field in MACHINE:
        pair = [[m.get(field) for m in sorted(of, key=lambda m: str(m.get(field)))] for of in machines]
        problems += _differ(f"environment.nodes.{field}", *pair)
    return problems


def planned_differences(
    baseline: Result, tier: str, workloads: Mapping[str, Any], complete: bool = False
) -> list[str]:
    """The part of `differences` that is known before a run: checking it early saves a training in vain.

    `complete`: also ask it of the baseline, which `differences` does by itself.
    """
    problems = _unusable("baseline", baseline)
    if problems:
        return problems
    if complete and not baseline["complete"]:
        problems.append("complete: the baseline is incomplete; only complete results are compared")
    problems += _differ("tier", baseline["tier"], tier)
    then = baseline["configuration"].get("workloads", {})
    before, now = ({n: _settings(w) for n, w in of.items()} for of in (then, workloads))
    for name in dict.fromkeys([*before, *now]):
        if name not in before or name not in now:
            side = "baseline" if name not in before else "candidate"
            problems.append(f"configuration.workloads.{name}: is not in the {side}")
            continue
        for field in dict.fromkeys([*before[name], *now[name]]):
            if before[name].get(field) != now[name].get(field):
                pair = before[name].get(field), now[name].get(field)
                problems += _differ(f"configuration.workloads.{name}.{field}", *pair)
    return problems


def _unusable(side: str, result: Result) -> list[str]:
    return [
        f"{field}: missing in the {side}, or not of type {kind.__name__}"
        for field, kind in NEEDED.items()
        if not isinstance(result.get(field), kind)
    ]


def _settings(workload: Mapping[str, Any]) -> dict[str, Any]:
    return {path: value for path, value in _flat(workload) if path.split(".")[0] not in WORDS}


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def _values(result: Result, name: str, field: str) -> list[Any]:
    return sorted({r[field] for r in result["training"] if r["workload"] == name})


def _differ(field: str, before: Any, now: Any) -> list[str]:
    if before == now:
        return []
    return [f"{field}: {_shown(before)} in the baseline, {_shown(now)} in the candidate"]


def _shown(value: Any) -> str:
    if isinstance(value, list) and value:
        return ", ".join(dict.fromkeys(_shown(v) for v in value))
    return "none" if value is None or value == [] else f"{value[:16]}…" if _is_hash(value) else f"{value}"


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 64
