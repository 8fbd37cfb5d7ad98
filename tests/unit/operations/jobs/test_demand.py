"""What a job that runs waits for, as it has itself asked Ray for more than any node has free."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark.jobs.ranks import GROUP
from operations.jobs import demand
from operations.jobs.capacity import Node

NODES = [
    Node("node1", {"CPU": 1.0}, {"CPU": 0.7}, ["job data 0.7 CPUs"]),
    Node("node2", {"CPU": 2.0, "GPU": 1.0}, {"CPU": 1.5}),
]


def task(cpus: float, **more: Any) -> dict[str, Any]:
    return {"name": "ReadCSV", "required_resources": {"CPU": cpus}, "placement_group_id": None, **more}


def test_a_task_that_fits_nowhere_is_named_with_what_the_nodes_have_and_the_fix() -> None:
    told = demand.waits([task(0.5), task(1.0)], NODES)
    assert told.startswith("1 CPU for ReadCSV: node1: 0.3 of 1 CPUs free; node2: 0.5 of 2 CPUs")
    assert "held by job data 0.7 CPUs on node1" in told
    assert "fix: have it ask for less, as num_cpus=0.1" in told


@pytest.mark.parametrize(
    "row",
    [
        task(0.5),
        task(9, placement_group_id="ab"),  # it has its place in a group
        task(9, name=f"{GROUP}demo"),  # said by the driver
        {"name": "x"},
        {"name": "g", "placement_group_id": "ab", "bundles": [{"unit_resources": {"CPU": 0.5}}] * 9},
        {"name": "g", "placement_group_id": "ab", "bundles": None},
    ],
)
def test_what_fits_or_is_told_elsewhere_is_not_told(row: dict[str, Any]) -> None:
    assert demand.waits([row], NODES) == ""


def test_each_part_of_a_group_needs_a_node() -> None:
    group = {"name": "", "placement_group_id": "ab", "bundles": [{"unit_resources": {"CPU": 1.0}}]}
    assert demand.waits([group], NODES).startswith("1 CPU: node1")


def test_the_name_of_a_task_steers_no_terminal() -> None:
    assert "\x1b" not in demand.waits([task(9, name="\x1b[2J\n" * 99)], NODES)
