"""The driver of a Ray job without Ray: what it says when a training ends."""

from __future__ import annotations

from benchmark.training.ray_train import KEPT, reason

KILLED = (
    "TrainController: 2 worker(s) were killed due to the node running low on memory. Memory on the node "
    "(IP: 10.77.4.100, ID: e8c4694166dd) was 2.85GB used / 3.00GB limit (0.951102)\nTop 10 memory users: …"
)


def test_a_node_without_memory_is_named_with_the_field_to_change() -> None:
    text = reason(KILLED, {"10.77.4.100": "compute-node1"})
    assert "out of memory on compute-node1: 2.85GB of 3.00GB" in text
    assert "compute.nodes[].memory" in text


def test_an_unknown_node_keeps_its_address() -> None:
    assert "out of memory on 10.77.4.100:" in reason(KILLED, {})


def test_of_a_long_text_both_ends_are_kept() -> None:
    text = "begin" + "." * 3 * KEPT + "end"
    assert reason("short", {}) == "short"
    assert reason(text, {}).startswith("begin")
    assert reason(text, {}).endswith("end")
