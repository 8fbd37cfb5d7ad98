"""Statistics of the report and the gates. Pure functions on lists of numbers.

`scipy.stats` takes half a second to import, so it is loaded by the first function that needs it: scipy
imports its parts on access.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import scipy

from benchmark.core.verdict import word

T = TypeVar("T")
# A 99th percentile is reported from this number of answers on: if it lay at the bound, at most one late
# answer would be seen in fewer than one measurement of a hundred, P(X ≤ 1 | 662, 1 %) = 0.0099.
P99_SAMPLES = 662
# The share of answers that may lie above a 99th percentile.
P99_SHARE = 0.01
# Of all intervals. Each end is missed half as often as this leaves over: 2.5 %.
CONFIDENCE = 0.95
# Below this number of pairs no verdict on speed is given.
LEAST_PAIRS = 8
# Below this number of values their spread is unknown: no interval, no p-value, no verdict.
LEAST_VALUES = 3
# A difference counts as real below this probability of being chance.
P_BOUND = 0.01


def alternating(kinds: Sequence[T], rounds: int) -> list[tuple[int, T]]:
    """(round, kind): every kind once per round, forwards and backwards in turn (ABBA).

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
    if len(values) < LEAST_VALUES:
        return mean, None, None
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    reach = error * float(scipy.stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1))
    return mean, mean - reach, mean + reach


def at_most(share: float, missed: int, count: int) -> bool | None:
    """Whether at most `share` of all requests miss, given that `missed` of `count` did; None if inconclusive.

    By the exact (Clopper-Pearson) 95 % interval: a service that misses exactly `share` is judged to hold it
    in at most 2.5 % of the measurements, and to break it in at most 2.5 %. Misses are taken as independent;
    where a queue has built up they come in bursts, which makes both errors somewhat more frequent.
    """
    if not count:
        return None
    interval = scipy.stats.binomtest(missed, count).proportion_ci(CONFIDENCE, method="exact")
    return True if interval.high <= share else False if interval.low > share else None


def beats_target_p(values: Sequence[float], target: float, higher_is_better: bool) -> float | None:
    """One-sided p-value that the mean is better than `target` (t-test); None below three values.

    Equal values have no spread to test: p is 0 if they are better and 1 otherwise.
    """
    if len(values) < LEAST_VALUES:
        return None
    if max(values) == min(values):
        better = values[0] > target if higher_is_better else values[0] < target
        return 0.0 if better else 1.0
    side = "greater" if higher_is_better else "less"
    return float(scipy.stats.ttest_1samp(values, target, alternative=side).pvalue)


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


def ratio_interval(baseline: Sequence[float], candidate: Sequence[float]) -> dict[str, Any]:
    """Geometric mean of candidate / baseline over paired runs, with a 95 % interval.

    Student's t on the logarithms: a percentile bootstrap of eight pairs covers the true ratio only nine
    times out of ten. The ends are None below three pairs.
    """
    logs = np.log(np.asarray(candidate, dtype=float) / np.asarray(baseline, dtype=float))
    mean, low, high = mean_interval(logs.tolist())
    ends = {"low": low, "high": high}
    return {"ratio": math.exp(mean), **{k: None if v is None else math.exp(v) for k, v in ends.items()},
            "pairs": len(logs)}  # fmt: skip


def judged(interval: dict[str, Any], bound: float) -> bool | None:
    """Whether a ratio reaches `bound`: only if its whole interval does, or none of it, from enough pairs."""
    low, high = interval["low"], interval["high"]
    if interval["pairs"] < LEAST_PAIRS or low is None or high is None:
        return None
    return True if low >= bound else False if high < bound else None


def sign_flip_p(logs: Sequence[float]) -> float:
    """One-sided p-value that the mean of `logs` is below zero by chance; exact up to 16 pairs, else sampled.

    1 for a single pair, which shows nothing.
    """
    if len(logs) < 2:
        return 1.0
    test = scipy.stats.permutation_test(
        (np.asarray(logs, dtype=float),),
        np.mean,
        permutation_type="samples",
        alternative="less",
        n_resamples=2**16,
        vectorized=True,
        rng=0,
    )
    return float(test.pvalue)


def gate(baseline: Sequence[float], candidate: Sequence[float], bound: float = 0.95) -> dict[str, Any]:
    """Verdict on paired throughputs: fail only if the whole interval lies below `bound` and p < 0.01."""
    interval = ratio_interval(baseline, candidate)
    p = sign_flip_p(np.log(np.asarray(candidate) / np.asarray(baseline)).tolist())
    outcome = judged(interval, bound)
    if outcome is False and p >= P_BOUND:
        outcome = None
    return {**interval, "p": p, "bound": bound, "verdict": word(outcome)}
