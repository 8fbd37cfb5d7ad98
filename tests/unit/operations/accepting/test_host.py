"""What a machine says of its GPUs: bus, driver, nvidia-smi; each may say something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from operations.accepting import host

LISTED = (
    "0, GPU-aa, NVIDIA H100 80GB HBM3, 580.95.05, 81559\n1, GPU-bb, NVIDIA H100 80GB HBM3, 580.95.05, 81559\n"
)


def smi(folder: Path, text: str, code: int = 0) -> tuple[str, ...]:
    file = folder / "nvidia-smi"
    file.write_text(f"#!/bin/sh\ncat <<'END'\n{text}END\nexit {code}\n")
    file.chmod(0o755)
    return (str(file),)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Two cards, one of them with its audio function, and a network card."""
    for name, vendor, kind in (
        ("01:00.0", "0x10de", "0x030200"),
        ("01:00.1", "0x10de", "0x040300"),
        ("02:00.0", "0x10de", "0x030000"),
        ("03:00.0", "0x8086", "0x020000"),
    ):
        device = tmp_path / "sys/bus/pci/devices" / name
        device.mkdir(parents=True)
        (device / "vendor").write_text(f"{vendor}\n")
        (device / "class").write_text(f"{kind}\n")
    driver = tmp_path / "proc/driver/nvidia"
    driver.mkdir(parents=True)
    (driver / "version").write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.95.05  Tue\n")
    return tmp_path


def test_cards_on_the_bus_are_counted_without_their_audio(machine: Path) -> None:
    assert host.read(machine, smi(machine, LISTED)).on_bus == 2


def test_the_version_of_the_driver_is_read(machine: Path) -> None:
    assert host.read(machine, smi(machine, LISTED)).driver == "580.95.05"


def test_gpus_are_listed_with_their_memory(machine: Path) -> None:
    gpus = host.read(machine, smi(machine, LISTED)).gpus
    assert gpus[1] == host.Gpu(1, "GPU-bb", "NVIDIA H100 80GB HBM3", 81559)


def test_what_nvidia_smi_complains_of_is_the_fault(machine: Path) -> None:
    found = host.read(
        machine, smi(machine, "Failed to initialize NVML: Driver/library version mismatch\n", 18)
    )
    assert found.fault == "nvidia-smi: Failed to initialize NVML: Driver/library version mismatch"


@pytest.mark.parametrize("answer", ["what?\n", "x, GPU-aa, name, 1, 2\n", "0, GPU-aa, name, 1, [N/A]\n"])
def test_an_answer_in_another_form_is_the_fault(machine: Path, answer: str) -> None:
    assert "unknown form" in host.read(machine, smi(machine, answer)).fault


def test_a_machine_without_gpus_has_neither(tmp_path: Path) -> None:
    found = host.read(tmp_path, (str(tmp_path / "nvidia-smi"),))
    assert (found.on_bus, found.driver, found.gpus) == (0, "", ())
    assert found.fault == "there is no nvidia-smi"
