"""Scaling under load without a stack: what is seen meanwhile, what is judged and drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmark.analysis.verdicts import serving as serving_verdicts
from benchmark.experiments import autoscale
from benchmark.report.sections import stress as stress_section


def scaled(*counts: int, failed: int = 0, answered: int = 900) -> dict[str, Any]:
    seen = [[10.0 * i, n] for i, n in enumerate(counts)]
    return {"workload": "mlp", "clients": 40, "limits": {"min_replicas": 2, "max_replicas": 4},
            "replicas": seen, **autoscale.summary(seen, 2), "answered": answered, "failed": failed,
            "failures": []}  # fmt: skip


def counting(counts: Iterable[int]) -> Callable[[], int]:
    numbers = iter(counts)
    return lambda: next(numbers)


def test_watching_ends_when_the_most_have_run_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autoscale, "ASK_S", 0.01)
    seen = autoscale.watch(counting([2, 2, 3, *[4] * 1000]), maximum=4, longest_s=30, settled_s=0.05)
    assert [n for _, n in seen[:4]] == [2, 2, 3, 4]
    assert len(seen) < 20


def test_watching_ends_without_the_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autoscale, "ASK_S", 0.01)
    assert {n for _, n in autoscale.watch(lambda: 2, maximum=4, longest_s=0.1)} == {2}


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (scaled(2, 3, 4, 4), "pass"),
        (scaled(2, 3, 3), "fail"),  # not up to the most
        (scaled(2, 4, 5), "fail"),  # beyond it
        (scaled(2, 1, 4), "fail"),  # one was lost
        (scaled(2, 3, 4, failed=1), "fail"),
        (scaled(2, 3, 4, answered=299), "inconclusive"),
        ({**scaled(2, 3, 3), "host_load": {"seconds": 90.0, "others_share": 0.3}}, "inconclusive"),
    ],
)
def test_replicas_must_rise_to_the_most_within_the_limits(found: dict[str, Any], word: str) -> None:
    (row,) = serving_verdicts.rows({"autoscale": found})
    assert row["verdict"] == word


def test_it_says_when_they_rose() -> None:
    (row,) = serving_verdicts.rows({"autoscale": scaled(2, 2, 3, 4)})
    assert "2 to 4 replicas, the first more after 20 s, the most after 30 s; 0 of 900 failed" in row["actual"]


def test_it_is_drawn(complete: dict[str, Any]) -> None:
    complete["serving"]["autoscale"] = scaled(2, 3, 4)
    stress = stress_section.section(complete)
    assert stress
    assert ElementTree.fromstring(stress["scaled"]["svg"]).tag.endswith("svg")
