"""What this machine says of its NVIDIA GPUs: the bus, the kernel's driver, and nvidia-smi. Only reads."""

from __future__ import annotations

import csv
import io
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/")
NVIDIA = "0x10de"
# Display and 3D controllers; the audio function of a card has another class.
CLASSES = ("0x0300", "0x0302")
QUERY = "index,uuid,name,driver_version,memory.total"
PATIENCE = 60  # seconds: it starts a driver that sleeps


@dataclass(frozen=True)
class Gpu:
    """As nvidia-smi lists it; memory in MiB."""

    index: int
    uuid: str
    name: str
    memory_mib: int


@dataclass(frozen=True)
class Host:
    """`on_bus` counts the cards that the machine has, `gpus` are those that the driver can use.

    `fault` is what nvidia-smi said instead of listing them.
    """

    on_bus: int
    driver: str
    gpus: tuple[Gpu, ...] = ()
    fault: str = ""


def read(root: Path = ROOT, smi: Sequence[str] = ("nvidia-smi",)) -> Host:
    """`root` is this machine's file system, `smi` the command that lists its GPUs."""
    gpus, fault = _listed(smi)
    return Host(_on_bus(root), _driver(root), gpus, fault)


def _on_bus(root: Path) -> int:
    def is_gpu(device: Path) -> bool:
        try:
            vendor = (device / "vendor").read_text().strip()
            return vendor == NVIDIA and (device / "class").read_text().startswith(CLASSES)
        except OSError:
            return False

    return sum(map(is_gpu, (root / "sys/bus/pci/devices").glob("*")))


def _driver(root: Path) -> str:
    """The version of the loaded kernel module; empty without one."""
    try:
        text = (root / "proc/driver/nvidia/version").read_text()
    except OSError:
        return ""
    found = re.search(r"\b\d+\.\d+(\.\d+)?\b", text)
    return found[0] if found else "unknown"


def _listed(smi: Sequence[str]) -> tuple[tuple[Gpu, ...], str]:
    command = [*smi, f"--query-gpu={QUERY}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except FileNotFoundError:
        return (), "there is no nvidia-smi"
    except OSError as error:
        return (), f"nvidia-smi cannot be started: {error.strerror}"
    except subprocess.TimeoutExpired:
        return (), f"nvidia-smi did not answer within {PATIENCE} s"
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()
        return (), f"nvidia-smi: {said[0][:200] if said else f'ended with {done.returncode}'}"
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(done.stdout)) if row]
        return tuple(Gpu(int(i), uuid, name, int(memory)) for i, uuid, name, _, memory in rows), ""
    except ValueError:
        return (), f"nvidia-smi answers in an unknown form: {done.stdout.strip()[:80]!r}"
