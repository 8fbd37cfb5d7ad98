"""Throughput and ratios of segments."""

from __future__ import annotations

import pytest

from benchmark.analysis import storage


def segment(*operations: tuple[float, float], faults: tuple[str, ...] = ()) -> dict[str, object]:
    return {"operations": operations, "faults": list(faults), "cpu_s": 0.5}


def test_an_operation_that_ends_later_counts_with_its_share() -> None:
    assert storage.throughput([(0.0, 1.0), (1.0, 3.0)], 100, 2.0) == pytest.approx(75.0)


def test_a_row_counts_faults_and_names_the_first() -> None:
    row = storage.row([segment((0.0, 1.0), faults=("refused",)), segment((0.0, 0.5))], 10**6, 1.0)
    assert (row["faults"], row["first_fault"], row["mb_s"]) == (1, "refused", [1.0, 1.0])
    assert row["client_cpus"] == 0.5


def test_a_ratio_has_the_pairs_of_both_ways() -> None:
    found = storage.ratio({"mb_s": [1.0, 1.0, 1.0]}, {"mb_s": [2.0, 2.0, 2.0]})
    assert found is not None
    assert (found["ratio"], found["pairs"]) == (pytest.approx(0.5), 3)


def test_there_is_no_ratio_where_nothing_moved() -> None:
    assert storage.ratio({"mb_s": [0.0, 1.0]}, {"mb_s": [2.0, 2.0]}) is None
