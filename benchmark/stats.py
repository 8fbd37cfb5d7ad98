"""Statistics of the report and the gates. Pure functions on lists of numbers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from scipy import stats as scipy_stats

T = TypeVar("T")
# Below this number of samples a 99th percentile is not known at 99 % confidence to 1 %.
P99_SAMPLES = 662
# Below this number of pairs no verdict on speed is given.
LEAST_PAIRS = 8
# A difference is said to be one below this probability of being chance.
P_BOUND = 0.01


def alternating(kinds: Sequence[T], rounds: int) -> list[tuple[int, T]]:
    """(round, kind): every kind once a round, forwards and backwards in turn (ABBA).

    A drift of the machine's speed cancels within each pair of rounds.
    """
    return [(n, kind) for n in range(rounds) for kind in (kinds if n % 2 == 0 else reversed(kinds))]


def olympic_mean(values: Sequence[float]) -> float:
    """Mean without the lowest and the highest; of fewer than three values the plain mean."""
    kept = sorted(values)[1:-1] if len(values) >= 3 else list(values)
    return sum(kept) / len(kept)


def mean_interval(values: Sequence[float]) -> tuple[float, float | None, float | None]:
    """Mean with its 95 % Student interval, whose ends are None below three values."""
    mean = sum(values) / len(values)
    if len(values) < 3:
        return mean, None, None
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    reach = error * float(scipy_stats.t.ppf(0.975, len(values) - 1))
    return mean, mean - reach, mean + reach


def beats_target_p(values: Sequence[float], target: float, higher_is_better: bool) -> float | None:
    """One-sided p-value that the mean is better than `target` (t-test); None below three values.

    Equal values have no spread to test: p is 0 if they are better and 1 otherwise.
    """
    if len(values) < 3:
        return None
    if max(values) == min(values):
        better = values[0] > target if higher_is_better else values[0] < target
        return 0.0 if better else 1.0
    side = "greater" if higher_is_better else "less"
    return float(scipy_stats.ttest_1samp(values, target, alternative=side).pvalue)


def percentiles(values: Sequence[float]) -> dict[str, float | None]:
    """p50, p90, p95 and, from 662 values on, p99."""
    if not values:
        return {"p50": None, "p90": None, "p95": None, "p99": None}
    p50, p90, p95, p99 = (float(p) for p in np.percentile(values, [50, 90, 95, 99]))
    return {"p50": p50, "p90": p90, "p95": p95, "p99": p99 if len(values) >= P99_SAMPLES else None}


def ecdf(values: Sequence[float], points: int = 120) -> list[list[float]]:
    """[[value, fraction of values <= it], …], at most `points` of them, the last at 1."""
    ordered = sorted(values)
    count = len(ordered)
    wanted = sorted({max(1, round((i + 1) * count / points)) for i in range(points)}) if count else []
    return [[round(ordered[k - 1], 3), round(k / count, 5)] for k in wanted]


def poisson_schedule(rate: float, seconds: float, seed: int) -> list[float]:
    """Send times in seconds of Poisson arrivals at `rate` per second within [0, seconds)."""
    rng = np.random.default_rng(seed)
    count = int(rate * seconds + 10 * math.sqrt(rate * seconds) + 10)
    times = np.cumsum(rng.exponential(1 / rate, count))
    return [float(t) for t in times[times < seconds]]


def ratio_interval(baseline: Sequence[float], candidate: Sequence[float], seed: int = 0) -> dict[str, Any]:
    """Geometric-mean ratio candidate / baseline of paired runs, with a 95 % bootstrap interval."""
    logs = np.log(np.asarray(candidate) / np.asarray(baseline))
    rng = np.random.default_rng(seed)
    means = rng.choice(logs, (10_000, len(logs))).mean(axis=1)
    low, high = (float(math.exp(v)) for v in np.percentile(means, [2.5, 97.5]))
    return {"ratio": float(math.exp(logs.mean())), "low": low, "high": high, "pairs": len(logs)}


def sign_flip_p(logs: Sequence[float]) -> float:
    """Exact (to 16 pairs, else sampled) one-sided p-value that the mean of `logs` is below zero by chance."""
    values = np.asarray(logs, dtype=float)
    if len(values) <= 16:
        signs = np.array(list(itertools.product((1, -1), repeat=len(values))))
    else:
        signs = np.random.default_rng(0).choice((1, -1), (20_000, len(values)))
    return float(((signs * values).mean(axis=1) <= values.mean() + 1e-12).mean())


def gate(baseline: Sequence[float], candidate: Sequence[float], bound: float = 0.95) -> dict[str, Any]:
    """Verdict on paired throughputs: fail only if the whole interval lies below `bound` and p < 0.01."""
    interval = ratio_interval(baseline, candidate)
    p = sign_flip_p(np.log(np.asarray(candidate) / np.asarray(baseline)).tolist())
    if len(baseline) < LEAST_PAIRS:
        verdict = "inconclusive"
    elif interval["high"] < bound and p < P_BOUND:
        verdict = "fail"
    else:
        verdict = "pass" if interval["low"] >= bound else "inconclusive"
    return {**interval, "p": p, "bound": bound, "verdict": verdict}
