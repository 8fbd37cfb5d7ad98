"""Ratios and verdicts of an efficiency comparison: pure functions of its raw runs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from benchmark import stats
from benchmark.verdict import text_of, verdict

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
        scaling["apart"] = judged(apart, 1.0 / scaling["ranks"], scaling["bound"])
    found["no_scaling"] = no_scaling(found)
    for key, kind in (("own", "ours"), ("adamw", "ours, adamw")):
        pairs = paired(speed["runs"], "plain", kind)
        if pairs:
            speed["ratios"][key] = judged(pairs, 1.0, speed["bound"])
    for key, kind in (("weak", "one, share"), ("strong", "one, whole")):
        pairs = paired(scaling["runs"], kind, "two")
        if pairs:
            row = judged(pairs, 1.0 / scaling["ranks"], scaling["bound"])
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


def judged(pairs: Sequence[tuple[float, float]], factor: float, bound: float) -> dict[str, Any]:
    """factor * candidate / baseline: pass if the whole interval reaches `bound`, fail if none of it does."""
    interval = stats.ratio_interval([a for a, _ in pairs], [b for _, b in pairs])
    row = {k: factor * interval[k] for k in ("ratio", "low", "high")}
    word = "inconclusive"
    if len(pairs) >= stats.LEAST_PAIRS and row["low"] >= bound:
        word = "pass"
    elif len(pairs) >= stats.LEAST_PAIRS and row["high"] < bound:
        word = "fail"
    return {**{k: round(v, 4) for k, v in row.items()}, "pairs": len(pairs), "verdict": word}


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
            actual = f"{row['ratio']:.3f}, 95 % interval {row['low']:.3f}–{row['high']:.3f}"
            actual += f", {row['pairs']} pairs"
            if key in ("weak", "strong") and found["no_scaling"]:
                actual += f", {found['no_scaling']}"
            outcome = {"pass": True, "fail": False}.get(row["verdict"])
            name = f"{NAMES[key]}, {found['workload']['name']}"
            verdicts.append(verdict(name, outcome, f"{what} ≥ {bound:g}", actual))
    return verdicts


def lines(found: dict[str, Any]) -> list[str]:
    text = []
    for part in ("speed", "scaling"):
        for kind in dict.fromkeys(run["kind"] for run in found[part]["runs"]):
            rates = [run["tokens_per_s"] for run in found[part]["runs"] if run["kind"] == kind]
            middle = sorted(rates)[len(rates) // 2]
            text.append(f"{kind:>12}  {middle:,.0f} tokens/s, median of {len(rates)} runs")
    return text + [text_of(row) for row in rows(found)]
