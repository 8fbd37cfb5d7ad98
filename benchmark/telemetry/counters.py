"""Energy counters of this machine: RAPL for the processor, NVML for a GPU.

A *domain* is what one counter covers. Nothing is estimated: where a counter is absent or must not
be read, `NotMeasured` says why.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

POWERCAP = Path("/sys/class/powercap")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class NotMeasured(Exception):  # noqa: N818  (not an error: the reason why a figure is null)
    """Its text is the reason that the result gives."""


@dataclass(frozen=True)
class Domain:
    """`read()`: joules so far if `counts`, else watts now; raises NotMeasured.

    `key` is the same for two ranks exactly if they see the same counter. `wraps_at_j`: the
    value at which a counter restarts from zero, None if it never does.
    """

    source: str
    name: str
    key: str
    read: Callable[[], float]
    counts: bool = True
    wraps_at_j: float | None = None


def find(device: str, root: Path = POWERCAP, gpu: Callable[[str], Domain] | None = None) -> list[Domain]:
    """What a rank on torch `device` draws its energy from; NotMeasured where that is unknown.

    A run on a GPU needs the GPU's counter: the processor alone would be a fraction that looks like
    the whole. The processor is added where it can be read.
    """
    if device == "cpu":
        return rapl(root)
    domains = [(gpu or this_gpu)(device)]
    try:
        return [*domains, *rapl(root)]
    except NotMeasured:
        return domains


def rapl(root: Path = POWERCAP, boot: Path = BOOT_ID) -> list[Domain]:
    """Every package, and its memory where that is counted apart.

    Left out are cores and graphics, which are part of the package, `psys`, of which the package is a
    part, and `intel-rapl-mmio`, the same package a second time.
    """
    zones = []
    for path in sorted(root.glob("intel-rapl:*")):
        name = _text(path / "name")
        if name.startswith("package"):
            zones.append((name, path))
        elif name == "dram":
            zones.append((f"{_text(root / path.name.rpartition(':')[0] / 'name')} {name}", path))
    if not zones:
        raise NotMeasured("no RAPL energy counter here (none in this machine, or a container hides it)")
    machine = _text(boot)  # containers of one machine differ in host name, not in this
    if not machine:
        raise NotMeasured(f"RAPL: {boot} cannot be read, so that ranks of one machine would count it twice")
    return [_zone(name, path, machine) for name, path in zones]


def _zone(name: str, path: Path, machine: str) -> Domain:
    def joules() -> float:
        return _microjoules(path / "energy_uj")

    joules()
    range_j = _microjoules(path / "max_energy_range_uj")
    return Domain("RAPL", name, f"{machine}/{path.name}", joules, wraps_at_j=range_j)


def _microjoules(path: Path) -> float:
    try:
        return int(path.read_text()) / 1e6
    except PermissionError:
        raise NotMeasured(f"RAPL: {path} may be read by root only") from None
    except (OSError, ValueError) as error:
        raise NotMeasured(f"RAPL: {path} cannot be read: {error}") from error


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def this_gpu(device: str) -> Domain:
    """The GPU that torch calls `device`, by NVML."""
    nvml = load_nvml()
    return nvml_domain(nvml, handle_of(nvml, uuid_of(device)))


def uuid_of(device: str) -> str:
    """NVML counts all GPUs of the machine, torch those that it may use: only the UUID is common."""
    return f"GPU-{torch.cuda.get_device_properties(device).uuid}"


def load_nvml() -> Any:
    """The module, initialised. It is optional: only machines with a GPU use it."""
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        raise NotMeasured("NVML: the Python package nvidia-ml-py is not installed") from None
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        raise NotMeasured(f"NVML: {error}") from error
    return nvml


def handle_of(nvml: Any, uuid: str) -> Any:
    try:
        return nvml.nvmlDeviceGetHandleByUUID(uuid)
    except nvml.NVMLError as error:
        raise NotMeasured(f"NVML: {uuid}: {error}") from error


def nvml_domain(nvml: Any, handle: Any) -> Domain:
    """The total-energy counter (since Volta), else the power that the driver reports."""

    def joules() -> float:
        return float(call(nvml, "nvmlDeviceGetTotalEnergyConsumption", handle)) / 1e3

    def watts() -> float:
        return float(call(nvml, "nvmlDeviceGetPowerUsage", handle)) / 1e3

    name, uuid = (call(nvml, f"nvmlDeviceGet{what}", handle) for what in ("Name", "UUID"))
    try:
        joules()
    except NotMeasured:
        watts()
        return Domain("NVML", f"GPU {name}", str(uuid), watts, counts=False)
    return Domain("NVML", f"GPU {name}", str(uuid), joules)


def call(nvml: Any, function: str, *arguments: Any) -> Any:
    try:
        return getattr(nvml, function)(*arguments)
    except nvml.NVMLError as error:
        raise NotMeasured(f"NVML: {function}: {error}") from error
