"""Nodes that fail get no ranks, and a job is told so."""

from __future__ import annotations

import pytest

from operations.errors import RefusedError
from operations.jobs import gate, request
from operations.jobs.capacity import Need, Node
from operations.jobs.request import Request
from tests.unit.operations.nodes.test_judge import FULL, reading, verdict

BAD = {"compute-two": verdict(reading(disk=FULL))}
NODES = [Node("compute-one", {"CPU": 1.0}), Node("compute-two", {"CPU": 1.0})]


def test_the_others_remain() -> None:
    assert [node.name for node in gate.remaining(NODES, BAD)] == ["compute-one"]
    assert gate.remaining(NODES, {}) == NODES


def test_without_a_node_that_passes_nothing_is_submitted() -> None:
    with pytest.raises(RefusedError, match="WAIVE"):
        gate.remaining(NODES[1:], BAD)


def test_a_node_is_named_with_its_fault_and_the_fix() -> None:
    (line,) = gate.described(BAD)
    assert line.startswith("compute-two gets no ranks: disk: /tmp")
    assert "fix:" in line


def test_driver_and_ranks_are_kept_off_a_node() -> None:
    wanted = Request("demo", 2, Need(0.5), (), without=("compute-two", "compute-nine"))
    body = request.body(wanted, "train.py", "package.zip", {})
    assert body["entrypoint_label_selector"] == {"aidc/node": "!in(compute-nine,compute-two)"}
    assert "--without compute-two,compute-nine" in body["entrypoint"]


def test_a_job_for_all_nodes_selects_none() -> None:
    body = request.body(Request("demo", 2, Need(0.5), ()), "train.py", "package.zip", {})
    assert "entrypoint_label_selector" not in body
    assert "--without" not in body["entrypoint"]


def test_cpus_are_filled_in_without_losing_anything() -> None:
    wanted = Request("demo", 2, Need(0, 1, 5), ("a",), without=("compute-two",))
    assert wanted.with_cpus(0.5) == Request("demo", 2, Need(0.5, 1, 5), ("a",), without=("compute-two",))
