"""The load of the host: what others took, and what it does to a verdict."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmark.analysis import disturbance
from benchmark.cluster import engine, hostload
from benchmark.core.errors import StackError

TICKS = os.sysconf("SC_CLK_TCK")


def proc(root: Path, busy_s: float, own_s: float, others_s: float = 0.0, forwarder_s: float = 0.0) -> Path:
    """A played /proc: this process with a child, an init with a stranger, a port forwarder."""
    root.mkdir(exist_ok=True)
    user, system, steal = (round(share * busy_s * TICKS) for share in (0.5, 0.25, 0.25))
    (root / "stat").write_text(f"cpu  {user} 0 {system} 999 5 77 88 {steal} 0 0\ncpu0 1 2 3\n")
    rows = [(1, 0, "init", 0.0), (os.getpid(), 1, "py (th) on", own_s / 2),
            (77, os.getpid(), "rank", own_s / 2), (88, 1, "stranger", others_s),
            (99, 1, "docker-proxy", forwarder_s)]  # fmt: skip
    for pid, parent, name, seconds in rows:
        (root / str(pid)).mkdir(exist_ok=True)
        ticks = round(seconds * TICKS)
        rest = f"S {parent} 0 0 0 0 0 0 0 0 0 {ticks // 2} {ticks - ticks // 2} 0 0 20 0 1 0 1"
        (root / str(pid) / "stat").write_text(f"{pid} ({name}) {rest}\n")
    return root


def measured(root: Path, monkeypatch: pytest.MonkeyPatch, **after: float) -> dict[str, Any]:
    clock = [100.0]
    monkeypatch.setattr("benchmark.cluster.hostload.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("benchmark.cluster.hostload.os.cpu_count", lambda: 2)
    with hostload.HostLoad(proc=proc(root, busy_s=50, own_s=20)) as load:
        clock[0] += 10
        proc(root, **{"busy_s": 50, "own_s": 20, **after})
    return load.record


@pytest.mark.parametrize(
    ("after", "share"),
    [
        ({"busy_s": 60, "own_s": 30}, 0.0),  # all of it was ours
        ({"busy_s": 64, "own_s": 30, "others_s": 4}, 0.2),  # 4 s of 2 processors over 10 s
        ({"busy_s": 54, "forwarder_s": 4}, 0.0),  # requests pass through the engine's forwarders
        ({"busy_s": 50, "own_s": 21}, 0.0),  # clocks differ a little: never below nothing
    ],
)
def test_what_others_took_is_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: dict[str, float], share: float
) -> None:
    record = measured(tmp_path / "proc", monkeypatch, **after)
    assert record["others_share"] == pytest.approx(share, abs=0.002)
    assert (record["seconds"], record["cores"], record["not_measured"]) == (10.0, 2, {})


def test_containers_that_cannot_be_asked_leave_the_load_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(names: object) -> list[int]:
        raise StackError("the engine cannot be asked: no such socket")

    monkeypatch.setattr(engine, "pids", refuse)
    with hostload.HostLoad(["aidc-dev-compute-node1"]) as load:
        pass
    assert load.record["others_share"] is None
    assert "no such socket" in load.record["not_measured"]["others_share"]
    assert disturbance.busy(load.record) == ""


def test_a_container_that_was_started_again_leaves_the_load_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its counter begins anew, and what it did before would count as others' work."""
    path = tmp_path / "cpu.stat"
    path.write_text("usage_usec 9000000\n")
    monkeypatch.setattr(engine, "pids", lambda names: [1])
    monkeypatch.setattr(hostload, "counter", lambda pid, proc: path)
    with hostload.HostLoad(["node1"]) as load:
        path.write_text("usage_usec 1000\n")
    assert load.record["others_share"] is None
    assert "was started again" in load.record["not_measured"]["others_share"]


@pytest.mark.parametrize(
    ("groups", "file"),
    [
        ("0::/system.slice/docker-1.scope\n", "system.slice/docker-1.scope/cpu.stat"),
        ("3:cpu,cpuacct:/docker/1\n1:name=systemd:/\n0::/\n", "cpuacct/docker/1/cpuacct.usage"),
    ],
)
def test_a_container_is_counted_by_its_control_group(tmp_path: Path, groups: str, file: str) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cgroup").write_text(groups)
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    content = "usage_usec 2500000\nuser_usec 1\n" if path.name == "cpu.stat" else "2500000000\n"
    path.write_text(content)
    assert hostload.counter(7, tmp_path, tmp_path) == path
    assert hostload.used_s(path) == 2.5


def test_work_of_this_program_and_its_dead_children_is_its_own() -> None:
    before = hostload.processes_s(Path("/proc"))
    program = "import time\nwhile time.process_time() < 0.5: pass"
    subprocess.run([sys.executable, "-c", program], check=True)
    assert hostload.processes_s(Path("/proc")) - before >= 0.45


@pytest.mark.parametrize(
    ("outcome", "share", "expected"),
    [(False, 0.5, None), (False, 0.05, False), (True, 0.5, True), (None, 0.5, None), (False, None, False)],
)
def test_only_a_failure_is_excused_by_a_busy_host(
    outcome: bool | None, share: float | None, expected: bool | None
) -> None:
    found, text = disturbance.excused(outcome, "slow", {"seconds": 1.0, "others_share": share})
    assert found is expected
    assert text == ("slow; other programs took 50 % of the processors" if found is not outcome else "slow")


def test_loads_of_several_measurements_count_by_their_length() -> None:
    loads = [{"seconds": 30.0, "others_share": 0.0}, {"seconds": 10.0, "others_share": 0.4}, None,
             {"seconds": 99.0, "others_share": None}]  # fmt: skip
    assert disturbance.together(loads)["others_share"] == pytest.approx(0.1)
    assert disturbance.together([None])["others_share"] is None
