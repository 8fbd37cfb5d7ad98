"""Verdicts on nodes from made-up figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from operations.nodes import judge, speed
from operations.nodes.judge import Reading
from operations.nodes_document import NodeRecord

AT = "2026-11-28T12:00:00+00:00"
MIB, GIB = 1 << 20, 1 << 30


def said(speed: float = 80.0, **changes: Any) -> dict[str, Any]:
    return {
        "time": 0.0,
        "answer": "",
        "disk": {"/tmp": {"total": GIB, "free": GIB}, "/": {"total": 100 * GIB, "free": 50 * GIB}},
        "memory": {"limit": 4 * GIB, "used": GIB, "host_available": 8 * GIB},
        "thermal": {"thermal_zone0 cpu": {"now": 50.0, "critical": 100.0}},
        "cpu": {"model": "Zen", "gflops": speed, "others": 0.0},
        **changes,
    }


def reading(node: str = "one", speed: float = 80.0, **changes: Any) -> Reading:
    return Reading(node, said(speed, **changes))


def verdict(
    of: Reading, *peers: Reading, past: NodeRecord | None = None, host: float | None = None
) -> NodeRecord:
    core = {"Zen": host} if host else {}
    return judge.verdicts([of, *peers], {of.node: past} if past else {}, AT, core)[of.node]


def past(*speeds: float, **changes: Any) -> NodeRecord:
    fields: dict[str, Any] = {
        "node": "one", "verdict": "pass", "at": AT, "faults": [], "not_checked": {}, "speed": {},
        "waiver": None, "history": {"core of Zen": list(speeds)},
    }  # fmt: skip
    return NodeRecord(**{**fields, **changes})


GPU = {
    "uuid": "GPU-1", "name": "NVIDIA H200", "temperature": 60, "slowed": False, "ecc_errors": 0,
    "gflops": 500_000.0,
}  # fmt: skip


def test_a_healthy_node_passes_and_its_speed_is_kept() -> None:
    found = verdict(reading(speed=81.0), past=past(80.0))
    assert (found.verdict, found.faults) == ("pass", [])
    assert found.history == {"core of Zen": [80.0, 81.0]}


@pytest.mark.parametrize(
    ("changes", "check", "words"),
    [
        ({"answer": "HTTP 503"}, "answer", "HTTP 503"),
        ({"disk": {"/tmp": {"total": GIB, "free": MIB}}}, "disk", "/tmp: 1 MiB of 1,024 MiB"),
        ({"disk": {"/": {"total": GIB, "free": MIB}}}, "disk", "/: 1 MiB"),
        ({"memory": {"limit": GIB, "used": GIB - MIB, "host_available": GIB}}, "memory", "95%"),
        ({"memory": {"limit": None, "used": None, "host_available": MIB}}, "memory", "its machine has 1 MiB"),
        ({"thermal": {"zone": {"now": 96.0, "critical": 100.0}}}, "thermal", "96 °C"),
    ],
)
def test_each_fault_is_named_with_its_figures_and_a_fix(
    changes: dict[str, Any], check: str, words: str
) -> None:
    found = verdict(reading(**changes))
    assert [fault.check for fault in found.faults] == [check]
    assert words in found.faults[0].found
    assert found.faults[0].fix
    assert found.verdict == "fail"


def test_all_faults_are_named_at_once() -> None:
    found = verdict(reading(answer="HTTP 503", disk={"/tmp": {"total": GIB, "free": 0}}))
    assert [fault.check for fault in found.faults] == ["answer", "disk"]


def test_a_node_that_does_not_answer_fails() -> None:
    found = verdict(Reading("one", None, "the container is paused"))
    assert [(fault.check, fault.found) for fault in found.faults] == [("answer", "the container is paused")]


@pytest.mark.parametrize(
    ("offset", "doubt", "passes"), [(4.9, 0, True), (6.0, 0.5, False), (-9.0, 5.0, True)]
)
def test_a_clock_may_be_off_by_five_seconds_beyond_what_is_unsure(
    offset: float, doubt: float, passes: bool
) -> None:
    found = verdict(replace(reading(), offset_s=offset, doubt_s=doubt))
    assert (found.verdict == "pass") == passes


@pytest.mark.parametrize(
    ("gpus", "fault", "check"),
    [
        ([GPU], "", None),
        ([], "", "gpu"),
        ([GPU], "nvidia-smi: no devices", "gpu"),
        ([{**GPU, "ecc_errors": 3}], "", "gpu"),
        ([{**GPU, "slowed": True}], "", "thermal"),
    ],
)
def test_gpus_are_looked_at_where_the_node_has_some(
    gpus: list[dict[str, Any]], fault: str, check: str | None
) -> None:
    found = verdict(replace(reading(gpus=gpus, gpu_fault=fault), gpus=1))
    assert [f.check for f in found.faults] == ([check] if check else [])


def test_what_a_node_does_not_have_is_said_to_be_unchecked() -> None:
    found = verdict(reading(thermal={}))
    assert set(found.not_checked) == {"thermal", "gpu"}


def test_slower_than_its_past_and_its_peers_is_a_fault() -> None:
    found = verdict(reading(speed=20.0), reading("two"), reading("three"), past=past(*[80.0] * 5))
    assert [fault.check for fault in found.faults] == ["speed"]
    assert (
        "20.0 GFLOP/s against 80.0 of its own earlier passes and 80.0 of its peers" in found.faults[0].found
    )
    assert found.history["core of Zen"] == [80.0] * 5, "a slow reading must not become the measure"


def test_a_machine_on_which_all_are_slow_leaves_no_node_out() -> None:
    slow = [reading(name, speed=20.0) for name in ("one", "two", "three")]
    assert verdict(*slow, past=past(*[80.0] * 5)).verdict == "pass"


def test_a_node_that_always_was_slower_than_its_peers_passes() -> None:
    assert verdict(reading(speed=20.0), reading("two"), past=past(*[21.0] * 5)).verdict == "pass"


def test_without_a_past_the_peers_of_its_kind_decide() -> None:
    assert verdict(reading(speed=20.0), reading("two"), reading("three")).verdict == "fail"
    neoverse = said(cpu={"model": "Neoverse", "gflops": 80.0, "others": 0.0})
    assert (
        verdict(reading(speed=20.0), Reading("two", neoverse), Reading("three", neoverse)).verdict == "pass"
    )


def test_of_two_without_a_past_neither_is_left_out_and_both_say_why() -> None:
    for own, other in ((20.0, 80.0), (80.0, 20.0)):
        found = verdict(reading(speed=own), reading("two", other))
        assert found.verdict == "pass"
        assert "nothing says which" in found.not_checked["speed"]
        assert found.history == {}


@pytest.mark.parametrize(("slow", "fast"), [(20.0, 80.0), (80.0, 240.0), (80.0, 8e6)])
def test_of_two_that_differ_this_machines_own_core_decides(slow: float, fast: float) -> None:
    found = judge.verdicts([reading("one", slow), reading("two", fast)], {}, AT, {"Zen": 80.0})
    assert {name: node.verdict for name, node in found.items()} == (
        {"one": "fail", "two": "pass"} if slow == 20.0 else {"one": "pass", "two": "fail"}
    )


def test_a_speed_that_no_such_core_has_is_named_and_does_not_become_the_measure() -> None:
    found = verdict(reading(speed=240.0), reading("two"), host=80.0)
    assert [fault.check for fault in found.faults] == ["speed"]
    assert "240.0 GFLOP/s are not plausible; the most is 200.0 by this machine's" in found.faults[0].found
    assert found.history == {}


def test_a_node_that_is_far_faster_than_it_was_is_not_believed() -> None:
    found = judge.verdicts([reading(speed=240.0), reading("two")], {"one": past(*[80.0] * 5)}, AT)
    assert (found["one"].verdict, found["two"].verdict) == ("fail", "pass")
    assert "by its own earlier passes" in found["one"].faults[0].found


def test_a_gpu_that_is_faster_than_its_kind_can_be_is_not_believed() -> None:
    liar = replace(reading("two", gpus=[{**GPU, "uuid": "GPU-2", "gflops": 1.5e6}], gpu_fault=""), gpus=1)
    honest = replace(reading(gpus=[GPU], gpu_fault=""), gpus=1)
    found = judge.verdicts([honest, liar], {}, AT)
    assert (found["one"].verdict, found["two"].verdict) == ("pass", "fail")


def test_one_of_three_that_lies_makes_no_other_slow() -> None:
    readings = [reading("one"), reading("two"), reading("three", 8e6)]
    found = judge.verdicts(readings, {}, AT)
    assert [found[name].verdict for name in ("one", "two")] == ["pass", "pass"]


@pytest.mark.parametrize(("speeds", "differ"), [((80, 80), False), ((80, 33), False), ((80, 31), True)])
def test_a_third_is_asked_for_where_two_of_a_kind_differ_too_much(
    speeds: tuple[float, float], differ: bool
) -> None:
    assert speed.apart(reading(speed=rate).speeds() for rate in speeds) == differ


def test_a_node_that_is_alone_is_compared_with_its_past_once_there_is_enough_of_it() -> None:
    assert verdict(reading(speed=20.0), past=past(*[80.0] * 4)).verdict == "pass"
    assert verdict(reading(speed=20.0), past=past(*[80.0] * 5)).verdict == "fail"


def test_a_slow_gpu_is_found_among_its_peers() -> None:
    slow = replace(reading(gpus=[{**GPU, "gflops": 100_000.0}], gpu_fault=""), gpus=1)
    fast = replace(reading("two", gpus=[{**GPU, "uuid": "GPU-2"}], gpu_fault=""), gpus=1)
    assert "H200 GPU-1" in verdict(slow, fast).faults[0].found


def test_a_busy_node_is_not_judged_by_its_speed() -> None:
    busy = reading(cpu={"model": "Zen", "gflops": 10.0, "others": 0.9})
    found = verdict(busy, reading("two"), past=past(*[80.0] * 5))
    assert (found.verdict, "speed" in found.not_checked) == ("pass", True)
    assert found.history["core of Zen"] == [80.0] * 5


def test_the_history_keeps_the_newest() -> None:
    found = verdict(reading(speed=81.0), past=past(*[80.0] * speed.HISTORY_MOST))
    assert found.history["core of Zen"] == [80.0] * (speed.HISTORY_MOST - 1) + [81.0]


FULL = {"/tmp": {"total": GIB, "free": 0}}


def test_a_waiver_covers_what_was_wrong_then_and_nothing_else() -> None:
    waived = judge.waived(verdict(reading(disk=FULL)), "it is emptied tonight")
    assert (waived.verdict, waived.waiver) == ("waived", "it is emptied tonight")
    assert verdict(reading(disk=FULL), past=waived).verdict == "waived"
    assert verdict(reading(disk=FULL, answer="HTTP 503"), past=waived).verdict == "fail"


def test_a_waiver_ends_when_the_node_passes() -> None:
    waived = judge.waived(verdict(reading(disk=FULL)), "it is emptied tonight")
    well = verdict(reading(), past=waived)
    assert (well.verdict, well.waiver) == ("pass", None)
    assert verdict(reading(disk=FULL), past=well).verdict == "fail"
