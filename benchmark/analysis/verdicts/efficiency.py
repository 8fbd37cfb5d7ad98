"""Ratios and verdicts of an efficiency comparison: pure functions of its raw runs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from benchmark.analysis.disturbance import busy, together
from benchmark.core import stats
from benchmark.core.verdict import OUTCOMES, text_of, verdict, word

Run = dict[str, Any]
NAMES = {
    "own": "speed against a plain loop, the workload's optimiser",
    "adamw": "speed against a plain loop, AdamW in both",
    "weak": "weak scaling",
    "strong": "strong scaling",
}


def summarise(found: dict[str, Any]) -> None:
    """Ratios and verdicts from the raw runs of complete rounds."""
    speed, scaling = found["speed"], found["scaling"]
    apart = paired(scaling["runs"], "one, share", "apart")
    if apart:
        scaling["apart"] = judged(apart, 1.0 / scaling["ranks"], scaling["bound"], scaling["runs"])
    found["no_scaling"] = no_scaling(found)
    for key, kind in (("own", "ours"), ("adamw", "ours, adamw")):
        pairs = paired(speed["runs"], "plain", kind)
        if pairs:
            speed["ratios"][key] = judged(pairs, 1.0, speed["bound"], speed["runs"])
    for key, kind in (("weak", "one, share"), ("strong", "one, whole")):
        pairs = paired(scaling["runs"], kind, "two")
        if pairs:
            row = judged(pairs, 1.0 / scaling["ranks"], scaling["bound"], scaling["runs"])
            word = "inconclusive" if found["no_scaling"] else row["verdict"]
            scaling["efficiencies"][key] = {**row, "verdict": word}


def too_few_gpus(found: dict[str, Any]) -> str:
    """Why ranks cannot even start here; empty if they can."""
    gpus, ranks = found["gpus"], found["scaling"]["ranks"]
    few = found["device"] == "cuda" and gpus < ranks
    return f"{gpus} GPU here, {ranks} ranks need one each" if few else ""


def no_scaling(found: dict[str, Any]) -> str:
    """Why these runs say nothing about scaling; empty if they do."""
    ranks, loads = found["scaling"]["ranks"], [run["load_1m"] for run in found["scaling"]["runs"]]
    if reason := too_few_gpus(found):
        return reason
    if ranks * found["threads"] > found["cores"]:
        return "functional only: the ranks share cores"
    apart = found["scaling"].get("apart")
    if apart and apart["verdict"] == "fail":
        return (
            f"the cores slow each other down, {ranks} copies that exchange nothing reach {apart['ratio']:.3f}"
        )
    # One rank meets other programs on its own core, two meet them on both.
    if loads and statistics.median(loads) > ranks * found["threads"] + 1:
        return f"other programs took the cores, load average {statistics.median(loads):.1f}"
    return ""


def paired(runs: Sequence[Run], baseline: str, candidate: str) -> list[tuple[float, float]]:
    """Tokens/s of both kinds in each round that has both."""
    rates: dict[int, dict[str, float]] = {}
    for run in runs:
        rates.setdefault(run["round"], {})[run["kind"]] = run["tokens_per_s"]
    return [(r[baseline], r[candidate]) for r in rates.values() if baseline in r and candidate in r]


def judged(
    pairs: Sequence[tuple[float, float]], factor: float, bound: float, runs: Sequence[Run] = ()
) -> dict[str, Any]:
    """factor * candidate / baseline: pass if the whole interval reaches `bound`, fail if none of it does.

    `runs`: all that were measured for it; a failure amid other programs is none.
    """
    interval = stats.ratio_interval([a for a, _ in pairs], [b for _, b in pairs])
    for key in ("ratio", "low", "high"):
        interval[key] = None if interval[key] is None else factor * interval[key]
    outcome = stats.judged(interval, bound)
    rounded = {k: None if interval[k] is None else round(interval[k], 4) for k in ("ratio", "low", "high")}
    reason = busy(together(run.get("host_load") for run in runs)) if outcome is False else ""
    verdict = "inconclusive" if reason else word(outcome)
    return {**rounded, "pairs": len(pairs), "verdict": verdict, "disturbed": reason}


def rows(found: dict[str, Any] | None) -> list[dict[str, str]]:
    """Verdicts, as the result's table has them."""
    if not found:
        return []
    tables = [(found["speed"]["ratios"], found["speed"]["bound"], "tokens/s : plain"),
              (found["scaling"]["efficiencies"], found["scaling"]["bound"],
               f"X_{found['scaling']['ranks']} / ({found['scaling']['ranks']} X_1)")]  # fmt: skip
    verdicts = []
    for table, bound, what in tables:
        for key, row in table.items():
            actual = f"{row['ratio']:.3f}"
            if row["low"] is not None:
                actual += f", 95 % interval {row['low']:.3f}–{row['high']:.3f}"
            actual += f", {row['pairs']} pairs, on {machine_of(found)}"
            if key in ("weak", "strong") and found["no_scaling"]:
                actual += f", {found['no_scaling']}"
            if row.get("disturbed"):
                actual += f", {row['disturbed']}"
            outcome = OUTCOMES[row["verdict"]]
            name = f"{NAMES[key]}, {found['workload']['name']}"
            verdicts.append(verdict(name, outcome, f"{what} ≥ {bound:g}", actual))
    return verdicts


def machine_of(found: dict[str, Any]) -> str:
    """What the ratios depend on: processor or GPU, and the instructions that PyTorch uses of a processor."""
    host = found["environment"]["host"]
    if found["device"] == "cuda":
        return str(host["gpu"])
    return f"{host['cpu_model']} ({host['isa']})"


def lines(found: dict[str, Any]) -> list[str]:
    text = [f"{'machine':>12}  {machine_of(found)}, {found['cores']} cores"]
    for part in ("speed", "scaling"):
        for kind in dict.fromkeys(run["kind"] for run in found[part]["runs"]):
            rates = [run["tokens_per_s"] for run in found[part]["runs"] if run["kind"] == kind]
            middle = sorted(rates)[len(rates) // 2]
            text.append(f"{kind:>12}  {middle:,.0f} tokens/s, median of {len(rates)} runs")
    return text + [text_of(row) for row in rows(found)]
