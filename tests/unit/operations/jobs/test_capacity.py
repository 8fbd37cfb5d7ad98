"""Whether a job fits: on empty nodes, beside what runs, with its driver."""

from __future__ import annotations

from typing import Any

import pytest

from operations.jobs.capacity import Need, Node, default_cpus, nodes, places, refusal, waits

GIB = 1 << 30


def node(
    name: str = "node1", cpus: float = 1, gpus: float = 0, memory: float = 2 * GIB, **used: float
) -> Node:
    return Node(name, {"CPU": cpus, "GPU": gpus, "memory": memory}, used)


TWO = [node("node1"), node("node2")]


def test_a_rank_that_no_node_can_hold_is_refused_with_what_the_nodes_have() -> None:
    why = refusal(1, Need(2), TWO)
    assert "not one would fit" in why
    assert "node1: 1 of 1 CPUs" in why


@pytest.mark.parametrize("need", [Need(0.5, gpus=1), Need(0.5, memory=3 * GIB)])
def test_gpus_and_memory_count_too(need: Need) -> None:
    assert refusal(1, need, TWO)


def test_what_fits_on_empty_nodes_is_not_refused_because_they_are_busy() -> None:
    assert refusal(2, Need(0.7), [node("node1", CPU=1), node("node2", CPU=1)]) == ""


def test_the_driver_of_several_ranks_needs_room_beside_them() -> None:
    assert refusal(2, Need(1), TWO)
    assert refusal(2, Need(0.9), TWO) == ""


def test_ranks_that_share_a_node_are_counted_by_what_is_shortest() -> None:
    big = node(cpus=8, gpus=2, memory=16 * GIB)
    assert places(Need(1, gpus=1), [big], driver=False, empty=True) == 2
    assert places(Need(1, memory=5 * GIB), [big], driver=False, empty=True) == 3


def test_a_job_that_can_start_waits_for_nothing() -> None:
    assert waits(2, Need(0.7), TWO) == ""


def test_a_job_that_has_to_wait_says_for_what_and_who_holds_it() -> None:
    busy = node("node1")
    busy.take({"CPU": 0.7}, "job other")
    why = waits(1, Need(0.7), [busy])
    assert (
        why
        == "0.7 CPUs: node1: 0.3 of 1 CPUs, 2,048 MiB of 2,048 MiB free; held by job other 0.7 CPUs on node1"
    )


def test_no_node_is_a_reason_of_its_own() -> None:
    assert refusal(1, Need(1), []) == "no compute node is there"


@pytest.mark.parametrize(
    ("ranks", "cpus", "expected"),
    [(1, 1, 0.7), (2, 1, 0.7), (3, 1, 0.3), (4, 1, 0.3), (2, 16, 1.0), (99, 1, 0.1)],
)
def test_by_default_all_ranks_fit_beside_what_serves(ranks: int, cpus: float, expected: float) -> None:
    found = [node("node1", cpus), node("node2", cpus)]
    assert default_cpus(ranks, found) == expected


def row(number: int, **more: Any) -> dict[str, Any]:
    total = {"CPU": 1.0, "memory": 4.0 * GIB, f"node:10.0.0.{number}": 1.0}
    return {
        "node_id": f"n{number}",
        "node_ip": f"10.0.0.{number}",
        "state": "ALIVE",
        "resources_total": total,
    } | more


def test_nodes_have_names_and_the_head_is_none_of_them() -> None:
    head = row(9, resources_total={"memory": 1.0})
    dead = row(8, state="DEAD")
    found = nodes([row(2), row(1), head, dead], [], [], {"10.0.0.1": "compute-node1"})
    assert [n.name for n in found] == ["10.0.0.2", "compute-node1"]


def test_what_actors_and_groups_hold_is_taken_once() -> None:
    held = {"CPU": 0.5}
    actors = [
        {"node_id": "n1", "state": "ALIVE", "required_resources": held, "class_name": "JobSupervisor",
         "name": "_ray_internal_job_actor_a"},
        {"node_id": "n1", "state": "DEAD", "required_resources": held, "class_name": "Gone"},
        {"node_id": "n1", "state": "ALIVE", "required_resources": held, "placement_group_id": "g"},
    ]  # fmt: skip
    groups = [
        {
            "state": "CREATED",
            "name": "aidc-job:b",
            "bundles": [{"node_id": "n1", "unit_resources": {"CPU": 0.25}}],
        },
        {"state": "PENDING", "name": "h", "bundles": [{"node_id": None, "unit_resources": {"CPU": 9}}]},
    ]
    (found,) = nodes([row(1)], actors, groups, {})
    assert found.free("CPU") == 0.25
    assert found.holders == ["job a 0.5 CPUs", "job b 0.25 CPUs"]
