"""What a node says of itself, read from made-up files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmark.core import placement
from benchmark.telemetry import node_check
from components import compute


def test_the_check_runs_on_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert node_check.main(["--seconds", "0"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["cpu"]["gflops"] > 0
    assert found["disk"]["/"]["total"] > found["disk"]["/"]["free"] > 0
    assert "no answer" in found["answer"]
    assert "gpus" not in found


def test_memory_is_without_file_cache_in_both_versions_of_control_groups(tmp_path: Path) -> None:
    host = tmp_path / "meminfo"
    host.write_text("MemTotal: 9 kB\nMemAvailable: 4 kB\n")
    two, one = tmp_path / "two", tmp_path / "one"
    for path, text in ((two / "memory.max", "1000\n"), (two / "memory.current", "700\n"),
                       (two / "memory.stat", "anon 1\ninactive_file 200\n"),
                       (one / "memory/memory.limit_in_bytes", "1000\n"),
                       (one / "memory/memory.usage_in_bytes", "700\n"),
                       (one / "memory/memory.stat", "total_inactive_file 200\n")):  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for root in (one, two):
        assert node_check.memory(root, host) == {"limit": 1000, "used": 500, "host_available": 4096}
    assert node_check.memory(tmp_path / "none", host)["used"] is None


def test_temperatures_come_with_the_critical_one_and_unreadable_zones_are_left_out(tmp_path: Path) -> None:
    zone = tmp_path / "thermal_zone0"
    zone.mkdir()
    for name, text in {"type": "cpu", "temp": "61500", "trip_point_0_type": "passive",
                       "trip_point_0_temp": "80000", "trip_point_1_type": "critical",
                       "trip_point_1_temp": "100000"}.items():  # fmt: skip
        (zone / name).write_text(f"{text}\n")
    (tmp_path / "thermal_zone1").mkdir()
    assert node_check.temperatures(tmp_path) == {"thermal_zone0 cpu": {"now": 61.5, "critical": 100.0}}


def test_rows_of_nvidia_smi_are_read_with_what_a_gpu_does_not_tell() -> None:
    first, second = node_check.listed(
        "GPU-1, H100, 61, Not Active, Active, 2\nGPU-2, T4, 40, Not Active, Not Active, [N/A]\n"
    )
    assert (first["temperature"], first["slowed"], first["ecc_errors"]) == (61, True, 2)
    assert (second["slowed"], second["ecc_errors"]) == (False, None)


def test_a_missing_nvidia_smi_is_a_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found, fault = node_check.gpus(0)
    assert found == []
    assert fault.startswith("nvidia-smi: ")


def test_the_label_that_jobs_select_by_is_the_one_that_nodes_carry() -> None:
    assert placement.LABEL == compute.NODE_LABEL


def test_nothing_is_selected_where_no_node_is_left_out() -> None:
    assert placement.selector(()) == {}
    assert placement.selector(placement.names("b,a")) == {placement.LABEL: "!in(a,b)"}
