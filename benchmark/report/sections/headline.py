"""The top of the report: the outcome in a sentence, and the key figures as tiles."""

from __future__ import annotations

from typing import Any

from benchmark.core import stats
from benchmark.report.sections import record, recovery

Result = dict[str, Any]


def headline(result: Result) -> dict[str, Any]:
    verdicts = result["verdicts"]
    count = {word: sum(v["verdict"] == word for v in verdicts) for word in ("pass", "fail", "inconclusive")}
    if count["fail"]:
        text = f"{count['fail']} of {len(verdicts)} checks failed"
    elif not result["complete"]:
        text = "The run is incomplete"
    elif count["inconclusive"]:
        text = f"{count['pass']} of {len(verdicts)} checks passed, {count['inconclusive']} open"
    else:
        text = f"All {len(verdicts)} checks passed"
    workloads = list(result["configuration"]["workloads"])
    ranks = max((r["world_size"] for r in result["training"]), default=0)
    detail = (
        f"The data centre “{result['stack']}” trained {_enumerate(workloads)} on {ranks} compute nodes"
        + (" and served them through its load balancer." if result["serving"] else ".")
        if ranks
        else recovery.sentence(result)
    )
    environment = result["environment"]
    facts = [
        ("Tier", result["tier"]),
        ("Started", result["started"].replace("T", " ").replace("+00:00", " UTC")),
        ("Processor", environment["host"]["cpu_model"]),
        ("PyTorch", environment["host"]["torch"]),
    ]
    facts += record.source(environment, 10)
    return {"text": text, "detail": detail, "facts": facts}


def tiles(result: Result) -> list[dict[str, str]]:
    """The key figures: quality by workload, time to the target, latency; with the verdict that is on them."""
    found = []
    said = {row["name"]: row["verdict"] for row in result["verdicts"]}
    for name, workload in result["configuration"]["workloads"].items():
        runs = [r for r in result["training"] if r["workload"] == name]
        if not runs:
            continue
        mean = sum(r["quality"]["value"] for r in runs) / len(runs)
        accuracy = workload["target"]["metric"] == "accuracy"
        target = workload["target"]["value"]
        seeds = f", mean of {len(runs)} seeds" if len(runs) > 1 else ""
        found.append(
            {
                "name": workload["title"],
                "value": f"{100 * mean:.2f}" if accuracy else f"{mean:.3f}",
                "unit": "%" if accuracy else "bits/byte",
                "hint": (f"accuracy, target ≥ {100 * target:g} %" if accuracy else f"target ≤ {target:g}")
                + seeds,
                "verdict": said.get(f"quality of {name}", ""),
            }
        )
        times = [r["time_to_train_s"] for r in runs if r["time_to_train_s"] is not None]
        if not accuracy and times:
            found.append({"name": "Time to target", "value": f"{stats.olympic_mean(times):.0f}", "unit": "s",
                          "hint": f"{name}, data and evaluation included", "verdict": ""})  # fmt: skip
    held = [r for r in (result["serving"] or {}).get("latency", []) if r["p99_ms"] is not None]
    if held:
        row = held[0]
        found.append({"name": "Latency, p99", "value": f"{row['p99_ms']:.1f}", "unit": "ms",
                      "hint": f"{row['workload']} at {row['rate_rps']:g} requests/s",
                      "verdict": said.get(f"latency of {row['workload']}", "")})  # fmt: skip
    return found


def _enumerate(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "nothing"
