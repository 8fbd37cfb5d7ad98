"""Counters: which ones are taken, which ones would count twice, and what an absent one says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from benchmark.telemetry import counters
from benchmark.telemetry.counters import Domain, NotMeasured
from tests.unit.benchmark.fakes import FakeNvml

ZONES = {
    "intel-rapl": "",  # the control type itself
    "intel-rapl:0": "package-0",
    "intel-rapl:0:0": "core",
    "intel-rapl:0:1": "dram",
    "intel-rapl:1": "psys",
    "intel-rapl:10": "package-1",
    "intel-rapl-mmio:0": "package-0",
}


@pytest.fixture
def boot(tmp_path: Path) -> Path:
    path = tmp_path / "boot_id"
    path.write_text("machine\n")
    return path


@pytest.fixture
def powercap(tmp_path: Path) -> Path:
    root = tmp_path / "powercap"
    for folder, name in ZONES.items():
        (root / folder).mkdir(parents=True)
        if name:
            (root / folder / "name").write_text(name + "\n")
            (root / folder / "energy_uj").write_text("1500000\n")
            (root / folder / "max_energy_range_uj").write_text("262143328850\n")
    return root


def test_packages_and_their_memory_are_taken_and_nothing_twice(powercap: Path, boot: Path) -> None:
    assert [(d.name, d.key) for d in counters.rapl(powercap, boot)] == [
        ("package-0", "machine/intel-rapl:0"),
        ("package-0 dram", "machine/intel-rapl:0:1"),
        ("package-1", "machine/intel-rapl:10"),
    ]


def test_units_are_joules(powercap: Path, boot: Path) -> None:
    domain = counters.rapl(powercap, boot)[0]
    assert (domain.source, domain.read(), domain.wraps_at_j) == ("RAPL", 1.5, 262143.32885)


def test_a_machine_without_counters_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotMeasured, match="no RAPL energy counter"):
        counters.rapl(tmp_path / "absent")


def test_one_counter_that_cannot_be_read_leaves_none(powercap: Path, boot: Path) -> None:
    (powercap / "intel-rapl:10" / "energy_uj").write_text("")
    with pytest.raises(NotMeasured, match=r"intel-rapl:10/energy_uj cannot be read"):
        counters.rapl(powercap, boot)


def test_a_counter_for_root_only_says_so(powercap: Path, boot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = Path.read_text

    def refused(path: Path, *arguments: Any, **more: Any) -> str:
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied")
        return right(path, *arguments, **more)

    monkeypatch.setattr(Path, "read_text", refused)
    with pytest.raises(NotMeasured, match="may be read by root only"):
        counters.rapl(powercap, boot)


def test_machines_that_cannot_be_told_apart_are_not_counted(powercap: Path, tmp_path: Path) -> None:
    with pytest.raises(NotMeasured, match="count it twice"):
        counters.rapl(powercap, tmp_path / "absent")


def test_a_gpu_that_counts() -> None:
    domain = counters.nvml_domain(FakeNvml(), "handle")
    assert (domain.source, domain.name, domain.key, domain.counts) == ("NVML", "GPU H100", "GPU-1", True)
    assert (domain.read(), domain.wraps_at_j) == (5.0, None)


def test_a_gpu_that_only_tells_its_power() -> None:
    domain = counters.nvml_domain(FakeNvml(counts=False), "handle")
    assert (domain.read(), domain.counts) == (80.0, False)


def test_nvml_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(NotMeasured, match="nvidia-ml-py is not installed"):
        counters.load_nvml()


def test_nvml_without_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml(present=False))
    with pytest.raises(NotMeasured, match="NVML: Driver Not Loaded"):
        counters.load_nvml()


def test_the_gpu_of_a_rank_is_found_by_its_uuid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml())
    monkeypatch.setattr(counters, "uuid_of", {"cuda:0": "GPU-1", "cuda:1": "GPU-2"}.get)
    assert counters.this_gpu("cuda:0").key == "GPU-1"
    with pytest.raises(NotMeasured, match="NVML: GPU-2: Not Found"):
        counters.this_gpu("cuda:1")


class TestChoice:
    GPU = Domain("NVML", "GPU H100", "GPU-1", lambda: 1.0)

    def test_a_processor_is_measured_by_rapl(self, powercap: Path) -> None:
        assert {d.source for d in counters.find("cpu", powercap)} == {"RAPL"}

    def test_a_gpu_comes_with_the_processor_where_that_can_be_read(self, powercap: Path) -> None:
        found = counters.find("cuda:0", powercap, lambda device: self.GPU)
        assert [d.name for d in found] == ["GPU H100", "package-0", "package-0 dram", "package-1"]

    def test_a_gpu_without_it_stands_alone(self, tmp_path: Path) -> None:
        assert counters.find("cuda:0", tmp_path, lambda device: self.GPU) == [self.GPU]

    def test_the_processor_never_stands_for_a_gpu(self, powercap: Path) -> None:
        def absent(device: str) -> Domain:
            raise NotMeasured("NVML: no")

        with pytest.raises(NotMeasured, match="NVML: no"):
            counters.find("cuda:0", powercap, absent)
